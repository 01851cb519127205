// SPDX-License-Identifier: MIT
/* The C loop that everything is compared with: libbpf's reserve, a store, libbpf's submit.
 *
 * Usage: produce MAP_FD DRAIN_FD DRAIN_PACKED_FD. Reads commands, answers each with nanoseconds:
 *   8 COUNT        COUNT records of 8 bytes, one a sample; likewise 16 and 64
 *   through COUNT  the same with 8 bytes, and the drain
 *   packed COUNT   COUNT samples of PACKED records of 8 bytes, and the drain
 * The first word of record i is i.
 */
#include "peer.h"

static struct user_ring_buffer *ring;

/* A record's size is known to the compiler, as in any program that sends a struct. */
#define PRODUCE(BYTES, RECORDS)								\
	struct record_##BYTES {								\
		uint64_t words[BYTES / 8];						\
	};										\
											\
	static struct record_##BYTES records_##BYTES[RECORDS];				\
											\
	static void number_##BYTES(void)						\
	{										\
		for (uint32_t i = 0; i < RECORDS; i++)					\
			records_##BYTES[i].words[0] = i;				\
	}										\
											\
	static uint64_t produce_##BYTES(uint32_t count)					\
	{										\
		uint64_t start = now_ns();						\
											\
		if (count > RECORDS)							\
			exit(2);							\
		for (uint32_t i = 0; i < count; i++) {					\
			struct record_##BYTES *sample =					\
				check(user_ring_buffer__reserve(ring, BYTES), "reserve"); \
											\
			*sample = records_##BYTES[i];					\
			user_ring_buffer__submit(ring, sample);				\
		}									\
		return now_ns() - start;						\
	}

PRODUCE(8, 1 << 20)
PRODUCE(16, 1 << 15)
PRODUCE(64, 1 << 15)

static uint64_t through(uint32_t count, int drain)
{
	uint64_t start = now_ns();

	produce_8(count);
	if ((uint32_t)test_run(drain, NULL, 0) != count)
		exit(2);
	return now_ns() - start;
}

static uint64_t packed(uint32_t count, int drain)
{
	uint64_t start = now_ns();

	for (uint32_t i = 0; i < count; i++) {
		void *sample = check(user_ring_buffer__reserve(ring, 8 * PACKED), "reserve");

		memcpy(sample, records_8 + i * PACKED, 8 * PACKED);
		user_ring_buffer__submit(ring, sample);
	}
	if ((uint32_t)test_run(drain, NULL, 0) != count * PACKED)
		exit(2);
	return now_ns() - start;
}

int main(int argc, char **argv)
{
	unsigned int count;
	char command[16], line[64];

	if (argc != 4)
		return 1;
	number_8();
	number_16();
	number_64();
	ring = check(user_ring_buffer__new(atoi(argv[1]), NULL), "user_ring_buffer__new");
	while (fgets(line, sizeof(line), stdin)) {
		uint64_t ns;

		if (sscanf(line, "%15s %u", command, &count) != 2)
			return 1;
		if (strcmp(command, "8") == 0)
			ns = produce_8(count);
		else if (strcmp(command, "16") == 0)
			ns = produce_16(count);
		else if (strcmp(command, "64") == 0)
			ns = produce_64(count);
		else if (strcmp(command, "through") == 0)
			ns = through(count, atoi(argv[2]));
		else if (strcmp(command, "packed") == 0)
			ns = packed(count, atoi(argv[3]));
		else
			return 1;
		printf("%llu\n", (unsigned long long)ns);
		fflush(stdout);
	}
	user_ring_buffer__free(ring);
	return 0;
}
