// SPDX-License-Identifier: 0BSD
#include <bpf/bpf.h>
#include <stdio.h>

#include "count.skel.h"

static void send_packet(struct count_bpf *skeleton, __u32 length)
{
	static char packet[100];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = length);

	if (bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.count), &run))
		perror("running the program");
	printf("a packet of %u bytes: %s\n", length,
	       run.retval == XDP_PASS ? "counted" : "too small");
}

int main(void)
{
	struct count_bpf *skeleton = count_bpf__open();
	__u32 key = 0;
	__u64 value = 0;

	if (!skeleton)
		return 1;
	skeleton->rodata->smallest = 60;
	if (count_bpf__load(skeleton))
		return 1;

	send_packet(skeleton, 59);
	send_packet(skeleton, 60);
	send_packet(skeleton, 100);
	if (bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.packets), &key, &value))
		return 1;
	printf("%llu packets, %llu bytes\n", value, skeleton->bss->bytes);
	count_bpf__destroy(skeleton);
	return 0;
}
