// SPDX-License-Identifier: 0BSD
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sched.h>
#include <stdio.h>

static void on_event(void *context, int cpu, void *data, __u32 size)
{
	*(__u64 *)context += *(__u64 *)data;
}

static void on_lost(void *context, int cpu, __u64 count)
{
	printf("CPU %d lost %llu events\n", cpu, count);
}

static void send_packets(int report, int count)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = "a packet of 20 bytes", .data_size_in = 20);

	while (count--)
		if (bpf_prog_test_run_opts(report, &run))
			perror("running the program");
}

int main(void)
{
	struct bpf_object *object = bpf_object__open_file("events.bpf.o", NULL);
	cpu_set_t first = {.__bits = {1}}; /* stay on CPU 0, so that all is in one buffer */
	struct perf_buffer *buffers;
	__u64 bytes = 0;
	int report;

	if (sched_setaffinity(0, sizeof(first), &first) || !object || bpf_object__load(object))
		return 1;
	report = bpf_program__fd(bpf_object__find_program_by_name(object, "report"));
	buffers = perf_buffer__new(bpf_object__find_map_fd_by_name(object, "events"),
				   1 /* page a CPU */, on_event, on_lost, &bytes, NULL);
	if (!buffers)
		return 1;

	send_packets(report, 3);
	printf("poll: %d\n", perf_buffer__poll(buffers, 1000 /* ms */));
	send_packets(report, 200); /* more than a page holds */
	printf("consume: %d, ", perf_buffer__consume(buffers));
	printf("%llu bytes\n", bytes);
	send_packets(report, 1); /* only now there is room for the number of lost events */
	printf("consume: %d, ", perf_buffer__consume(buffers));
	printf("%llu bytes\n", bytes);

	perf_buffer__free(buffers);
	bpf_object__close(object);
	return 0;
}
