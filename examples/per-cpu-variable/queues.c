// SPDX-License-Identifier: 0BSD
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include "queues.skel.h"

int main(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);
	struct queues_bpf *queues = queues_bpf__open_and_load();

	if (!queues || bpf_prog_test_run_opts(bpf_program__fd(queues->progs.look), &options))
		return 1;
	printf("a queue for each possible CPU: %s\n",
	       queues->bss->cpus == libbpf_num_possible_cpus() ? "yes" : "no");
	printf("each knows its CPU: %s\n",
	       queues->bss->right == queues->bss->cpus ? "yes" : "no");
	printf("that of this CPU, too: %s\n", queues->bss->here ? "yes" : "no");
	queues_bpf__destroy(queues);
	return 0;
}
