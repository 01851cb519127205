/* The smallest program of each type, without (the control) and with a call of the helper. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 1 << 16);
} ring SEC(".maps");

static long callback(struct bpf_dynptr *sample, void *context)
{
	return 0;
}

#ifdef TARGET
/* What the program of type EXT replaces. */
__attribute__((noinline)) int replaced(struct xdp_md *context)
{
	volatile int answer = XDP_PASS;

	return answer;
}

SEC("xdp")
int target(struct xdp_md *context)
{
	return replaced(context);
}
#else
SEC(SECTION)
int program(void *context)
{
#ifdef CALL
	bpf_user_ringbuf_drain(&ring, callback, (void *)0, 0);
#endif
	return 0;
}
#endif

#ifdef STRUCT_OPS
struct tcp_congestion_ops {
	void (*cong_avoid)(void *sk, __u32 ack, __u32 acked);
	char name[16];
};

SEC(".struct_ops")
struct tcp_congestion_ops operations = {
	.cong_avoid = (void *)program,
	.name = "facts",
};
#endif

char LICENSE[] SEC("license") = "GPL";
