// SPDX-License-Identifier: 0BSD
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "ring.h"

static void try_to_open(const char *what, int fd)
{
	if (!user_ring_buffer__new(fd, NULL))
		printf("%s: %s\n", what, strerrorname_np(errno));
}

int main(void)
{
	int array = bpf_map_create(BPF_MAP_TYPE_ARRAY, "counts", 4, 8, 1, NULL);

	setbuf(stdout, NULL); /* in order with libbpf's standard error */
	try_to_open("no descriptor", 99);
	try_to_open("an array", array);
	libbpf_set_print(NULL);
	try_to_open("an array, libbpf silenced", array);
	return 0;
}
