// SPDX-License-Identifier: MIT
/* What helpers return when they are called in another way than the examples do. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define CALL(name, expression)                      \
	SEC("syscall") int name(void *context)      \
	{                                           \
		return expression;                  \
	}

char memory[16], bytes[8], cut[4];

static long stop_at_third(__u32 index, void *context)
{
	return index == 2;
}

CALL(loop, bpf_loop(10, stop_at_third, NULL, 0))
CALL(loop_flags, bpf_loop(10, stop_at_third, NULL, 1))
CALL(loop_limit, bpf_loop(1 << 23, stop_at_third, NULL, 0))
CALL(loop_beyond, bpf_loop((1 << 23) + 1, stop_at_third, NULL, 0))

static long make(struct bpf_dynptr *place, __u64 flags)
{
	return bpf_dynptr_from_mem(memory, sizeof(memory), flags, place);
}

#define WITH_DYNPTR(name, flags, expression)        \
	SEC("syscall") int name(void *context)      \
	{                                           \
		struct bpf_dynptr place;            \
                                                    \
		make(&place, flags);                \
		return expression;                  \
	}

WITH_DYNPTR(read, 0, bpf_dynptr_read(bytes, 8, &place, 8, 0))
WITH_DYNPTR(read_beyond, 0, bpf_dynptr_read(bytes, 8, &place, 9, 0))
WITH_DYNPTR(read_flags, 0, bpf_dynptr_read(bytes, 8, &place, 0, 1))
WITH_DYNPTR(read_invalid, 1, bpf_dynptr_read(bytes, 8, &place, 0, 0))
WITH_DYNPTR(write, 0, bpf_dynptr_write(&place, 8, bytes, 8, 0))
WITH_DYNPTR(write_beyond, 0, bpf_dynptr_write(&place, 9, bytes, 8, 0))
WITH_DYNPTR(write_flags, 0, bpf_dynptr_write(&place, 0, bytes, 8, 1))
WITH_DYNPTR(write_invalid, 1, bpf_dynptr_write(&place, 0, bytes, 8, 0))
WITH_DYNPTR(data, 0, bpf_dynptr_data(&place, 8, 8) != NULL)
WITH_DYNPTR(data_beyond, 0, bpf_dynptr_data(&place, 9, 8) != NULL)
WITH_DYNPTR(data_invalid, 1, bpf_dynptr_data(&place, 0, 8) != NULL)

SEC("syscall")
int text(void *context)
{
	static const char format[] = "%d";
	__u64 value = 123456;

	return bpf_snprintf(cut, sizeof(cut), format, &value, sizeof(value));
}

SEC("syscall")
int text_without_room(void *context)
{
	static const char format[] = "%d";
	__u64 value = 123456;

	return bpf_snprintf(NULL, 0, format, &value, sizeof(value));
}

#ifdef FORMAT_WITHOUT_VALUE
SEC("syscall")
int refused(void *context)
{
	static const char format[] = "%d %d";
	__u64 value = 1;

	return bpf_snprintf(cut, sizeof(cut), format, &value, sizeof(value));
}
#endif

char LICENSE[] SEC("license") = "GPL";
