// SPDX-License-Identifier: 0BSD
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>

static void on_event(void *context, int cpu, void *data, __u32 size)
{
	printf("a packet of %llu bytes\n", *(__u64 *)data);
}

int main(void)
{
	struct bpf_object *object = bpf_object__open_file("loop.bpf.o", NULL);
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = "a packet of 20 bytes", .data_size_in = 20);
	struct perf_buffer *buffers;
	int report;
	sigset_t interrupt;

	if (!object || bpf_object__load(object))
		return 1;
	buffers = perf_buffer__new(bpf_object__find_map_fd_by_name(object, "events"), 8, on_event,
				   NULL, NULL, NULL);
	if (!buffers)
		return 1;
	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	sigprocmask(SIG_BLOCK, &interrupt, NULL);
	struct pollfd wait[] = {
		{.fd = perf_buffer__epoll_fd(buffers), .events = POLLIN},
		{.fd = signalfd(-1, &interrupt, 0), .events = POLLIN},
	};

	report = bpf_program__fd(bpf_object__find_program_by_name(object, "report"));
	if (bpf_prog_test_run_opts(report, &run))
		return 1;
	while (poll(wait, 2, 1000 /* ms */) > 0) {
		if (wait[0].revents) {
			perf_buffer__consume(buffers);
			raise(SIGINT); /* as Ctrl-C does */
		}
		if (wait[1].revents) {
			puts("interrupted");
			break;
		}
	}
	perf_buffer__free(buffers);
	bpf_object__close(object);
	return 0;
}
