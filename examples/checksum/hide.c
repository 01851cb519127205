// SPDX-License-Identifier: 0BSD
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <stdio.h>
#include "hide.skel.h"

struct packet {
	struct ethhdr frame;
	struct iphdr header;
} __attribute__((packed));

/* The checksum of a whole header, in which it counts as 0. */
static unsigned short checksum(struct iphdr header)
{
	unsigned short words[10];
	unsigned int sum = 0;

	header.check = 0;
	__builtin_memcpy(words, &header, sizeof(words));
	for (int i = 0; i < 10; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

int main(void)
{
	struct packet in = { .header = { .version = 4, .ihl = 5, .ttl = 64 } }, out;
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = &in, .data_size_in = sizeof(in),
		    .data_out = &out, .data_size_out = sizeof(out));
	struct hide_bpf *hide = hide_bpf__open_and_load();
	char address[INET_ADDRSTRLEN];

	in.header.saddr = inet_addr("10.1.2.3");
	in.header.check = checksum(in.header);
	if (!hide || bpf_prog_test_run_opts(bpf_program__fd(hide->progs.hide), &options) ||
	    options.retval != XDP_PASS)
		return 1;
	inet_ntop(AF_INET, &out.header.saddr, address, sizeof(address));
	printf("from %s\n", address);
	printf("the checksum has changed: %s\n", in.header.check == out.header.check ? "no" : "yes");
	printf("it is right: %s\n", out.header.check == checksum(out.header) ? "yes" : "no");
	hide_bpf__destroy(hide);
	return 0;
}
