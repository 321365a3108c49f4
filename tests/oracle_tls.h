/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The oracle's stage tls: what a flow's rule asks of its first bytes, straight from design section 5.
 */
#ifndef ZW_ORACLE_TLS_H
#define ZW_ORACLE_TLS_H

#include "oracle_flow.h"

/* Of a flow; WAITS and those behind it only where its rule has `tls`. */
enum oracle_tls { TLS_NOT_ASKED, TLS_WAITS, TLS_CHECKED, TLS_REFUSED };

/* What a first packet that the rule (NULL: a default) allows makes of its flow. REFUSED: it is `plaintext`, and leaves none. */
enum oracle_tls oracle_tls_first(const struct rule *rule, const struct oracle_packet *packet);

/*
 * What a packet of the flow makes of it; *ret_passes: is the packet one that may? next: the number of the opener's first
 * byte, NULL if it is not known.
 */
enum oracle_tls oracle_tls_next(enum oracle_tls before, const struct rule *rule, const struct oracle_packet *packet,
				bool from_opener, const uint32_t *next, bool *ret_passes);

#endif
