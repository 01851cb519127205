// SPDX-License-Identifier: 0BSD
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "ring.h"

int main(void)
{
	const __u32 sizes[] = { 2048, 4096, 12288, 16384 };
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);

	for (int i = 0; i < 4; i++) {
		int fd = bpf_map_create(BPF_MAP_TYPE_USER_RINGBUF, "samples", 0, 0, sizes[i], NULL);

		printf("bpf_map_create, %u bytes: %s\n", sizes[i],
		       fd < 0 ? strerrorname_np(errno) : "created");
	}
	open_ring(); /* from an object that asks for 1000 bytes */
	bpf_obj_get_info_by_fd(map_fd, &info, &length);
	printf("bpf_object__load, 1000 bytes: created with %u\n", info.max_entries);
	return 0;
}
