// SPDX-License-Identifier: 0BSD
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>

int main(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = "a packet of 20 bytes", .data_size_in = 20);
	struct bpf_object *object = bpf_object__open_file("settings.bpf.o", NULL);
	struct bpf_program *slow_down, *trace;

	if (!object)
		return 1;
	slow_down = bpf_object__find_program_by_name(object, "slow_down");
	trace = bpf_object__find_program_by_name(object, "trace");
	if (!slow_down || !trace)
		return 1;

	/* 2 is only allowed for packets that leave, which this says. */
	if (bpf_program__set_type(slow_down, BPF_PROG_TYPE_CGROUP_SKB) ||
	    bpf_program__set_expected_attach_type(slow_down, BPF_CGROUP_INET_EGRESS) ||
	    bpf_program__set_autoload(trace, false))
		return 1;
	if (bpf_object__load(object) || bpf_prog_test_run_opts(bpf_program__fd(slow_down), &run))
		return 1;
	printf("slow_down returns %u\n", run.retval);
	printf("trace is loaded: %s\n", bpf_program__fd(trace) >= 0 ? "yes" : "no");

	bpf_object__close(object);
	return 0;
}
