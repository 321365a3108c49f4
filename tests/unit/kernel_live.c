// SPDX-License-Identifier: GPL-2.0-only
/* What sockets and connection tracking say of live connections: hand-made messages, whole, cut and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <ftw.h>
#include <limits.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "kernel/conntrack.h"
#include "kernel/sockets.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* "A:P > B:P", with what else matters of it. */
static const char *text_of(const struct live *live)
{
	int family = live->family == 4 ? AF_INET : AF_INET6;
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
	static char text[256];

	inet_ntop(family, live->ends.source, source, sizeof(source));
	inet_ntop(family, live->ends.destination, destination, sizeof(destination));
	snprintf(text, sizeof(text), "%s %u > %s %u proto %u port %u%s%s%s%s%s", source, ntohs(live->ends.sport),
		 destination, ntohs(live->ends.dport), live->ends.protocol, live->ends.port,
		 live->is_opener_known ? " opened" : "", live->is_confirmed ? " confirmed" : "",
		 live->fin_source ? " fin-source" : "", live->fin_destination ? " fin-destination" : "",
		 live->ends.echo == ECHO_REQUEST ? " request" : live->ends.echo == ECHO_REPLY ? " reply" : "");
	return text;
}

/* A copy of the message's first len bytes, padded as netlink does, so that a sanitizer sees every read beyond them. */
static struct nlmsghdr *cut_to(const struct nlmsghdr *message, size_t len)
{
	struct nlmsghdr *copy = calloc(1, NLMSG_ALIGN(len));

	assert_non_null(copy);
	memcpy(copy, message, len);
	copy->nlmsg_len = len;
	return copy;
}

/* Sockets */

struct socket_row {
	const char *what;
	int family;
	uint8_t protocol, state;
	const char *source;
	uint16_t sport;
	const char *destination;
	uint16_t dport;
	const char *want; /* text_of(), NULL: none */
	uint32_t want_state;
};

#define HERE4 AF_INET, IPPROTO_TCP
#define HERE6 AF_INET6, IPPROTO_TCP
#define A4 "10.0.0.1", 40000, "10.0.0.2", 443
#define TEXT4 "10.0.0.1 40000 > 10.0.0.2 443 proto 6 port 443"
#define BACK4 "10.0.0.2 443 > 10.0.0.1 40000 proto 6 port 40000"

static const struct socket_row socket_rows[] = {
	{ "established", HERE4, TCP_ESTABLISHED, A4, TEXT4 " confirmed", ZW_FLOW_TCP_ESTABLISHED },
	{ "being connected", HERE4, TCP_SYN_SENT, A4, TEXT4 " opened", ZW_FLOW_TCP_SYN },
	{ "being accepted", HERE4, TCP_SYN_RECV, A4, BACK4 " opened", ZW_FLOW_TCP_SYN_ACK },
	{ "closed here", HERE4, TCP_FIN_WAIT1, A4, TEXT4 " confirmed fin-source", ZW_FLOW_TCP_FIN },
	{ "closed here and acknowledged", HERE4, TCP_FIN_WAIT2, A4, TEXT4 " confirmed fin-source", ZW_FLOW_TCP_FIN },
	{ "closed there", HERE4, TCP_CLOSE_WAIT, A4, TEXT4 " confirmed fin-destination", ZW_FLOW_TCP_FIN },
	{ "closed there, then here", HERE4, TCP_LAST_ACK, A4, TEXT4 " confirmed fin-source fin-destination",
	  ZW_FLOW_TCP_CLOSING },
	{ "closed at once", HERE4, TCP_CLOSING, A4, TEXT4 " confirmed fin-source fin-destination", ZW_FLOW_TCP_CLOSING },
	{ "over", HERE4, TCP_TIME_WAIT, A4, NULL, 0 },
	{ "not connected", HERE4, TCP_CLOSE, A4, NULL, 0 },
	{ "a state of another kernel", HERE4, 77, A4, NULL, 0 },
	{ "IPv6", HERE6, TCP_ESTABLISHED, "fd00::1", 1, "fd00::2", 65535,
	  "fd00::1 1 > fd00::2 65535 proto 6 port 65535 confirmed", ZW_FLOW_TCP_ESTABLISHED },
	{ "IPv4 in an IPv6 socket", HERE6, TCP_ESTABLISHED, "::ffff:10.0.0.1", 40000, "::ffff:10.0.0.2", 443,
	  TEXT4 " confirmed", ZW_FLOW_TCP_ESTABLISHED },
	{ "half of it mapped", HERE6, TCP_ESTABLISHED, "::ffff:10.0.0.1", 40000, "fd00::2", 443, NULL, 0 },
	{ "connected UDP", AF_INET, IPPROTO_UDP, TCP_ESTABLISHED, A4,
	  "10.0.0.1 40000 > 10.0.0.2 443 proto 17 port 443", ZW_FLOW_UDP },
	{ "another family", AF_UNIX, IPPROTO_TCP, TCP_ESTABLISHED, A4, NULL, 0 },
};

static struct nlmsghdr *socket_message(char *buffer, const struct socket_row *r, int v6only)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct inet_diag_msg *m;

	message->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	m = mnl_nlmsg_put_extra_header(message, sizeof(*m));
	m->idiag_family = r->family;
	m->idiag_state = r->state;
	m->id.idiag_sport = htons(r->sport);
	m->id.idiag_dport = htons(r->dport);
	inet_pton(r->family == AF_INET6 ? AF_INET6 : AF_INET, r->source, m->id.idiag_src);
	inet_pton(r->family == AF_INET6 ? AF_INET6 : AF_INET, r->destination, m->id.idiag_dst);
	if (v6only >= 0)
		mnl_attr_put_u8(message, INET_DIAG_SKV6ONLY, v6only);
	return message;
}

static void a_socket_is_a_flow(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(socket_rows); i++) {
		const struct socket_row *r = &socket_rows[i];
		char buffer[256];
		struct listener listener;
		struct live live;
		enum socket_kind kind = sockets_parse(socket_message(buffer, r, -1), r->protocol, &listener, &live);

		print_message("# %s\n", r->what);
		assert_int_equal(kind, r->want ? SOCKET_LIVES : SOCKET_OTHER);
		if (!r->want)
			continue;
		assert_string_equal(text_of(&live), r->want);
		assert_int_equal(live.state, r->want_state);
	}
}

static struct listener listener_on(int family, const char *address, uint16_t port, int v6only)
{
	const struct socket_row row = { .family = family, .state = TCP_LISTEN, .source = address, .sport = port,
					.destination = family == AF_INET ? "0.0.0.0" : "::" };
	struct listener listener;
	struct live live;
	char buffer[256];

	assert_int_equal(sockets_parse(socket_message(buffer, &row, v6only), IPPROTO_TCP, &listener, &live),
			 SOCKET_LISTENS);
	return listener;
}

static void udp_that_is_not_connected_listens(void **state)
{
	const struct socket_row row = { .family = AF_INET6, .state = TCP_CLOSE, .source = "::", .sport = 53,
					.destination = "::" };
	struct listener listener;
	struct live live;
	char buffer[256];

	(void)state;
	assert_int_equal(sockets_parse(socket_message(buffer, &row, 0), IPPROTO_UDP, &listener, &live), SOCKET_LISTENS);
	assert_int_equal(listener.protocol, IPPROTO_UDP);
	assert_int_equal(listener.family, 0);
	assert_int_equal(listener.port, htons(53));
}

static bool listens(const struct listener *listeners, size_t count, const char *address, uint16_t port)
{
	int family = strchr(address, ':') ? 6 : 4;
	__u32 bytes[4] = { 0 };

	inet_pton(family == 6 ? AF_INET6 : AF_INET, address, bytes);
	return sockets_listen(listeners, count, family, bytes, htons(port));
}

static void a_listener_has_its_address_or_all(void **state)
{
	/* Sorted by port as it stands on the wire, as sockets_walk() does it. */
	const struct listener listeners[] = {
		listener_on(AF_INET6, "::", htons(10), 0),		 listener_on(AF_INET6, "::", htons(11), 1),
		listener_on(AF_INET, "0.0.0.0", htons(12), -1),		 listener_on(AF_INET, "10.0.0.1", htons(13), -1),
		listener_on(AF_INET6, "::ffff:10.0.0.3", htons(13), -1), listener_on(AF_INET6, "fd00::1", htons(13), -1),
	};
	static const struct {
		const char *address;
		uint16_t port;
		bool want;
	} asks[] = {
		{ "10.0.0.1", 10, true },  { "fd00::1", 10, true },   { "10.0.0.1", 11, false }, { "fd00::1", 11, true },
		{ "10.0.0.1", 12, true },  { "fd00::1", 12, false },  { "10.0.0.1", 13, true },	 { "10.0.0.2", 13, false },
		{ "10.0.0.3", 13, true },  { "fd00::1", 13, true },   { "fd00::2", 13, false },	 { "10.0.0.1", 14, false },
		{ "10.0.0.1", 9, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(asks); i++) {
		print_message("# %s %u\n", asks[i].address, asks[i].port);
		assert_int_equal(listens(listeners, COUNT(listeners), asks[i].address, htons(asks[i].port)), asks[i].want);
	}
	assert_false(listens(NULL, 0, "10.0.0.1", 1));
}

static void a_cut_socket_message_tells_nothing_it_does_not_hold(void **state)
{
	struct listener listener;
	struct live live;
	char buffer[256];
	const struct nlmsghdr *whole = socket_message(buffer, &socket_rows[0], 0);

	(void)state;
	for (size_t len = sizeof(*whole); len <= whole->nlmsg_len; len++) {
		struct nlmsghdr *message = cut_to(whole, len);
		enum socket_kind kind = sockets_parse(message, IPPROTO_TCP, &listener, &live);

		assert_int_equal(kind, len < sizeof(*whole) + sizeof(struct inet_diag_msg) ? SOCKET_OTHER : SOCKET_LIVES);
		free(message);
	}
}

/* Connection tracking */

struct tuple {
	const char *source, *destination;
	uint16_t sport, dport; /* ICMP: identifier, type << 8 | code */
};

struct entry {
	const char *what;
	int family;
	uint8_t protocol;
	struct tuple original, reply;
	uint32_t status;
	int tcp_state; /* -1: without */
	uint8_t flags[2]; /* of the original direction's sender, of the other's */
	const char *want[2]; /* the views, NULL: none */
	uint32_t want_state;
};

#define BOTH (IPS_SEEN_REPLY | IPS_ASSURED)
#define PLAIN4 { "10.1.0.1", "10.2.0.1", 40000, 443 }, { "10.2.0.1", "10.1.0.1", 443, 40000 }
#define T4 "10.1.0.1 40000 > 10.2.0.1 443 proto 6 port 443"
#define U4 "10.1.0.1 40000 > 10.2.0.1 443 proto 17 port 443 opened"

static const struct entry entries[] = {
	{ "established", AF_INET, IPPROTO_TCP, PLAIN4, BOTH, TCP_CONNTRACK_ESTABLISHED, { 0 },
	  { T4 " opened confirmed" }, ZW_FLOW_TCP_ESTABLISHED },
	{ "not yet assured", AF_INET, IPPROTO_TCP, PLAIN4, 0, TCP_CONNTRACK_ESTABLISHED, { 0 }, { T4 " opened" },
	  ZW_FLOW_TCP_PICKED_UP },
	{ "older than its tracking", AF_INET, IPPROTO_TCP, PLAIN4, BOTH, TCP_CONNTRACK_ESTABLISHED,
	  { IP_CT_TCP_FLAG_BE_LIBERAL, IP_CT_TCP_FLAG_BE_LIBERAL }, { T4 " confirmed" }, ZW_FLOW_TCP_ESTABLISHED },
	{ "SYN seen", AF_INET, IPPROTO_TCP, PLAIN4, 0, TCP_CONNTRACK_SYN_SENT, { 0 }, { T4 " opened" }, ZW_FLOW_TCP_SYN },
	{ "both have sent SYN", AF_INET, IPPROTO_TCP, PLAIN4, 0, TCP_CONNTRACK_SYN_SENT2, { 0 }, { T4 " opened" },
	  ZW_FLOW_TCP_SYN },
	{ "SYN+ACK seen", AF_INET, IPPROTO_TCP, PLAIN4, 0, TCP_CONNTRACK_SYN_RECV, { 0 }, { T4 " opened" },
	  ZW_FLOW_TCP_SYN_ACK },
	{ "closed by its opener", AF_INET, IPPROTO_TCP, PLAIN4, BOTH, TCP_CONNTRACK_FIN_WAIT,
	  { IP_CT_TCP_FLAG_CLOSE_INIT, 0 }, { T4 " opened confirmed fin-source" }, ZW_FLOW_TCP_FIN },
	{ "closed by the other side", AF_INET, IPPROTO_TCP, PLAIN4, BOTH, TCP_CONNTRACK_CLOSE_WAIT,
	  { 0, IP_CT_TCP_FLAG_CLOSE_INIT }, { T4 " opened confirmed fin-destination" }, ZW_FLOW_TCP_FIN },
	{ "closed by both", AF_INET, IPPROTO_TCP, PLAIN4, BOTH, TCP_CONNTRACK_LAST_ACK, { 0 },
	  { T4 " opened fin-source fin-destination" }, ZW_FLOW_TCP_CLOSING },
	{ "over", AF_INET, IPPROTO_TCP, PLAIN4, BOTH, TCP_CONNTRACK_TIME_WAIT, { 0 }, { NULL }, 0 },
	{ "reset", AF_INET, IPPROTO_TCP, PLAIN4, BOTH, TCP_CONNTRACK_CLOSE, { 0 }, { NULL }, 0 },
	{ "without its state", AF_INET, IPPROTO_TCP, PLAIN4, BOTH, -1, { 0 }, { NULL }, 0 },
	{ "UDP", AF_INET, IPPROTO_UDP, PLAIN4, 0, -1, { 0 }, { U4 }, ZW_FLOW_UDP },
	{ "UDP answered", AF_INET, IPPROTO_UDP, PLAIN4, IPS_SEEN_REPLY, -1, { 0 }, { U4 }, ZW_FLOW_UDP_REPLIED },
	{ "UDP assured", AF_INET, IPPROTO_UDP, PLAIN4, BOTH, -1, { 0 }, { U4 " confirmed" }, ZW_FLOW_UDP_CONFIRMED },
	{ "SCTP", AF_INET, IPPROTO_SCTP, PLAIN4, BOTH, -1, { 0 },
	  { "10.1.0.1 40000 > 10.2.0.1 443 proto 132 port 443 opened confirmed" }, ZW_FLOW_SCTP_CONFIRMED },
	{ "a ping", AF_INET, IPPROTO_ICMP, { "10.1.0.1", "10.2.0.1", 7, 0x0800 }, { "10.2.0.1", "10.1.0.1", 7, 0 }, 0, -1,
	  { 0 }, { "10.1.0.1 7 > 10.2.0.1 7 proto 1 port 2048 opened request" }, ZW_FLOW_ICMP },
	{ "a ping, translated", AF_INET, IPPROTO_ICMP, { "10.1.0.1", "10.2.0.1", 7, 0x0800 },
	  { "10.2.0.1", "10.9.0.9", 8, 0 }, 0, -1, { 0 },
	  { "10.1.0.1 7 > 10.2.0.1 7 proto 1 port 2048 opened request",
	    "10.9.0.9 8 > 10.2.0.1 8 proto 1 port 2048 opened request" }, ZW_FLOW_ICMP },
	{ "a request for the time", AF_INET, IPPROTO_ICMP, { "10.1.0.1", "10.2.0.1", 7, 0x0d00 },
	  { "10.2.0.1", "10.1.0.1", 7, 0x0e00 }, 0, -1, { 0 }, { NULL }, 0 },
	{ "an echo reply that came first", AF_INET, IPPROTO_ICMP, { "10.1.0.1", "10.2.0.1", 7, 0 },
	  { "10.2.0.1", "10.1.0.1", 7, 0x0800 }, 0, -1, { 0 }, { NULL }, 0 },
	{ "a ping6", AF_INET6, IPPROTO_ICMPV6, { "fd00::1", "fd00::2", 7, 0x8000 }, { "fd00::2", "fd00::1", 7, 0x8100 },
	  0, -1, { 0 }, { "fd00::1 7 > fd00::2 7 proto 58 port 32768 opened request" }, ZW_FLOW_ICMP },
	{ "another protocol has no ports", AF_INET, IPPROTO_GRE, PLAIN4, BOTH, -1, { 0 },
	  { "10.1.0.1 0 > 10.2.0.1 0 proto 47 port 0 opened" }, ZW_FLOW_OTHER },
	{ "IPv6", AF_INET6, IPPROTO_UDP, { "fd00::1", "fd00::2", 1, 2 }, { "fd00::2", "fd00::1", 2, 1 }, 0, -1, { 0 },
	  { "fd00::1 1 > fd00::2 2 proto 17 port 2 opened" }, ZW_FLOW_UDP },
	{ "its source translated", AF_INET, IPPROTO_TCP, { "10.1.0.1", "10.2.0.1", 40000, 443 },
	  { "10.2.0.1", "192.0.2.1", 443, 50000 }, BOTH, TCP_CONNTRACK_FIN_WAIT, { IP_CT_TCP_FLAG_CLOSE_INIT, 0 },
	  { T4 " opened confirmed fin-source",
	    "192.0.2.1 50000 > 10.2.0.1 443 proto 6 port 443 opened confirmed fin-source" }, ZW_FLOW_TCP_FIN },
	{ "its destination translated", AF_INET, IPPROTO_TCP, { "10.1.0.1", "10.1.0.254", 40000, 80 },
	  { "10.2.0.1", "10.1.0.1", 8080, 40000 }, BOTH, TCP_CONNTRACK_ESTABLISHED, { 0 },
	  { "10.1.0.1 40000 > 10.1.0.254 80 proto 6 port 80 opened confirmed",
	    "10.1.0.1 40000 > 10.2.0.1 8080 proto 6 port 8080 opened confirmed" }, ZW_FLOW_TCP_ESTABLISHED },
};

static void put_address(struct nlmsghdr *message, int family, int type4, int type6, const char *text)
{
	char bytes[16];

	inet_pton(family, text, bytes);
	mnl_attr_put(message, family == AF_INET ? type4 : type6, family == AF_INET ? 4 : 16, bytes);
}

static void put_tuple(struct nlmsghdr *message, int type, const struct entry *e, const struct tuple *t)
{
	struct nlattr *tuple = mnl_attr_nest_start(message, type), *nest;

	nest = mnl_attr_nest_start(message, CTA_TUPLE_IP);
	put_address(message, e->family, CTA_IP_V4_SRC, CTA_IP_V6_SRC, t->source);
	put_address(message, e->family, CTA_IP_V4_DST, CTA_IP_V6_DST, t->destination);
	mnl_attr_nest_end(message, nest);
	nest = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(message, CTA_PROTO_NUM, e->protocol);
	if (e->protocol == IPPROTO_ICMP || e->protocol == IPPROTO_ICMPV6) {
		int more = e->protocol == IPPROTO_ICMP ? 0 : CTA_PROTO_ICMPV6_ID - CTA_PROTO_ICMP_ID;

		mnl_attr_put_u16(message, CTA_PROTO_ICMP_ID + more, htons(t->sport));
		mnl_attr_put_u8(message, CTA_PROTO_ICMP_TYPE + more, t->dport >> 8);
		mnl_attr_put_u8(message, CTA_PROTO_ICMP_CODE + more, t->dport & 0xff);
	} else {
		mnl_attr_put_u16(message, CTA_PROTO_SRC_PORT, htons(t->sport));
		mnl_attr_put_u16(message, CTA_PROTO_DST_PORT, htons(t->dport));
	}
	mnl_attr_nest_end(message, nest);
	mnl_attr_nest_end(message, tuple);
}

static struct nlmsghdr *entry_message(char *buffer, const struct entry *e)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *header;

	message->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->nfgen_family = e->family;
	put_tuple(message, CTA_TUPLE_ORIG, e, &e->original);
	put_tuple(message, CTA_TUPLE_REPLY, e, &e->reply);
	mnl_attr_put_u32(message, CTA_STATUS, htonl(e->status));
	if (e->tcp_state >= 0) {
		struct nlattr *info = mnl_attr_nest_start(message, CTA_PROTOINFO);
		struct nlattr *tcp = mnl_attr_nest_start(message, CTA_PROTOINFO_TCP);

		mnl_attr_put_u8(message, CTA_PROTOINFO_TCP_STATE, e->tcp_state);
		for (int i = 0; i < 2; i++) {
			struct nf_ct_tcp_flags flags = { .flags = e->flags[i] };

			mnl_attr_put(message, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL + i, sizeof(flags), &flags);
		}
		mnl_attr_nest_end(message, tcp);
		mnl_attr_nest_end(message, info);
	}
	return message;
}

static void a_tracked_connection_is_one_or_two_flows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(entries); i++) {
		const struct entry *e = &entries[i];
		struct live views[2];
		char buffer[1024];
		unsigned count = conntrack_parse(entry_message(buffer, e), views);

		print_message("# %s\n", e->what);
		assert_int_equal(count, !e->want[0] ? 0 : e->want[1] ? 2 : 1);
		for (unsigned v = 0; v < count; v++) {
			assert_string_equal(text_of(&views[v]), e->want[v]);
			assert_int_equal(views[v].state, e->want_state);
		}
	}
}

/* The state stands last, and without it there is no flow. */
static void a_cut_entry_tells_nothing_it_does_not_hold(void **state)
{
	const struct entry *e = &entries[COUNT(entries) - 1];
	char buffer[1024];
	const struct nlmsghdr *whole = entry_message(buffer, e);

	(void)state;
	for (size_t len = sizeof(*whole); NLMSG_ALIGN(len) < whole->nlmsg_len; len++) {
		struct nlmsghdr *message = cut_to(whole, len);
		struct live views[2];

		assert_int_equal(conntrack_parse(message, views), 0);
		free(message);
	}
}

/* Any byte of any message may be anything: no read outside, which the sanitizers would tell, and at most two views. */
static void damaged_messages_do_no_harm(void **state)
{
	unsigned seed = 4711;

	(void)state;
	for (unsigned round = 0; round < 200000; round++) {
		struct listener listener;
		struct live views[2];
		char buffer[1024];
		const struct nlmsghdr *whole = round & 1 ?
			entry_message(buffer, &entries[rand_r(&seed) % COUNT(entries)]) :
			socket_message(buffer, &socket_rows[rand_r(&seed) % COUNT(socket_rows)], 1);
		struct nlmsghdr *message = cut_to(whole, whole->nlmsg_len);

		for (unsigned damages = 1 + rand_r(&seed) % 4; damages; damages--)
			((uint8_t *)message)[sizeof(*message) + rand_r(&seed) % (whole->nlmsg_len - sizeof(*message))] =
				rand_r(&seed);
		if (round & 1)
			assert_in_range(conntrack_parse(message, views), 0, 2);
		else
			sockets_parse(message, rand_r(&seed) & 1 ? IPPROTO_TCP : IPPROTO_UDP, &listener, views);
		free(message);
	}
}

/* A file below root, with its folders. text NULL: none. */
static void make_file(const char *root, const char *path, const char *text)
{
	char whole[PATH_MAX];
	FILE *file;

	if (!text)
		return;
	snprintf(whole, sizeof(whole), "%s%s", root, path);
	for (char *slash = strchr(whole + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(whole, 0700);
		*slash = '/';
	}
	file = fopen(whole, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat, (void)type, (void)ftw;
	return remove(path);
}

static void tracking_is_asked_only_where_that_loads_nothing(void **state)
{
	static const struct {
		const char *what, *count, *modules, *module, *builtin;
		enum conntrack_presence want;
	} rows[] = {
		{ "not loaded", NULL, "", NULL, NULL, CONNTRACK_ABSENT },
		{ "loaded, without a connection", "0\n", "", "", NULL, CONNTRACK_ABSENT },
		{ "tracking, nobody to ask", "5\n", "", NULL, NULL, CONNTRACK_MUTE },
		{ "another module is built in", "5\n", "", NULL, "kernel/net/netfilter/nf_conntrack.ko\n", CONNTRACK_MUTE },
		{ "its module is loaded", "5\n", "", "", NULL, CONNTRACK_PRESENT },
		{ "its module is built in", "5\n", "", NULL,
		  "kernel/net/netfilter/nf_conntrack.ko\nkernel/net/netfilter/nf_conntrack_netlink.ko\n", CONNTRACK_PRESENT },
		{ "a kernel without modules", "5\n", NULL, NULL, NULL, CONNTRACK_PRESENT },
	};
	struct utsname system;
	char builtin[PATH_MAX];

	(void)state;
	uname(&system);
	snprintf(builtin, sizeof(builtin), "/lib/modules/%s/modules.builtin", system.release);
	for (size_t i = 0; i < COUNT(rows); i++) {
		char root[] = "/tmp/zw-live-XXXXXX";

		print_message("# %s\n", rows[i].what);
		assert_non_null(mkdtemp(root));
		make_file(root, "/proc/sys/net/netfilter/nf_conntrack_count", rows[i].count);
		make_file(root, "/proc/modules", rows[i].modules);
		make_file(root, "/sys/module/nf_conntrack_netlink/refcnt", rows[i].module);
		make_file(root, builtin, rows[i].builtin);
		assert_int_equal(conntrack_presence(root), rows[i].want);
		nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_is_a_flow),
		cmocka_unit_test(udp_that_is_not_connected_listens),
		cmocka_unit_test(a_listener_has_its_address_or_all),
		cmocka_unit_test(a_cut_socket_message_tells_nothing_it_does_not_hold),
		cmocka_unit_test(a_tracked_connection_is_one_or_two_flows),
		cmocka_unit_test(a_cut_entry_tells_nothing_it_does_not_hold),
		cmocka_unit_test(damaged_messages_do_no_harm),
		cmocka_unit_test(tracking_is_asked_only_where_that_loads_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
