// SPDX-License-Identifier: MIT
/* What a message of 8 bytes costs from user space until a BPF program has read it, in several ways.
 *
 * Usage: ways OBJECT ROUNDS. Prints a line for each way and round: the way, nanoseconds a message.
 * It ends with status 1 if the BPF program did not read what was sent.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGES (262144 / 16)

static struct bpf_object *object;
static struct user_ring_buffer *ring;
static int sockets[2];

static int map_of(const char *name)
{
	return bpf_object__find_map_fd_by_name(object, name);
}

static int run(const char *name, void *context, unsigned int size)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = context, .ctx_size_in = size);
	int program = bpf_program__fd(bpf_object__find_program_by_name(object, name));

	if (bpf_prog_test_run_opts(program, &options))
		err(1, "running %s", name);
	return options.retval;
}

static void drained(const char *name)
{
	int count = run(name, NULL, 0);

	if (count != MESSAGES)
		errx(1, "%s: %d messages of %d", name, count, MESSAGES);
}

static void use_ring(void)
{
	for (unsigned long long i = 0; i < MESSAGES; i++) {
		unsigned long long *sample = user_ring_buffer__reserve(ring, sizeof(*sample));

		if (!sample)
			err(1, "reserving");
		*sample = i;
		user_ring_buffer__submit(ring, sample);
	}
	drained("drain_ring");
}

static void use_queue(void)
{
	int map = map_of("queue");

	for (unsigned long long i = 0; i < MESSAGES; i++)
		if (bpf_map_update_elem(map, NULL, &i, BPF_ANY))
			err(1, "pushing");
	drained("drain_queue");
}

static void use_hash(void)
{
	int map = map_of("hash");

	for (unsigned long long i = 0; i < MESSAGES; i++) {
		unsigned int key = i;

		if (bpf_map_update_elem(map, &key, &i, BPF_ANY))
			err(1, "updating");
	}
	drained("read_hash");
}

static void use_test_run(void)
{
	for (unsigned long long i = 0; i < MESSAGES; i++)
		run("take_one", &i, sizeof(i));
}

static void use_socket(void)
{
	for (unsigned long long i = 0; i < MESSAGES; i++)
		/* The filter has read it, and lets nothing pass. */
		if (send(sockets[0], &i, sizeof(i), 0) < 0 && errno != EPERM)
			err(1, "sending");
}

static const struct {
	const char *name;
	void (*use)(void);
} ways[] = {
	{ "ring", use_ring },	  { "queue", use_queue },   { "hash", use_hash },
	{ "test_run", use_test_run }, { "socket", use_socket },
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

static unsigned long long take_sum(void)
{
	unsigned long long sum, none = 0;
	int globals = map_of(".bss"), key = 0;

	if (bpf_map_lookup_elem(globals, &key, &sum) || bpf_map_update_elem(globals, &key, &none, 0))
		err(1, "reading the sum");
	return sum;
}

int main(int argc, char **argv)
{
	unsigned long long wanted = (unsigned long long)MESSAGES * (MESSAGES - 1) / 2;
	int filter;

	if (argc != 3)
		errx(2, "usage: ways OBJECT ROUNDS");
	object = bpf_object__open(argv[1]);
	if (!object || bpf_object__load(object))
		err(1, "loading");
	ring = user_ring_buffer__new(map_of("ring"), NULL);
	filter = bpf_program__fd(bpf_object__find_program_by_name(object, "filter"));
	if (!ring || socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets) ||
	    setsockopt(sockets[1], SOL_SOCKET, SO_ATTACH_BPF, &filter, sizeof(filter)))
		err(1, "setting up");
	for (int round = -1; round < atoi(argv[2]); round++) /* the first one warms up */
		for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
			double start = now();
			unsigned long long sum;

			ways[i].use();
			start = now() - start;
			sum = take_sum();
			if (sum != wanted)
				errx(1, "%s: the sum is %llu", ways[i].name, sum);
			if (round >= 0)
				printf("%s %.1f\n", ways[i].name, start / MESSAGES);
		}
	return 0;
}
