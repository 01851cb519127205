// SPDX-License-Identifier: 0BSD
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} questions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} answers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __s32);	/* an error, or 0 */
	__type(value, __u64);	/* how many answers had it */
} outcomes SEC(".maps");

struct question {
	__u32 id;
	__u64 number;
};

struct answer {
	__u32 id;
	__s32 error;
	__u64 root;
};

const volatile __u64 largest = 1000;
__u64 questions_taken;

static void count(__s32 error)
{
	__u64 one = 1, *value = bpf_map_lookup_elem(&outcomes, &error);

	if (value)
		*value += 1;
	else
		bpf_map_update_elem(&outcomes, &error, &one, BPF_ANY);
}

static long answer(struct bpf_dynptr *sample, void *context)
{
	struct question question;
	struct answer answer = {};

	if (bpf_dynptr_read(&question, sizeof(question), sample, 0, 0))
		return 0; /* shorter than a question */
	answer.id = question.id;
	if (question.number > largest)
		answer.error = -ERANGE;
	else /* bit by bit: BPF has no floating point */
		for (int bit = 15; bit >= 0; bit--) {
			__u64 root = answer.root | 1 << bit;

			if (root * root <= question.number)
				answer.root = root;
		}
	count(answer.error);
	questions_taken++;
	return bpf_ringbuf_output(&answers, &answer, sizeof(answer), 0) ? 1 : 0;
}

SEC("syscall")
int serve(void *context)
{
	return bpf_user_ringbuf_drain(&questions, answer, NULL, 0);
}

/* Puts the layouts into the object, where Python finds them. */
const struct question *question_layout __attribute__((unused));
const struct answer *answer_layout __attribute__((unused));

char LICENSE[] SEC("license") = "Dual MIT/GPL";
