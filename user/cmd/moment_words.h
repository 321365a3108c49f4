/* SPDX-License-Identifier: GPL-2.0-only */
/* Instants and moments (policy/moments.h) in words. */
#ifndef ZW_MOMENT_WORDS_H
#define ZW_MOMENT_WORDS_H

#include "policy/moments.h"
#include "watch/buffer.h"

void put_instant(struct buffer *buffer, int64_t seconds); /* "2026-12-31T00:00:00Z" */

/* " until …", " from … on", " from … until …"; nothing for all times. */
void put_moment(struct buffer *buffer, const struct moment *moment);

#endif
