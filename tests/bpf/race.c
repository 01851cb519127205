// SPDX-License-Identifier: MIT
/* Two threads submit samples with no lock around reserve, again and again until some were lost or 30
 * seconds are over. Prints how many of the last round the kernel delivered. */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define EACH 20000

static pthread_barrier_t start;

struct producer {
	struct user_ring_buffer *ring;
	int cpu;
};

static void *produce(void *context)
{
	struct producer *producer = context;
	struct user_ring_buffer *ring = producer->ring;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(producer->cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus); /* where there is such a processor */
	pthread_barrier_wait(&start);
	for (int i = 0; i < EACH; i++) {
		void *sample = user_ring_buffer__reserve(ring, 8);

		if (!sample)
			abort();
		user_ring_buffer__submit(ring, sample);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct bpf_object *object = argc > 1 ? bpf_object__open_file(argv[1], NULL) : NULL;
	LIBBPF_OPTS(bpf_test_run_opts, run);
	struct producer producers[2] = { { .cpu = 0 }, { .cpu = 1 } };
	time_t end = time(NULL) + 30;
	pthread_t threads[2];
	int drain;

	if (!object || bpf_object__load(object))
		return 1;
	producers[0].ring = producers[1].ring =
		user_ring_buffer__new(bpf_object__find_map_fd_by_name(object, "roomy"), NULL);
	drain = bpf_program__fd(bpf_object__find_program_by_name(object, "drain_roomy"));
	pthread_barrier_init(&start, NULL, 2);
	do {
		for (int i = 0; i < 2; i++)
			pthread_create(&threads[i], NULL, produce, &producers[i]);
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		bpf_prog_test_run_opts(drain, &run);
	} while (run.retval == 2 * EACH && time(NULL) < end);
	printf("%d of %d\n", (int)run.retval, 2 * EACH);
	return 0;
}
