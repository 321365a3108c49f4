/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shadowed and redundant rules (design 4.7), exact on the classes of a compiled policy matrix.
 *
 * A rule is shadowed if it decides nothing though there are pairs and services that it matches: earlier rules decide
 * them all. It is redundant if every cell it decides would have the same verdict without it. A rule with a limit, a TLS
 * check or an end never is, since its verdict varies; nor is one whose own `log` sends other events than what follows
 * it. Shadowed rules do not count as what follows another rule: of two equal rules only the later one is reported.
 *
 * While the host's addresses are not known, nothing is said where `host` or `world` take part.
 */
#ifndef ZW_COMPILE_ANALYSE_H
#define ZW_COMPILE_ANALYSE_H

#include "compile/matrix.h"

/* Warnings go to diag. 0 or -ENOMEM. */
int analyse(const struct policy *policy, const struct matrix *matrix, struct diag *diag);

#endif
