// SPDX-License-Identifier: 0BSD
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <unistd.h>
#include "tasks.skel.h"

static int look_up(struct tasks_bpf *tasks, int pid)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	tasks->bss->pid = pid;
	if (bpf_prog_test_run_opts(bpf_program__fd(tasks->progs.look_up), &options))
		return -1;
	return options.retval;
}

int main(void)
{
	struct tasks_bpf *tasks = tasks_bpf__open_and_load();

	if (!tasks || look_up(tasks, getpid()))
		return 1;
	printf("this process is called %s\n", tasks->bss->name);
	printf("its parent is %s\n", tasks->bss->parent == getppid() ? "the one we know" : "another");
	printf("task -1: %s\n", look_up(tasks, -1) ? "there is none" : "found");
	tasks_bpf__destroy(tasks);
	return 0;
}
