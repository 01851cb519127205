// SPDX-License-Identifier: 0BSD
#define _GNU_SOURCE
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void show_members(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);
	const struct btf_type *type;
	const struct btf_member *members;

	if (id < 0) {
		printf("struct %s: %s\n", name, strerrorname_np(-id));
		return;
	}
	type = btf__type_by_id(btf, id);
	members = btf_members(type);
	printf("struct %s: %u bytes\n", name, type->size);
	for (int i = 0; i < btf_vlen(type); i++)
		printf("  %s at byte %u\n", btf__name_by_offset(btf, members[i].name_off),
		       btf_member_bit_offset(type, i) / 8);
}

int main(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int id;

	if (!btf) {
		perror("the kernel's types");
		return 1;
	}
	show_members(btf, "list_head");
	show_members(btf, "bpf_prog_put"); /* a function, no structure */

	id = btf__find_by_name(btf, "bpf_prog_put");
	if (id >= 0)
		printf("bpf_prog_put: %s\n", btf_is_func(btf__type_by_id(btf, id)) ? "a function" : "");
	btf__free(btf);
	return 0;
}
