// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

struct cpumask {
	unsigned long bits[1];
} __attribute__((preserve_access_index));

struct bpf_cpumask {
	struct cpumask cpumask;
} __attribute__((preserve_access_index));

struct bpf_cpumask *bpf_cpumask_create(void) __ksym;
void bpf_cpumask_release(struct bpf_cpumask *mask) __ksym;
void bpf_cpumask_set_cpu(unsigned int cpu, struct bpf_cpumask *mask) __ksym;
bool bpf_cpumask_test_cpu(unsigned int cpu, const struct cpumask *mask) __ksym;

bool zero_before, zero_after, one_after;

SEC("syscall")
int set_a_bit(void *ctx)
{
	struct bpf_cpumask *mask = bpf_cpumask_create();

	if (!mask)
		return 1; /* there is no memory */
	zero_before = bpf_cpumask_test_cpu(0, (const struct cpumask *)mask);
	bpf_cpumask_set_cpu(0, mask);
	zero_after = bpf_cpumask_test_cpu(0, (const struct cpumask *)mask);
	one_after = bpf_cpumask_test_cpu(1, (const struct cpumask *)mask);
	bpf_cpumask_release(mask);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
