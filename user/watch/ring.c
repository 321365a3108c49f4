// SPDX-License-Identifier: GPL-2.0-only
#include "watch/ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HEADER_LEN 8

static int max_entries(int fd, size_t *ret_size)
{
	struct bpf_map_info info = { 0 };
	union bpf_attr attr = {
		.info = { .bpf_fd = fd, .info_len = sizeof(info), .info = (uintptr_t)&info },
	};

	if (syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr.info)))
		return -errno;
	if (info.type != BPF_MAP_TYPE_RINGBUF)
		return -EPROTO;
	*ret_size = info.max_entries;
	return 0;
}

int ring_map(int fd, bool consume, struct ring *ret_ring)
{
	size_t page = sysconf(_SC_PAGESIZE), size = 0;
	struct ring ring;
	int r;

	r = max_entries(fd, &size);
	if (r)
		return r;
	ring.mapped[0] = mmap(NULL, page, PROT_READ | (consume ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
	if (ring.mapped[0] == MAP_FAILED)
		return -errno;
	ring.mapped[1] = mmap(NULL, page + 2 * size, PROT_READ, MAP_SHARED, fd, page);
	if (ring.mapped[1] == MAP_FAILED) {
		r = -errno;
		munmap(ring.mapped[0], page);
		return r;
	}
	ring.consumer = ring.mapped[0];
	ring.producer = ring.mapped[1];
	ring.data = (const uint8_t *)ring.mapped[1] + page;
	ring.size = size;
	*ret_ring = ring;
	return 0;
}

void ring_unmap(struct ring *ring)
{
	size_t page = sysconf(_SC_PAGESIZE);

	if (ring->mapped[0])
		munmap(ring->mapped[0], page);
	if (ring->mapped[1])
		munmap(ring->mapped[1], page + 2 * ring->size);
	*ring = (struct ring){ 0 };
}

unsigned long ring_consumed(const struct ring *ring)
{
	return __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
}

unsigned long ring_produced(const struct ring *ring)
{
	return __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
}

int ring_next(const struct ring *ring, unsigned long *position, unsigned long end, const void **ret_data,
	      size_t *ret_len)
{
	const uint8_t *record;
	uint32_t header, len;

	while ((long)(end - *position) > 0) {
		record = ring->data + (*position & (ring->size - 1));
		header = __atomic_load_n((const uint32_t *)record, __ATOMIC_ACQUIRE);
		if (header & BPF_RINGBUF_BUSY_BIT)
			return 0;
		len = header & ~BPF_RINGBUF_DISCARD_BIT;
		if (len > ring->size - HEADER_LEN)
			return 0; /* only when looking without consuming: the writers have come round */
		*position += (len + HEADER_LEN + 7) & ~7ul;
		if (header & BPF_RINGBUF_DISCARD_BIT)
			continue;
		*ret_data = record + HEADER_LEN;
		*ret_len = len;
		return 1;
	}
	return 0;
}

/*
 * Sequentially consistent, because the kernel wakes us only if it finds the position at its own record: our store must
 * not be seen after our next look at the producer's position.
 */
void ring_release(struct ring *ring, unsigned long position)
{
	__atomic_store_n(ring->consumer, position, __ATOMIC_SEQ_CST);
}
