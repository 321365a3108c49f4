/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets of random flows as live frames of BPF test run: what the program under test passes goes up the stack, as if
 * it had come in by an interface. All functions exit with a message if the kernel refuses.
 *
 * The kernel lets a program tail-call only programs of its own kind: `frags` says whether that is xdp.frags, as all of
 * ours are, or plain XDP. After a sender of plain XDP the process can load no other kind.
 */
#ifndef ZW_SENDER_H
#define ZW_SENDER_H

#include <stdbool.h>

#include "bench/drive.h"

struct sender;

/* The interface that the frames come in by. It must have a native XDP program when they do, else the kernel refuses. */
struct sender *sender_new(const char *interface, bool frags);

/* Attaches a program that passes everything, for an interface without a firewall. */
void sender_let_in(struct sender *sender);

int sender_floor(const struct sender *sender); /* a program that drops at once; borrowed */

/*
 * Nanoseconds of this thread's CPU time a frame, through the generator into the program and whatever follows. Program
 * -1 is none: all frames go up the stack. Of the packets, what says by which interface they enter is not looked at.
 */
double sender_run(struct sender *sender, int program, const struct packets *packets, int count);

#endif
