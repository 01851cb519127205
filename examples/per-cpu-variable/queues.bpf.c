// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* The scheduler's queue of a CPU: of its fields only the one that is read. */
struct rq {
	int cpu;
} __attribute__((preserve_access_index));

extern const struct rq runqueues __ksym;

int cpus, right, here;

SEC("syscall")
int look(void *ctx)
{
	const struct rq *mine = bpf_this_cpu_ptr(&runqueues);

	here = mine->cpu == bpf_get_smp_processor_id();
	for (int cpu = 0; cpu < 1024; cpu++) {
		const struct rq *queue = bpf_per_cpu_ptr(&runqueues, cpu);

		if (!queue)
			break; /* there are no more CPUs */
		cpus++;
		right += queue->cpu == cpu;
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
