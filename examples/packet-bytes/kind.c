// SPDX-License-Identifier: 0BSD
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <stddef.h>
#include <stdio.h>
#include "kind.skel.h"

static void run(struct kind_bpf *skeleton, struct bpf_program *program, __u32 at, __u32 passed)
{
	struct ethhdr packet[2] = { { .h_proto = htons(ETH_P_ARP) } };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet,
		    .data_size_in = sizeof(packet));

	skeleton->bss->at = at;
	if (bpf_prog_test_run_opts(bpf_program__fd(program), &options))
		perror("running the program");
	else if (options.retval == passed)
		printf("%s, at %u: %#x\n", bpf_program__name(program), at,
		       ntohs(skeleton->bss->kind));
	else
		printf("%s, at %u: too short\n", bpf_program__name(program), at);
}

int main(void)
{
	struct kind_bpf *skeleton = kind_bpf__open_and_load();
	__u32 at = offsetof(struct ethhdr, h_proto);

	if (!skeleton)
		return 1;
	run(skeleton, skeleton->progs.of_skb, at, TC_ACT_OK);
	run(skeleton, skeleton->progs.of_xdp, at, XDP_PASS);
	run(skeleton, skeleton->progs.of_skb, 27, TC_ACT_OK);
	run(skeleton, skeleton->progs.of_xdp, 27, XDP_PASS);
	kind_bpf__destroy(skeleton);
	return 0;
}
