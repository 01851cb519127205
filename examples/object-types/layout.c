// SPDX-License-Identifier: 0BSD
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdio.h>

int main(void)
{
	struct bpf_object *object = bpf_object__open_file("layout.bpf.o", NULL);
	const struct btf *btf;

	if (!object)
		return 1;
	btf = bpf_object__btf(object);
	if (!btf)
		return 1;

	for (__u32 id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		const struct btf_member *member = btf_members(type);

		if (!btf_is_struct(type) || !type->name_off)
			continue; /* the map's definition is a structure without a name */
		printf("struct %s, %u bytes\n", btf__name_by_offset(btf, type->name_off),
		       type->size);
		for (int i = 0; i < btf_vlen(type); i++)
			printf("  %2u %s, %lld bytes\n", btf_member_bit_offset(type, i) / 8,
			       btf__name_by_offset(btf, member[i].name_off),
			       btf__resolve_size(btf, member[i].type));
	}
	bpf_object__close(object); /* and the BTF with it */
	return 0;
}
