// SPDX-License-Identifier: 0BSD
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <poll.h>
#include <stdio.h>

static int on_event(void *name, void *data, size_t size)
{
	printf("%s: a packet of %u bytes\n", (char *)name, *(__u32 *)data);
	return 0;
}

static void send_packet(struct bpf_object *object, __u32 length)
{
	static char packet[1000];
	struct bpf_program *report = bpf_object__find_program_by_name(object, "report");
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = length);

	if (bpf_prog_test_run_opts(bpf_program__fd(report), &run))
		perror("running the program");
}

int main(void)
{
	struct bpf_object *object = bpf_object__open_file("two.bpf.o", NULL);
	struct ring_buffer *rings;
	struct pollfd wait = {.events = POLLIN};

	if (!object || bpf_object__load(object))
		return 1;
	rings = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "small"), on_event,
				 "small", NULL);
	if (!rings || ring_buffer__add(rings, bpf_object__find_map_fd_by_name(object, "large"),
				       on_event, "large"))
		return 1;

	wait.fd = ring_buffer__epoll_fd(rings);
	printf("readable: %d\n", poll(&wait, 1, 0));
	send_packet(object, 500);
	send_packet(object, 499);
	send_packet(object, 1000);
	printf("readable: %d\n", poll(&wait, 1, 1000));
	printf("consumed: %d\n", ring_buffer__consume(rings));

	ring_buffer__free(rings);
	bpf_object__close(object);
	return 0;
}
