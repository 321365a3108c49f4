/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The oracle's stage tls: what a flow's rule asks of its first bytes, straight from design section 5.
 */
#ifndef ZW_ORACLE_TLS_H
#define ZW_ORACLE_TLS_H

#include "oracle_flow.h"

/* What a first packet that the rule (NULL: a default) allows makes of its flow. REFUSED: it is `plaintext`, and leaves none. */
enum oracle_tls oracle_tls_first(const struct rule *rule, const struct oracle_packet *packet);

/*
 * What a packet of the flow makes of it; *ret_passes: is the packet one that may? next: the number of the opener's first
 * byte, NULL if it is not known.
 */
enum oracle_tls oracle_tls_next(enum oracle_tls before, const struct rule *rule, const struct oracle_packet *packet,
				bool from_opener, const uint32_t *next, bool *ret_passes);

/* Does the packet's segment begin with a ClientHello of TLS 1.2 or later? */
bool oracle_tls_is_1_2(const struct oracle_packet *packet);

/*
 * May another rule than the one that let it in (NULL: a default) go on with the flow? One that was not checked is revoked by a
 * rule with `tls`; *tls becomes what it is under the other rule.
 */
bool oracle_tls_goes_on(enum oracle_tls *tls, bool is_1_2, const struct rule *rule);

#endif
