/* SPDX-License-Identifier: MIT */
/* What the C programs share: the clock, the end on an error, and the map that they inherit. */
#ifndef BENCHMARKS_PEER_H
#define BENCHMARKS_PEER_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static inline uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static inline void *check(void *pointer, const char *what)
{
	if (!pointer) {
		fprintf(stderr, "%s: %s\n", what, strerror(errno));
		exit(1);
	}
	return pointer;
}

static inline int test_run(int program, void *context, size_t size)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = size ? context : NULL, .ctx_size_in = size);

	if (bpf_prog_test_run_opts(program, &run)) {
		fprintf(stderr, "test run: %s\n", strerror(errno));
		exit(1);
	}
	return run.retval;
}

#endif
