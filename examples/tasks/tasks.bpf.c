// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* Of the kernel's type only the fields that are read. */
struct task_struct {
	int tgid;
	char comm[16];
	struct task_struct *real_parent;
} __attribute__((preserve_access_index));

struct task_struct *bpf_task_from_pid(int pid) __ksym;
void bpf_task_release(struct task_struct *task) __ksym;
void bpf_rcu_read_lock(void) __ksym;
void bpf_rcu_read_unlock(void) __ksym;

int pid, parent;
char name[16];

SEC("syscall")
int look_up(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(pid);

	if (!task)
		return 1; /* there is no such task */
	bpf_probe_read_kernel_str(name, sizeof(name), task->comm);
	bpf_rcu_read_lock(); /* the parent may end, but its memory stays until the unlock */
	parent = task->real_parent->tgid;
	bpf_rcu_read_unlock();
	bpf_task_release(task);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
