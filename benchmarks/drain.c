// SPDX-License-Identifier: MIT
/* Drains from a process of its own, so that what waits is alone in its process, whatever it is.
 *
 * Usage: drain DRAIN_STAMPED_FD. Answers each line with "SAMPLES NS": how many were drained, and
 * when, on CLOCK_MONOTONIC.
 */
#include "peer.h"

int main(int argc, char **argv)
{
	uint64_t stamp;
	char line[64];

	if (argc != 2)
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		int drained = test_run(atoi(argv[1]), &stamp, sizeof(stamp));

		printf("%d %llu\n", drained, (unsigned long long)stamp);
		fflush(stdout);
	}
	return 0;
}
