/* SPDX-License-Identifier: GPL-2.0-only */
/* A policy that is staged beside the one that decides (`apply --stage`, compile/candidate.h). */
#ifndef ZW_STAGE_H
#define ZW_STAGE_H

#include "cmd/published.h"

/*
 * Makes a publication of the policy that decides now, with the candidate's second decision, of the candidate's (its policy,
 * resolved, and diag are used, nothing of it is taken). Returns an exit status, having told what is wrong.
 */
int stage_compile(const struct globals *globals, struct publication *candidate, uint64_t budget_bytes,
		  struct publication *ret_publication);

#endif
