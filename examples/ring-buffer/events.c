// SPDX-License-Identifier: 0BSD
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>

static char packet[1000];
static int report;

static void send_packet(__u32 length)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = length);

	if (bpf_prog_test_run_opts(report, &run))
		perror("running the program");
}

static int on_event(void *context, void *data, size_t size)
{
	__u32 *length = data, *total = context;

	printf("an event of %zu bytes: a packet of %u\n", size, *length);
	*total += *length;
	return 0;
}

int main(void)
{
	struct bpf_object *object = bpf_object__open_file("events.bpf.o", NULL);
	struct ring_buffer *ring;
	__u32 total = 0;

	if (!object || bpf_object__load(object))
		return 1;
	report = bpf_program__fd(bpf_object__find_program_by_name(object, "report"));
	ring = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "events"), on_event, &total,
				NULL);
	if (!ring)
		return 1;

	send_packet(100);
	send_packet(200);
	printf("poll: %d\n", ring_buffer__poll(ring, 1000 /* ms */));
	send_packet(300);
	printf("consume: %d\n", ring_buffer__consume(ring));
	printf("consume: %d\n", ring_buffer__consume(ring));
	printf("poll: %d\n", ring_buffer__poll(ring, 10));
	printf("bytes in all: %u\n", total);

	ring_buffer__free(ring);
	bpf_object__close(object);
	return 0;
}
