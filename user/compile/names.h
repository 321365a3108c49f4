/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Making the names of a policy; tables.h has what reads them. The block's layout stands in names.c.
 */
#ifndef ZW_COMPILE_NAMES_H
#define ZW_COMPILE_NAMES_H

#include "compile/atoms.h"
#include "compile/origins.h"
#include "compile/tables.h"

/* order: see rules_order. 0, -ENOMEM, -E2BIG (more than 4 GiB of text). */
int names_make(const struct policy *policy, const uint32_t *order, const struct atoms *atoms,
	       const struct origins *origins, const struct diag *diag, struct names **ret_names);

#endif
