// SPDX-License-Identifier: 0BSD
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>

static void on_event(void *context, int cpu, void *data, __u32 size)
{
	printf("CPU %d: a packet of %llu bytes\n", cpu, *(__u64 *)data);
}

int main(void)
{
	struct bpf_object *object = bpf_object__open_file("cpus.bpf.o", NULL);
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = "a packet of 20 bytes", .data_size_in = 20);
	cpu_set_t first = {.__bits = {1}};
	struct perf_event_mmap_page *page;
	struct perf_buffer *buffers;
	int report;
	void *memory;
	size_t i, size;

	if (sched_setaffinity(0, sizeof(first), &first) || !object || bpf_object__load(object))
		return 1;
	buffers = perf_buffer__new(bpf_object__find_map_fd_by_name(object, "events"), 8, on_event,
				   NULL, NULL, NULL);
	if (!buffers)
		return 1;
	report = bpf_program__fd(bpf_object__find_program_by_name(object, "report"));
	if (bpf_prog_test_run_opts(report, &run))
		return 1;

	for (i = 0; i < perf_buffer__buffer_cnt(buffers); i++) {
		struct pollfd wait = {.fd = perf_buffer__buffer_fd(buffers, i), .events = POLLIN};

		if (poll(&wait, 1, 0) <= 0)
			continue; /* nothing happened on this CPU */
		if (perf_buffer__buffer(buffers, i, &memory, &size))
			return 1;
		page = memory;
		printf("buffer %zu of %zu bytes: %llu written, %llu read\n", i, size,
		       page->data_head, page->data_tail);
		printf("consume: %d\n", perf_buffer__consume_buffer(buffers, i));
		printf("buffer %zu of %zu bytes: %llu written, %llu read\n", i, size,
		       page->data_head, page->data_tail);
	}

	perf_buffer__free(buffers);
	bpf_object__close(object);
	return 0;
}
