// SPDX-License-Identifier: MIT
/* What the tests drain with: by flag, and with a digest that order and content decide. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 1 << 20);
} roomy SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} other SEC(".maps");

static long count(struct bpf_dynptr *sample, void *context)
{
	return 0;
}

static long digest(struct bpf_dynptr *sample, void *context)
{
	__u32 *sum = context;
	__u64 value;

	if (bpf_dynptr_read(&value, sizeof(value), sample, 0, 0) == 0)
		*sum = *sum * 31 + value;
	return 0;
}

SEC("syscall")
int drain(void *context)
{
	return bpf_user_ringbuf_drain(&samples, count, NULL, 0);
}

SEC("syscall")
int drain_no_wakeup(void *context)
{
	return bpf_user_ringbuf_drain(&samples, count, NULL, BPF_RB_NO_WAKEUP);
}

SEC("syscall")
int drain_force_wakeup(void *context)
{
	return bpf_user_ringbuf_drain(&samples, count, NULL, BPF_RB_FORCE_WAKEUP);
}

SEC("syscall")
int drain_digest(void *context)
{
	__u32 sum = 0;

	bpf_user_ringbuf_drain(&samples, digest, &sum, 0);
	return sum;
}

SEC("syscall")
int drain_roomy(void *context)
{
	return bpf_user_ringbuf_drain(&roomy, count, NULL, 0);
}

SEC("syscall")
int drain_roomy_digest(void *context)
{
	__u32 sum = 0;

	bpf_user_ringbuf_drain(&roomy, digest, &sum, 0);
	return sum;
}

/* The length that the callback sees, of the last sample drained. */
static long length(struct bpf_dynptr *sample, void *context)
{
	__u32 *last = context, at;
	__u8 byte;

	*last = 0;
	for (at = 0; at < 256; at++)
		if (bpf_dynptr_read(&byte, 1, sample, at, 0) == 0)
			*last = at + 1;
	return 0;
}

SEC("syscall")
int drain_length(void *context)
{
	__u32 last = -1;

	bpf_user_ringbuf_drain(&samples, length, &last, 0);
	return last;
}

struct tally {
	__u64 samples, sum, squares;
};

static long add_to_tally(struct bpf_dynptr *sample, void *context)
{
	struct tally *tally = context;
	__u64 value;

	if (bpf_dynptr_read(&value, sizeof(value), sample, 0, 0) == 0) {
		tally->samples++;
		tally->sum += value;
		tally->squares += value * value;
	}
	return 0;
}

/* Answers in its context: how many samples, and which, as far as two sums can tell. */
SEC("syscall")
int drain_tally(struct tally *context)
{
	struct tally tally = {};

	bpf_user_ringbuf_drain(&roomy, add_to_tally, &tally, 0);
	*context = tally;
	return 0;
}

/* Drained by an event instead of a test run: somewhere a task is born. */
SEC("raw_tp/task_newtask")
int drain_on_fork(void *context)
{
	const __u32 zero = 0;
	__u64 *drained = bpf_map_lookup_elem(&other, &zero);

	if (drained)
		__sync_fetch_and_add(drained, bpf_user_ringbuf_drain(&samples, count, NULL, 0));
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* For Struct's docstring and test_layout.py: a record with padding. */
struct event {
	__u8 kind;
	__u32 pid;
	char name[16];
	__u64 when;
	__u16 ports[3];
};

/* Everything else that test_layout.py reads. */
enum colour { RED, GREEN = 1 << 30 };

struct point {
	__s16 x, y;
};

struct everything {
	_Bool flag;
	__s8 small;
	__s64 large;
	enum colour colour;
	struct point points[2];
	__u32 matrix[2][3];
	char names[2][4];
	union {
		__u32 word;
		__u8 bytes[4];
	};
	struct {
		__u16 inner;
	} named;
	void *pointer;
	const volatile __u32 qualified;
	__u32 low : 3, high : 29;
	__s32 negative : 5;
	__u8 tail[];
};

/* Bit-fields that share a byte with others, or lie across the bounds of their type. */
struct flags {
	_Bool first : 1, second : 1, third : 1;
};

struct __attribute__((packed)) packed {
	__u8 before : 3;
	__u32 across : 30;
	__s32 last : 7;
};

/* Members without a size. */
struct nothing {};

struct sizeless {
	__u32 self;
	struct nothing none, many[2];
	char lines[0][16];
	__u32 table[2][0];
	struct point points[0];
	char text[];
};

/* Types of local variables are not in the BTF; types of global ones are. */
const struct event *event_layout __attribute__((unused));
const struct everything *everything_layout __attribute__((unused));
const struct sizeless *sizeless_layout __attribute__((unused));
const struct flags *flags_layout __attribute__((unused));
const struct packed *packed_layout __attribute__((unused));

static long check_event(struct bpf_dynptr *sample, void *context)
{
	__u32 *sum = context;
	struct event event;

	if (bpf_dynptr_read(&event, sizeof(event), sample, 0, 0) == 0)
		*sum += event.kind + event.pid + event.name[1] + event.when + event.ports[2];
	return 0;
}

SEC("syscall")
int drain_events(void *context)
{
	__u32 sum = 0;

	bpf_user_ringbuf_drain(&samples, check_event, &sum, 0);
	return sum;
}

/* For the docstrings of RingBuffer: two answers, of 8 and of 3 bytes. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} answers SEC(".maps");

SEC("syscall")
int answer(void *context)
{
	char text[] = "12345678", word[] = "abc";

	bpf_ringbuf_output(&answers, text, 8, 0);
	bpf_ringbuf_output(&answers, word, 3, 0);
	return 0;
}
