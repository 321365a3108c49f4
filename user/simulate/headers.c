// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/headers.h"

#include <sys/param.h>

#include "packet.h"

#define ANY_LENGTH (1u << 30) /* longer than any frame: then a header that does not fit was not captured */

static int read_where_it_lies(struct packet *p, const uint8_t *frame, size_t captured, size_t len, bool whole)
{
	struct cursor c = { .start = frame, .pos = frame, .end = frame + captured };

	memset(p, 0, sizeof(*p));
	p->frame_len = len;
	p->whole = whole;
	return parse_direct(p, &c, false);
}

/*
 * The rare packets. With fewer bytes than there are the parser finds no fault of the packet's but its own lack of bytes: a
 * chain that ends, no transport header, an ICMP error that quotes nothing. Which of the two it was it does not say, so all of
 * that counts as a lack.
 */
static bool read_deep(struct packet *p, const uint8_t *frame, size_t captured, size_t len, int *ret_ended)
{
	struct scratch scratch = { 0 };
	struct ends quoted;
	size_t have = MIN(captured - p->l3_offset, (size_t)SCRATCH_LEN);

	memcpy(scratch.bytes, frame + p->l3_offset, have);
	*ret_ended = zw_parse_deep(p, &scratch, &quoted, have);
	if (have >= MIN(MIN(len - p->l3_offset, (size_t)SCRATCH_LEN), (size_t)p->ip_len)) /* all that it would read */
		return true;
	if (*ret_ended || p->fragment == FRAGMENT_CUT || (p->is_icmp_error && !p->has_quoted))
		return false;
	return p->fragment == FRAGMENT_LATER || p->transport + fixed_header(p->ends.protocol) <= have;
}

static struct headers tell(const struct packet *p, int ended)
{
	struct headers headers = { .has_addresses = p->has_addresses };

	if (!p->has_addresses)
		return headers;
	headers.from = addr_from_bytes(p->family, p->ends.source);
	headers.to = addr_from_bytes(p->family, p->ends.destination);
	headers.protocol = p->ends.protocol;
	if (ended || p->fragment >= FRAGMENT_CUT)
		return headers;
	headers.has_transport = true;
	headers.sport = bpf_ntohs(p->ends.sport);
	headers.dport = bpf_ntohs(p->ends.dport);
	headers.port = p->ends.port;
	headers.tcp_flags = p->tcp_flags;
	if (p->ends.protocol == PROTO_TCP && p->payload_len)
		headers.hello_end = payload_offset(p) + MIN(p->payload_len, (__u32)HELLO_BYTES);
	headers.echo_request = p->ends.echo == ECHO_REQUEST;
	headers.echo_reply = p->ends.echo == ECHO_REPLY;
	return headers;
}

bool headers_read(const uint8_t *frame, size_t captured, size_t len, struct headers *ret_headers)
{
	struct packet p;
	int ended;

	if (captured < len && read_where_it_lies(&p, frame, captured, ANY_LENGTH, false) == PARSE_SHORT)
		return false;
	ended = read_where_it_lies(&p, frame, captured, len, true);
	if (ended == PARSE_DEEP && !read_deep(&p, frame, captured, len, &ended))
		return false;
	*ret_headers = tell(&p, ended);
	return true;
}
