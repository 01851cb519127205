// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include "request.h"

#define ANSWERS_SIZE 4096

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} requests SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, ANSWERS_SIZE);
} answers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __s64);
} accounts SEC(".maps");

/* Whether one more answer and its header find room. */
static int room(void)
{
	return bpf_ringbuf_query(&answers, BPF_RB_AVAIL_DATA) + sizeof(struct answer) + 8 <
	       ANSWERS_SIZE;
}

static long serve_one(struct bpf_dynptr *sample, void *context)
{
	struct request request;
	struct answer *answer;
	__s64 *balance;

	if (bpf_dynptr_read(&request, sizeof(request), sample, 0, 0))
		return 0; /* shorter than a request */
	answer = bpf_ringbuf_reserve(&answers, sizeof(*answer), 0);
	if (!answer)
		return 1; /* never happens: there was room */
	balance = bpf_map_lookup_elem(&accounts, &request.account);
	if (balance)
		*balance += request.amount;
	answer->id = request.id;
	answer->error = balance ? 0 : ENOENT;
	answer->balance = balance ? *balance : 0;
	bpf_ringbuf_submit(answer, 0);
	return room() ? 0 : 1;
}

SEC("syscall")
int serve(void *context)
{
	return room() ? bpf_user_ringbuf_drain(&requests, serve_one, NULL, 0) : 0;
}

/* Puts the layouts into the object, where Python finds them. */
const struct request *request_layout __attribute__((unused));
const struct answer *answer_layout __attribute__((unused));

char LICENSE[] SEC("license") = "Dual MIT/GPL";
