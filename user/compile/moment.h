/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tables of a policy as it is at one time: what enforced rules say that have not ended then, as if the others had no end.
 * For questions about all packets, which are asked of each moment (policy/moments.h).
 */
#ifndef ZW_COMPILE_MOMENT_H
#define ZW_COMPILE_MOMENT_H

#include "compile/tables.h"

/* The policy is resolved. Rules have the numbers and names that they have in the tables of the whole. As compile_policy(). */
int compile_moment(const struct policy *policy, int64_t time, struct diag *diag, struct tables **ret_tables);

#endif
