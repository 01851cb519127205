// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#ifndef SIZE
#define SIZE 4096 /* clang -DSIZE=... makes another */
#endif
#ifndef FLAGS
#define FLAGS 0
#endif

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, SIZE);
} samples SEC(".maps");

static long take(struct bpf_dynptr *sample, void *context)
{
	return 0;
}

SEC("syscall")
int drain(void *context)
{
	return bpf_user_ringbuf_drain(&samples, take, NULL, FLAGS);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
