// SPDX-License-Identifier: 0BSD
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

static enum bpf_perf_event_ret on_record(void *context, int cpu, struct perf_event_header *event)
{
	__u64 length;

	if (event->type == PERF_RECORD_SAMPLE) { /* header, size in 4 bytes, data */
		memcpy(&length, (char *)(event + 1) + 4, sizeof(length));
		printf("CPU %d, a record of %u bytes: %llu\n", cpu, event->size, length);
	}
	return LIBBPF_PERF_EVENT_CONT;
}

int main(void)
{
	struct bpf_object *object = bpf_object__open_file("raw.bpf.o", NULL);
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = "a packet of 20 bytes", .data_size_in = 20);
	cpu_set_t first = {.__bits = {1}};
	struct perf_event_attr attributes = {
		.size = sizeof(attributes),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_type = PERF_SAMPLE_RAW,
		.wakeup_events = 2, /* each second event wakes the reader */
	};
	int zero = 0; /* one buffer: of CPU 0, in the map's element 0 */
	LIBBPF_OPTS(perf_buffer_raw_opts, options, .cpu_cnt = 1, .cpus = &zero, .map_keys = &zero);
	struct perf_buffer *buffer;
	int report;

	if (sched_setaffinity(0, sizeof(first), &first) || !object || bpf_object__load(object))
		return 1;
	report = bpf_program__fd(bpf_object__find_program_by_name(object, "report"));
	buffer = perf_buffer__new_raw(bpf_object__find_map_fd_by_name(object, "events"), 1,
				      &attributes, on_record, NULL, &options);
	if (!buffer)
		return 1;

	printf("buffers: %zu\n", perf_buffer__buffer_cnt(buffer));
	for (int i = 0; i < 3 && !bpf_prog_test_run_opts(report, &run); i++)
		printf("poll: %d\n", perf_buffer__poll(buffer, 50 /* ms */));
	printf("consume: %d\n", perf_buffer__consume(buffer));
	perf_buffer__free(buffer);
	bpf_object__close(object);
	return 0;
}
