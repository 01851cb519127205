// SPDX-License-Identifier: 0BSD
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* return packet->data_end - packet->data; */
static const struct bpf_insn length[] = {
	{.code = BPF_LDX | BPF_MEM | BPF_W,
	 .dst_reg = BPF_REG_0,
	 .src_reg = BPF_REG_1,
	 .off = offsetof(struct xdp_md, data_end)},
	{.code = BPF_LDX | BPF_MEM | BPF_W,
	 .dst_reg = BPF_REG_2,
	 .src_reg = BPF_REG_1,
	 .off = offsetof(struct xdp_md, data)},
	{.code = BPF_ALU64 | BPF_SUB | BPF_X, .dst_reg = BPF_REG_0, .src_reg = BPF_REG_2},
	{.code = BPF_JMP | BPF_EXIT},
};

static int load(const struct bpf_insn *instructions, size_t count)
{
	static char log[4096];
	LIBBPF_OPTS(bpf_prog_load_opts, options, .log_buf = log, .log_size = sizeof(log),
		    .log_level = 1);
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "length", "Dual MIT/GPL", instructions, count,
			       &options);

	if (fd < 0)
		printf("%s, and the verifier says: %s\n", strerrorname_np(errno),
		       strstr(log, "R0 !read_ok") ? "R0 !read_ok" : log);
	return fd;
}

int main(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = "a packet of 20 bytes", .data_size_in = 20);
	int fd;

	load(length + 3, 1); /* only the exit: nothing has set R0, the result */
	fd = load(length, 4);
	if (fd < 0 || bpf_prog_test_run_opts(fd, &run))
		return 1;
	printf("the program returns %u\n", run.retval);
	close(fd);
	return 0;
}
