/* SPDX-License-Identifier: GPL-2.0-only */
/* First packets, as explain means them: drawn from a model's boundaries, and the oracle asked about one. */
#ifndef ZW_TEST_FIRST_H
#define ZW_TEST_FIRST_H

#include "generate.h"
#include "oracle.h"
#include "simulate/explain.h"

void first_draw(struct random *random, const struct model *model, struct first_packet *ret_packet);

/* The oracle's answer about the frame that explain_decide builds; this one is packet.c's. */
void first_ask(struct oracle *oracle, const struct first_packet *packet, struct oracle_answer *ret_answer);

#define FIRST_TEXT 200
void first_describe(const struct first_packet *packet, char ret_text[FIRST_TEXT]);

#endif
