// SPDX-License-Identifier: 0BSD
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include "message.skel.h"

int main(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);
	struct message_bpf *skeleton = message_bpf__open_and_load();

	if (!skeleton)
		return 1;
	strcpy(skeleton->bss->name, "kernel!");
	skeleton->bss->name_size = strlen("kernel!");
	if (bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.write_message), &options) ||
	    options.retval)
		return 1;
	printf("%s\n", skeleton->bss->message);
	printf("4 bytes of it: %.4s\n", skeleton->bss->end);
	printf("2 bytes beyond its end: %s\n", strerrorname_np(-skeleton->bss->beyond));
	message_bpf__destroy(skeleton);
	return 0;
}
