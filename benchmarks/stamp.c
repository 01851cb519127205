// SPDX-License-Identifier: MIT
/* The time at which userrb's wait returns, seen from inside its extension.
 *
 * The linker puts __wrap_ring_wait in the place of ring_wait (--wrap=ring_wait): the product's
 * sources are compiled as they are, into an extension for the benchmark alone.
 */
#include "core.h"

#include <time.h>

int __real_ring_wait(struct ring *ring, struct attempt *attempt, int timeout_ms, bool lengthy);
int __wrap_ring_wait(struct ring *ring, struct attempt *attempt, int timeout_ms, bool lengthy);

int64_t wait_returned_ns;

int __wrap_ring_wait(struct ring *ring, struct attempt *attempt, int timeout_ms, bool lengthy)
{
	int result = __real_ring_wait(ring, attempt, timeout_ms, lengthy);
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	wait_returned_ns = now.tv_sec * (int64_t)1000000000 + now.tv_nsec;
	return result;
}
