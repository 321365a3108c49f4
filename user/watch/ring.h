/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The consumer's side of a BPF ring buffer (include/uapi/linux/bpf.h: BPF_RINGBUF_..., kernel/bpf/ringbuf.c).
 *
 * libbpf has one too; this one can also look without consuming, and consumes in batches: the position moves only when
 * the caller says so, so that a killed reader's successor sees again what was not handed on.
 */
#ifndef ZW_RING_H
#define ZW_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
	volatile unsigned long *consumer; /* position; written only by ring_release */
	const volatile unsigned long *producer;
	const uint8_t *data; /* size bytes, mapped twice in a row: a record is never split */
	size_t size; /* a power of two */
	void *mapped[2]; /* consumer's page; producer's page and data */
};

/* Maps a ring buffer map. consume: with the right to move the consumer's position. 0 or -errno. */
int ring_map(int fd, bool consume, struct ring *ret_ring);
void ring_unmap(struct ring *ring);

unsigned long ring_consumed(const struct ring *ring);
unsigned long ring_produced(const struct ring *ring);

/*
 * The record at *position, which moves behind it: 1, ret_data (valid until ring_release goes past it) and ret_len;
 * discarded records are skipped. 0: there is none before `end`, or *position stands before one that is being written.
 */
int ring_next(const struct ring *ring, unsigned long *position, unsigned long end, const void **ret_data,
	      size_t *ret_len);

/* Gives everything before position back to the writers. */
void ring_release(struct ring *ring, unsigned long position);

#endif
