/* SPDX-License-Identifier: MIT */
/* Who has reserved a sample: noted in the half of its header that neither kernel nor libbpf use.
 *
 * The ids of processes have 22 bits at most. The other 10 tell which namespace the id is of, as far
 * as they can: `python -m userrb positions` must not take a process of another container for dead.
 */
#include "core.h"

#include <sys/stat.h>
#include <unistd.h>

#define PID_BITS 22

uint32_t owner_of_this_process(void)
{
	struct stat space;
	uint32_t which = stat("/proc/self/ns/pid", &space) ? 0 : (uint32_t)space.st_ino;

	return which << PID_BITS | (getpid() & ((1u << PID_BITS) - 1));
}
