// SPDX-License-Identifier: 0BSD
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <stdio.h>
#include "ports.skel.h"

static void send_to(struct ports_bpf *ports, unsigned char receiver)
{
	struct ethhdr packet = { .h_dest = { [ETH_ALEN - 1] = receiver } };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = &packet,
		    .data_size_in = sizeof(packet));

	if (bpf_prog_test_run_opts(bpf_program__fd(ports->progs.forward), &options))
		perror("running the program");
	printf("to %d: %s\n", receiver,
	       options.retval == XDP_REDIRECT ? "redirected" :
	       options.retval == XDP_PASS ? "passed on" : "something else");
}

int main(void)
{
	struct ports_bpf *ports = ports_bpf__open_and_load();
	__u32 receiver = 7, interface = if_nametoindex("lo");

	if (!ports)
		return 1;
	if (bpf_map_update_elem(bpf_map__fd(ports->maps.ports), &receiver, &interface, BPF_ANY)) {
		perror("adding the interface");
		return 1;
	}
	send_to(ports, 7);
	send_to(ports, 8);
	ports_bpf__destroy(ports);
	return 0;
}
