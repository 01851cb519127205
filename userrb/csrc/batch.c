/* SPDX-License-Identifier: MIT */
/* Many samples, published by one store of the producer position.
 *
 * The kernel reads no header beyond the producer position, so the headers of a batch need no busy
 * bit and no atomic operation: they and the payloads are plain stores before one release store.
 * libbpf keeps no position of its own, so its reserve goes on from there.
 */
#include "core.h"

#include <errno.h>
#include <string.h>

struct header {
	uint32_t length;
	uint32_t unused;
};

/* Wherever a view begins, and read once: another thread may write to them meanwhile. */
typedef volatile int32_t __attribute__((aligned(1), may_alias)) offset32;
typedef volatile int64_t __attribute__((aligned(1), may_alias)) offset64;

int64_t batch_offset(const struct batch *batch, uint64_t i)
{
	if (batch->offset_width == 4)
		return ((const offset32 *)batch->offsets)[i];
	return ((const offset64 *)batch->offsets)[i];
}

static inline __attribute__((always_inline)) void
put(uint8_t *to, const uint8_t *from, uint32_t size)
{
	struct header header = { .length = size };

	memcpy(to, &header, sizeof(header));
	memcpy(to + sizeof(header), from, size);
}

static inline __attribute__((always_inline)) void
put_all(uint8_t *to, const uint8_t *from, uint32_t size, uint64_t count)
{
	uint64_t i, room = ring_room(size);

	for (i = 0; i < count; i++)
		put(to + i * room, from + i * (uint64_t)size, size);
}

static uint64_t submit_fixed(struct batch *batch, uint8_t *to, uint64_t free_bytes)
{
	const uint8_t *from = batch->data + batch->done * batch->size;
	uint64_t count = free_bytes / ring_room(batch->size);

	if (count > batch->count - batch->done)
		count = batch->count - batch->done;
	switch (batch->size) {
	/* Sizes known to the compiler become plain moves. */
	case 8: put_all(to, from, 8, count); break;
	case 16: put_all(to, from, 16, count); break;
	case 24: put_all(to, from, 24, count); break;
	case 32: put_all(to, from, 32, count); break;
	case 64: put_all(to, from, 64, count); break;
	default: put_all(to, from, batch->size, count);
	}
	batch->done += count;
	return count * ring_room(batch->size);
}

/* Returns false at a record whose offsets are none: changed since the check, or never checked. */
static bool submit_variable(struct batch *batch, uint8_t *to, uint64_t free_bytes, int64_t largest,
			    uint64_t *written)
{
	while (batch->done < batch->count) {
		int64_t start = batch_offset(batch, batch->done);
		int64_t end = batch_offset(batch, batch->done + 1);

		if (start < 0 || end < start || end > batch->length || end - start > largest)
			return false;
		if (*written + ring_room(end - start) > free_bytes)
			break;
		put(to + *written, batch->data + start, end - start);
		*written += ring_room(end - start);
		batch->done++;
	}
	return true;
}

int batch_attempt(struct ring *ring, struct attempt *attempt)
{
	struct batch *batch = (struct batch *)attempt;
	uint64_t consumed = atomic_load_explicit(ring->consumer_pos, memory_order_acquire);
	uint64_t produced = atomic_load_explicit(ring->producer_pos, memory_order_relaxed);
	uint64_t used = produced - consumed, written = 0;
	/* More than there can be: a producer of another library's, without the lock. */
	uint64_t free_bytes = used < ring->size ? ring->size - used : 0;
	uint8_t *to = ring->data + (produced & (ring->size - 1));
	bool valid = true;

	if (batch->offsets)
		valid = submit_variable(batch, to, free_bytes, ring_largest(ring), &written);
	else
		written = submit_fixed(batch, to, free_bytes);
	atomic_store_explicit(ring->producer_pos, produced + written, memory_order_release);
	if (!valid)
		return EINVAL;
	return batch->done == batch->count ? 0 : EAGAIN;
}
