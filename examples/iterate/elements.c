// SPDX-License-Identifier: 0BSD
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <unistd.h>
#include "elements.skel.h"

/* Runs an iterator over the map, and reads what it writes; returns the bytes. */
static int iterate(const struct bpf_program *program, int map, void *buffer, size_t room)
{
	union bpf_iter_link_info info = { .map.map_fd = map };
	LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info,
		    .link_info_len = sizeof(info));
	struct bpf_link *link = bpf_program__attach_iter(program, &options);
	int file = link ? bpf_iter_create(bpf_link__fd(link)) : -1;
	int size = file < 0 ? -1 : read(file, buffer, room);

	close(file);
	bpf_link__destroy(link);
	return size;
}

int main(void)
{
	struct elements_bpf *elements = elements_bpf__open_and_load();
	char text[200];
	__u64 numbers[4];
	int map, size;

	if (!elements)
		return 1;
	map = bpf_map__fd(elements->maps.squares);
	for (__u32 key = 0; key < 4; key++) {
		__u64 value = key * key;

		bpf_map_update_elem(map, &key, &value, BPF_ANY);
	}
	size = iterate(elements->progs.as_text, map, text, sizeof(text));
	printf("%.*s", size > 0 ? size : 0, text);
	size = iterate(elements->progs.as_numbers, map, numbers, sizeof(numbers));
	for (int i = 0; i < size / (int)sizeof(*numbers); i++)
		printf("a square above 1: %llu\n", numbers[i]);
	elements_bpf__destroy(elements);
	return 0;
}
