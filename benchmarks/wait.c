// SPDX-License-Identifier: MIT
/* Waits for room with libbpf's own user_ring_buffer__reserve_blocking.
 *
 * Usage: wait MAP_FD. Reads lines "BYTES TIMEOUT_MS". To each it answers "0" when it is about to wait,
 * and then "ERRNO BEGAN ENDED CPU ENDED": the times in nanoseconds of CLOCK_MONOTONIC, and of the CPU
 * used in between. A sample that it gets is discarded. (The last field is waiting.py's: here the C
 * function is all there is.)
 */
#include "peer.h"

#include <signal.h>

static void interrupted(int signal)
{
	(void)signal;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = interrupted };
	struct user_ring_buffer *ring;
	unsigned int bytes;
	int timeout_ms;

	if (argc != 2)
		return 1;
	ring = check(user_ring_buffer__new(atoi(argv[1]), NULL), "user_ring_buffer__new");
	while (scanf("%u %d", &bytes, &timeout_ms) == 2) {
		uint64_t began, cpu, ended;
		void *sample;
		int error;

		/* Only while it waits: a signal must not end the reading of commands. */
		sigaction(SIGINT, &action, NULL);
		puts("0");
		fflush(stdout);
		cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		began = now_ns();
		sample = user_ring_buffer__reserve_blocking(ring, bytes, timeout_ms);
		error = sample ? 0 : errno;
		ended = now_ns();
		cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
		signal(SIGINT, SIG_IGN);
		if (sample)
			user_ring_buffer__discard(ring, sample);
		printf("%d %llu %llu %llu %llu\n", error, (unsigned long long)began,
		       (unsigned long long)ended, (unsigned long long)cpu,
		       (unsigned long long)ended);
		fflush(stdout);
	}
	user_ring_buffer__free(ring);
	return 0;
}
