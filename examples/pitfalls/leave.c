// SPDX-License-Identifier: 0BSD
#include <stdio.h>
#include "ring.h"

int main(void)
{
	open_ring();
	user_ring_buffer__reserve(ring, 8);
	user_ring_buffer__free(ring); /* the sample is still reserved */

	ring = user_ring_buffer__new(map_fd, NULL);
	printf("submitted through a new handle: %d\n", submit(8));
	printf("drained: %d, then %d\n", drain(), drain());
	user_ring_buffer__free(ring);
	return 0;
}
