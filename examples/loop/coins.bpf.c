// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int limit; /* of heads; 0 is none */
int heads;
long throws;

/* Called for each round of the loop; returns 0 to continue, 1 to stop. */
static long throw_coin(__u32 round, int *found)
{
	*found += bpf_get_prandom_u32() & 1;
	return limit && *found == limit;
}

SEC("syscall")
int throw_coins(void *ctx)
{
	int found = 0;

	throws = bpf_loop(10000, throw_coin, &found, 0);
	heads = found;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
