// SPDX-License-Identifier: 0BSD
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include "coins.skel.h"

static int throw_coins(struct coins_bpf *coins, int limit)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	coins->bss->limit = limit;
	return bpf_prog_test_run_opts(bpf_program__fd(coins->progs.throw_coins), &options);
}

int main(void)
{
	struct coins_bpf *coins = coins_bpf__open_and_load();
	long heads;

	if (!coins || throw_coins(coins, 0))
		return 1;
	heads = coins->bss->heads;
	printf("%ld throws, %s heads\n", coins->bss->throws,
	       heads > 4500 && heads < 5500 ? "about half of them" : "too few or too many");

	if (throw_coins(coins, 100))
		return 1;
	printf("%d heads after %s throws\n", coins->bss->heads,
	       coins->bss->throws > 100 && coins->bss->throws < 400 ? "100 to 400" : "other");
	coins_bpf__destroy(coins);
	return 0;
}
