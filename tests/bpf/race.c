// SPDX-License-Identifier: MIT
/* Two threads submit samples with no lock around reserve. Prints how many the kernel delivered. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define EACH 20000

static pthread_barrier_t start;

static void *produce(void *ring)
{
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
	struct user_ring_buffer *ring;
	pthread_t threads[2];

	if (!object || bpf_object__load(object))
		return 1;
	ring = user_ring_buffer__new(bpf_object__find_map_fd_by_name(object, "roomy"), NULL);
	pthread_barrier_init(&start, NULL, 2);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, produce, ring);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	bpf_prog_test_run_opts(
		bpf_program__fd(bpf_object__find_program_by_name(object, "drain_roomy")), &run);
	printf("%d of %d\n", (int)run.retval, 2 * EACH);
	return 0;
}
