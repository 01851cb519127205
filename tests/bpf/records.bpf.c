// SPDX-License-Identifier: MIT
/* For test_fields.py: structs whose names, types or sizes are out of the ordinary. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* Names that Python or userrb may want for itself. */
struct names {
	__u32 _struct, _offset, _buffer, _field, class, self, len, record, _record, __class__, fields;
};

enum verdict { PASS, DROP, FAILED = -5 };
enum flag { LOWEST, HIGHEST = 0x80000000 };

struct judged {
	enum verdict verdict;
	enum flag flag;
	enum verdict verdicts[2];
};

struct number {
	__u16 small;
	__s64 wide;
	float real;
	__u32 row[3];
	__u8 matrix[2][3];
	char text[4];
};

struct inner {
	__u8 kind;
	__u32 value;
};

struct outer {
	__u32 before;
	struct inner one;
	struct inner many[2];
	__u32 after;
};

typedef struct {
	__u16 x, y;
} place_t;

typedef struct inner inner_t;

struct road {
	place_t from, to;
};

struct message {
	__u64 id;
	__u32 count;
	__u16 words[];
};

struct text {
	__u32 length;
	char content[];
};

struct points {
	__u32 count;
	place_t places[];
};

/* A flexible struct in another: what stands behind it is not its own. */
struct framed {
	struct text text;
	__u32 checksum;
};

const struct names *names_layout __attribute__((unused));
const struct judged *judged_layout __attribute__((unused));
const struct number *number_layout __attribute__((unused));
const struct outer *outer_layout __attribute__((unused));
const inner_t *inner_layout __attribute__((unused));
const struct road *road_layout __attribute__((unused));
const struct message *message_layout __attribute__((unused));
const struct text *text_layout __attribute__((unused));
const struct points *points_layout __attribute__((unused));
const struct framed *framed_layout __attribute__((unused));

char LICENSE[] SEC("license") = "Dual MIT/GPL";
