// SPDX-License-Identifier: 0BSD
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include "text.skel.h"

int main(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);
	struct text_bpf *text = text_bpf__open_and_load();

	if (!text || bpf_prog_test_run_opts(bpf_program__fd(text->progs.write_line), &options))
		return 1;
	printf("%ld bytes: %s\n", text->bss->size, text->bss->line);
	if (text->bss->size_of_start > (long)sizeof(text->bss->start))
		printf("%zu bytes are too few: %s\n", sizeof(text->bss->start), text->bss->start);
	text_bpf__destroy(text);
	return 0;
}
