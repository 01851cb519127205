// SPDX-License-Identifier: 0BSD
#include <bpf/libbpf.h>
#include <stdio.h>

int main(void)
{
	struct bpf_object *object = bpf_object__open_file("look.bpf.o", NULL);
	struct bpf_program *program;
	struct bpf_map *map;

	if (!object) {
		perror("look.bpf.o");
		return 1;
	}
	program = bpf_object__next_program(object, NULL);
	while (program) {
		printf("program %s in section %s, of the type %s\n", bpf_program__name(program),
		       bpf_program__section_name(program),
		       libbpf_bpf_prog_type_str(bpf_program__type(program)));
		program = bpf_object__next_program(object, program);
	}
	bpf_object__for_each_map(map, object)
		printf("map %s, with room for %u values of %u bytes\n", bpf_map__name(map),
		       bpf_map__max_entries(map), bpf_map__value_size(map));

	bpf_object__close(object);
	return 0;
}
