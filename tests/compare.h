/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random policies and packets: oracle = tables = kernel, on XDP, TC ingress and TC egress, IPv4 and IPv6: the same
 * verdict, reason, rule and zones (design section 12). A disagreement prints its seed and shrinks itself.
 *
 *   random [--seed N] [--policies N] [--packets N] [--odd PERCENT] [--stateful] [--no-kernel] [--jobs N]
 *
 * The policy number i of seed s is the only policy of seed s + i, so what a failure prints runs alone. Loading takes
 * nearly all of the time, so of the two TC programs each policy without flows is loaded into one, in turn.
 */
#ifndef ZW_COMPARE_H
#define ZW_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

struct compare_settings {
	uint64_t seed;
	unsigned policies, packets; /* packets under each policy */
	unsigned odd; /* percent of packets that are bent in some way */
	unsigned jobs; /* 0: as many as there are processors */
	bool stateful; /* conversations, whose packets leave flows; else each packet alone */
	bool kernel;
};

/* The whole test program: options from the command line, over these. Returns its exit status. */
int compare_main(int argc, char **argv, const struct compare_settings *defaults);

#endif
