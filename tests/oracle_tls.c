/* SPDX-License-Identifier: GPL-2.0-only */
#include "oracle_tls.h"

/* "bytes 22, 3, any, length, 1 … at least 11 bytes, with client_version >= 0x0303 for min" */
static bool is_client_hello(const struct rule *rule, const struct oracle_packet *p)
{
	const uint8_t *payload = p->transport + p->transport_len - p->payload_len;

	if (p->payload_len < 11 || payload[0] != 22 || payload[1] != 3 || payload[5] != 1)
		return false;
	return !rule->tls_min_1_2 || payload[9] > 3 || (payload[9] == 3 && payload[10] >= 3);
}

bool oracle_tls_is_1_2(const struct oracle_packet *p)
{
	const struct rule asks = {.tls_min_1_2 = true};

	return p->protocol == 6 && is_client_hello(&asks, p);
}

bool oracle_tls_goes_on(enum oracle_tls *tls, bool is_1_2, const struct rule *rule)
{
	bool asks = rule && rule->tls_require;

	if (asks && *tls != TLS_WAITS && (*tls != TLS_CHECKED || (rule->tls_min_1_2 && !is_1_2)))
		return false;
	if (!asks && *tls != TLS_CHECKED)
		*tls = TLS_NOT_ASKED;
	return true;
}

/* A first fragment's segment goes on behind it. */
static bool has_payload(const struct oracle_packet *p)
{
	return p->payload_len > 0 || p->first_fragment;
}

enum oracle_tls oracle_tls_first(const struct rule *rule, const struct oracle_packet *p)
{
	if (!rule || !rule->tls_require)
		return TLS_NOT_ASKED;
	if (!has_payload(p))
		return TLS_WAITS;
	return is_client_hello(rule, p) ? TLS_CHECKED : TLS_REFUSED;
}

enum oracle_tls oracle_tls_next(enum oracle_tls before, const struct rule *rule, const struct oracle_packet *p,
				bool from_opener, const uint32_t *next, bool *ret_passes)
{
	uint32_t begins = p->sequence + (p->tcp_flags & 2 /* SYN */ ? 1 : 0);

	*ret_passes = before == TLS_NOT_ASKED || before == TLS_CHECKED || !has_payload(p);
	if (*ret_passes || before == TLS_REFUSED || !from_opener || !next)
		return before;
	if (*next - begins >= p->payload_len)
		return before; /* the byte is not in it */
	*ret_passes = *next == begins && is_client_hello(rule, p);
	return *ret_passes ? TLS_CHECKED : TLS_REFUSED;
}
