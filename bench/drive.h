/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Drives programs with packets of random flows: the generator (traffic.bpf.c) in BPF test runs. All functions exit
 * with a message if the kernel refuses.
 */
#ifndef ZW_DRIVE_H
#define ZW_DRIVE_H

#include <stdint.h>

#include <linux/types.h>

#include "plan.h"

#define TCP_SYN 0x02
#define TCP_ACK 0x10

/* Which packets, and where they seem to enter. */
struct packets {
	struct traffic traffic;
	int family; /* 4, 6 */
	unsigned ifindex; /* 0: of none */
};

/* A generator; its state is its own, so that each thread can have one. */
struct drive;
struct drive *drive_new(void);
void drive_free(struct drive *drive);

/* Programs beside it. Descriptors, borrowed. */
int drive_floor(const struct drive *drive); /* drops at once */
int drive_parser(const struct drive *drive); /* drops after stage parse */

/* The list that listed flows are taken from: 2 * PLAN_LISTED numbers. */
uint32_t *drive_listed(struct drive *drive);

uint64_t drive_thread_ns(void); /* this thread's CPU time */

/* Nanoseconds of that a packet, through the generator into the program. */
double drive_run(struct drive *drive, int program, const struct packets *packets, int count);

#endif
