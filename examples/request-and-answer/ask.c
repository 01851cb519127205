// SPDX-License-Identifier: 0BSD
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include "request.h"

static struct user_ring_buffer *requests;
static struct ring_buffer *answers;
static int serve_fd, quiet;

/* Submits a request; returns 0 where there is no room for it. */
static int ask(__u32 id, __u32 account, __s64 amount)
{
	struct request *request = user_ring_buffer__reserve(requests, sizeof(*request));

	if (!request)
		return 0;
	*request = (struct request){ .id = id, .account = account, .amount = amount };
	user_ring_buffer__submit(requests, request);
	return 1;
}

/* Runs the BPF program once; returns how many requests it took. */
static int serve(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);

	return bpf_prog_test_run_opts(serve_fd, &run) ? -1 : (int)run.retval;
}

/* Called for each answer. */
static int print_answer(void *context, void *data, size_t size)
{
	const struct answer *answer = data;

	if (!quiet)
		printf("answer %u: error %d, balance %lld\n", answer->id, answer->error,
		       answer->balance);
	return 0;
}

int main(void)
{
	struct bpf_object *object = bpf_object__open_file("serve.bpf.o", NULL);
	__u32 id = 0, asked = 0;

	if (!object || bpf_object__load(object))
		return 1;
	serve_fd = bpf_program__fd(bpf_object__find_program_by_name(object, "serve"));
	requests = user_ring_buffer__new(bpf_object__find_map_fd_by_name(object, "requests"), NULL);
	answers = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "answers"), print_answer,
				   NULL, NULL);
	if (!requests || !answers)
		return 1;

	puts("-- three requests");
	ask(++id, 0, 50);
	ask(++id, 0, -8);
	ask(++id, 9, 1);
	printf("requests taken: %d\n", serve());
	printf("answers: %d\n", ring_buffer__poll(answers, 1000));

	puts("-- nobody reads the answers");
	quiet = 1;
	for (int i = 0; i < 2; i++) {
		while (ask(++id, 1, 1))
			asked++;
		printf("asked: %u, requests taken: %d\n", asked, serve());
	}
	printf("answers: %d, ", ring_buffer__consume(answers));
	printf("requests taken: %d, ", serve());
	printf("answers: %d\n", ring_buffer__consume(answers));

	ring_buffer__free(answers);
	user_ring_buffer__free(requests);
	bpf_object__close(object);
	return 0;
}
