// SPDX-License-Identifier: MIT
/* How programs use masks and tasks, rightly and, by case, wrongly. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

struct cpumask {
	unsigned long bits[1];
} __attribute__((preserve_access_index));

struct bpf_cpumask {
	struct cpumask cpumask;
} __attribute__((preserve_access_index));

struct task_struct {
	int tgid;
	struct task_struct *real_parent;
	struct cpumask *cpus_ptr;
} __attribute__((preserve_access_index));

struct bpf_cpumask *bpf_cpumask_create(void) __ksym;
void bpf_cpumask_release(struct bpf_cpumask *mask) __ksym;
void bpf_cpumask_set_cpu(unsigned int cpu, struct bpf_cpumask *mask) __ksym;
bool bpf_cpumask_test_cpu(unsigned int cpu, const struct cpumask *mask) __ksym;
struct task_struct *bpf_task_from_pid(int pid) __ksym;
struct task_struct *bpf_task_acquire(struct task_struct *task) __ksym;
void bpf_task_release(struct task_struct *task) __ksym;
void bpf_rcu_read_lock(void) __ksym;
void bpf_rcu_read_unlock(void) __ksym;

char bytes[8];
int number;

SEC("syscall")
int tried(void *context)
{
#if defined(NO_SUCH_CPU)
	struct bpf_cpumask *mask = bpf_cpumask_create();
	bool has;

	if (!mask)
		return 2;
	bpf_cpumask_set_cpu(1 << 20, mask);
	has = bpf_cpumask_test_cpu(1 << 20, (const struct cpumask *)mask);
	bpf_cpumask_release(mask);
	return has;
#elif defined(KEEPS_MASK)
	return bpf_cpumask_create() != NULL;
#elif defined(RELEASES_TWICE)
	struct bpf_cpumask *mask = bpf_cpumask_create();

	if (!mask)
		return 0;
	bpf_cpumask_release(mask);
	bpf_cpumask_release(mask);
#elif defined(USES_RELEASED)
	struct bpf_cpumask *mask = bpf_cpumask_create();

	if (!mask)
		return 0;
	bpf_cpumask_release(mask);
	return bpf_cpumask_test_cpu(0, (const struct cpumask *)mask);
#elif defined(UNCHECKED_MASK)
	bpf_cpumask_release(bpf_cpumask_create());
#elif defined(CHANGES_THE_KERNELS_MASK)
	struct task_struct *task = bpf_task_from_pid(number);

	if (!task)
		return 2;
	bpf_cpumask_set_cpu(0, (struct bpf_cpumask *)task->cpus_ptr);
	bpf_task_release(task);
#elif defined(KEEPS_TASK)
	return bpf_task_from_pid(number) != NULL;
#elif defined(RELEASES_WHAT_IT_DOES_NOT_OWN)
	bpf_task_release((struct task_struct *)bpf_get_current_task_btf());
#elif defined(KEEPS_LOCK)
	bpf_rcu_read_lock();
#elif defined(UNLOCKS_ALONE)
	bpf_rcu_read_unlock();
#elif defined(SLEEPS_IN_LOCK)
	bpf_rcu_read_lock();
	bpf_copy_from_user(bytes, sizeof(bytes), NULL);
	bpf_rcu_read_unlock();
#elif defined(READS_AFTERWARDS) || defined(TRUSTS_AFTERWARDS)
	struct task_struct *task = bpf_task_from_pid(number), *parent;

	if (!task)
		return 2;
	bpf_rcu_read_lock();
	parent = task->real_parent;
	bpf_rcu_read_unlock();
#ifdef TRUSTS_AFTERWARDS
	parent = bpf_task_acquire(parent);
	if (parent)
		bpf_task_release(parent);
#else
	number = parent->tgid;
#endif
	bpf_task_release(task);
#endif
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
