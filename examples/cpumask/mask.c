// SPDX-License-Identifier: 0BSD
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include "mask.skel.h"

int main(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);
	struct mask_bpf *mask = mask_bpf__open_and_load();

	if (!mask || bpf_prog_test_run_opts(bpf_program__fd(mask->progs.set_a_bit), &options) ||
	    options.retval)
		return 1;
	printf("a new mask has CPU 0: %s\n", mask->bss->zero_before ? "yes" : "no");
	printf("after CPU 0 was set: %s\n", mask->bss->zero_after ? "yes" : "no");
	printf("CPU 1: %s\n", mask->bss->one_after ? "yes" : "no");
	mask_bpf__destroy(mask);
	return 0;
}
