// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char message[24], end[4];
unsigned int name_size; /* a size that the verifier does not know */
char name[16];
int beyond;

SEC("syscall")
int write_message(void *ctx)
{
	static const char greeting[] = "hello, ";
	struct bpf_dynptr place;
	unsigned int size = name_size;
	char *first;

	if (size > sizeof(name) || bpf_dynptr_from_mem(message, sizeof(message), 0, &place))
		return 1;
	if (bpf_dynptr_write(&place, 0, (void *)greeting, sizeof(greeting) - 1, 0) ||
	    bpf_dynptr_write(&place, sizeof(greeting) - 1, name, size, 0))
		return 1;
	first = bpf_dynptr_data(&place, 0, 1);
	if (!first)
		return 1;
	*first = 'H'; /* in place, without a copy */
	if (bpf_dynptr_read(end, sizeof(end), &place, sizeof(greeting) - 1, 0))
		return 1;
	beyond = bpf_dynptr_read(end, sizeof(end), &place, sizeof(message) - 2, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
