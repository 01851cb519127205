/* SPDX-License-Identifier: 0BSD */
/* What both sides agree on. */
struct request {
	__u32 id;
	__u32 account;
	__s64 amount;
};

struct answer {
	__u32 id;
	__s32 error;
	__s64 balance;
};
