// SPDX-License-Identifier: 0BSD
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include "ring.h"

static void discard_and_drain(__u32 size)
{
	user_ring_buffer__discard(ring, user_ring_buffer__reserve(ring, size));
	submit(8);
	for (int i = 0; i < 2; i++) {
		int drained = drain();

		printf("%u bytes discarded, 8 submitted; drained: ", size);
		if (drained < 0)
			printf("-%s\n", strerrorname_np(-drained));
		else
			printf("%d\n", drained);
	}
}

int main(void)
{
	open_ring();
	discard_and_drain((1 << 24) - 1);
	discard_and_drain(1 << 24);
	return 0;
}
