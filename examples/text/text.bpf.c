// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char line[40], start[8];
long size, size_of_start;

SEC("syscall")
int write_line(void *ctx)
{
	static const char format[] = "%s from %pI4, %d%% done";
	static const char name[] = "backup";
	__u8 address[] = { 192, 0, 2, 7 };
	__u64 values[] = { (long)name, (long)address, 75 };

	size = bpf_snprintf(line, sizeof(line), format, values, sizeof(values));
	size_of_start = bpf_snprintf(start, sizeof(start), format, values, sizeof(values));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
