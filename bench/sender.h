/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets of random flows, through a program, in BPF test runs: the user's side of traffic.bpf.c.
 *
 * The kernel lets a program tail-call only programs of its own kind: `frags` says whether that is xdp.frags, as all of
 * ours are, or plain XDP. All functions here exit with a message when the kernel refuses.
 */
#ifndef ZW_SENDER_H
#define ZW_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/types.h>

#include "plan.h"

struct sender;

/* The packets come in by this interface. */
struct sender *sender_load(const char *interface, bool frags);
void sender_free(struct sender *sender);

/* What is sent, to be filled by the caller. Borrowed. */
struct traffic *sender_traffic(struct sender *sender);

int sender_floor(const struct sender *sender); /* programs: drops at once */
int sender_parser(const struct sender *sender); /* stage parse alone */

/* Nanoseconds of this thread's CPU time a packet. */
double sender_run(struct sender *sender, int program, int family, int packets);
/*
 * The same with live frames. What the program passes goes to the stack; -1 is no program, all goes there. The interface
 * must have a native XDP program, else the kernel refuses.
 */
double sender_run_live(struct sender *sender, int program, int family, int packets);

/* Attaches a program that passes everything, for live frames on an interface without a firewall. */
void sender_let_in(struct sender *sender);

/* Sends the handshakes of this many flows, a power of two, to this port, to a firewall; `traffic` is changed. */
void sender_open_flows(struct sender *sender, int program, int family, uint32_t flows, uint16_t port);

#endif
