// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/sockets.h"

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/util.h"
#include "kernel/netlink.h"

#define STATE(state) (1u << (state))
#define LISTENING STATE(TCP_LISTEN)
/* TIME_WAIT is left out: its flow has ended, and there may be very many. */
#define CONNECTED                                                                                                     \
	(STATE(TCP_ESTABLISHED) | STATE(TCP_SYN_SENT) | STATE(TCP_SYN_RECV) | STATE(TCP_FIN_WAIT1) |                  \
	 STATE(TCP_FIN_WAIT2) | STATE(TCP_CLOSE_WAIT) | STATE(TCP_LAST_ACK) | STATE(TCP_CLOSING))

/* The address without its mapping. */
static void copy_address(__u32 *to, const __be32 *from, int family, bool mapped)
{
	if (family == 4)
		to[0] = mapped ? from[3] : from[0];
	else
		memcpy(to, from, 16);
}

static int family_of(const struct inet_diag_msg *m)
{
	if (m->idiag_family == AF_INET)
		return 4;
	return is_mapped(m->id.idiag_src) ? 4 : 6;
}

static bool is_v6only(const struct nlmsghdr *message)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct inet_diag_msg))
		if (mnl_attr_get_type(attr) == INET_DIAG_SKV6ONLY && mnl_attr_get_payload_len(attr) >= 1)
			return mnl_attr_get_u8(attr);
	return false;
}

static void read_listener(const struct nlmsghdr *message, __u8 protocol, struct listener *listener)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(message);

	*listener = (struct listener){ .protocol = protocol, .family = family_of(m), .port = m->id.idiag_sport };
	copy_address(listener->address, m->id.idiag_src, listener->family, m->idiag_family == AF_INET6);
	if (listener->family == 6 && !listener->address[0] && !listener->address[1] && !listener->address[2] &&
	    !listener->address[3] && !is_v6only(message))
		listener->family = 0;
}

/* The flow's counterpart of a socket's state; false if there is none. Of live, the ends are set. */
static bool read_tcp_state(__u8 state, struct live *live)
{
	live->is_confirmed = true;
	switch (state) {
	case TCP_ESTABLISHED:
		live->state = ZW_FLOW_TCP_ESTABLISHED;
		return true;
	case TCP_SYN_SENT:
		live->state = ZW_FLOW_TCP_SYN;
		live->is_confirmed = false;
		live->is_opener_known = true;
		return true;
	case TCP_SYN_RECV:
		live->state = ZW_FLOW_TCP_SYN_ACK;
		live->is_confirmed = false;
		live_reverse(live);
		live->is_opener_known = true;
		return true;
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
		live->state = ZW_FLOW_TCP_FIN;
		live->fin_source = true;
		return true;
	case TCP_CLOSE_WAIT:
		live->state = ZW_FLOW_TCP_FIN;
		live->fin_destination = true;
		return true;
	case TCP_LAST_ACK:
	case TCP_CLOSING:
		live->state = ZW_FLOW_TCP_CLOSING;
		live->fin_source = live->fin_destination = true;
		return true;
	default:
		return false;
	}
}

static bool read_live(const struct inet_diag_msg *m, __u8 protocol, struct live *live)
{
	bool mapped = m->idiag_family == AF_INET6;

	*live = (struct live){ .family = family_of(m), .ends.protocol = protocol, .inode = m->idiag_inode };
	if (live->family == 4 && mapped && !is_mapped(m->id.idiag_dst))
		return false;
	copy_address(live->ends.source, m->id.idiag_src, live->family, mapped);
	copy_address(live->ends.destination, m->id.idiag_dst, live->family, mapped);
	live->ends.sport = m->id.idiag_sport;
	live->ends.dport = m->id.idiag_dport;
	live->ends.port = be16toh(m->id.idiag_dport);
	if (protocol == PROTO_TCP)
		return read_tcp_state(m->idiag_state, live);
	live->state = ZW_FLOW_UDP;
	return m->idiag_state == TCP_ESTABLISHED; /* connected */
}

enum socket_kind sockets_parse(const struct nlmsghdr *message, __u8 protocol, struct listener *ret_listener,
			       struct live *ret_live)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY || mnl_nlmsg_get_payload_len(message) < sizeof(*m) ||
	    (m->idiag_family != AF_INET && m->idiag_family != AF_INET6))
		return SOCKET_OTHER;
	if (m->idiag_state == (protocol == PROTO_TCP ? TCP_LISTEN : TCP_CLOSE)) { /* which is what UDP's have that are not connected */
		read_listener(message, protocol, ret_listener);
		return SOCKET_LISTENS;
	}
	return read_live(m, protocol, ret_live) ? SOCKET_LIVES : SOCKET_OTHER;
}

static int by_port(const void *a, const void *b)
{
	const struct listener *x = a, *y = b;

	return (x->port > y->port) - (x->port < y->port);
}

static bool is_local_end(const struct listener *l, int family, const __u32 *address)
{
	static const __u32 any[4];

	if (l->family && l->family != family)
		return false;
	return !memcmp(l->address, any, sizeof(any)) || !memcmp(l->address, address, family == 4 ? 4 : 16);
}

bool sockets_listen(const struct listener *listeners, size_t count, int family, const __u32 *address, __be16 port)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (listeners[middle].port < port)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < count && listeners[low].port == port; low++)
		if (is_local_end(&listeners[low], family, address))
			return true;
	return false;
}

struct walk {
	live_take *take;
	void *data;
	__u8 protocol;
	struct listener *listeners;
	size_t count;
	int error;
};

static int take_message(const struct nlmsghdr *message, void *data)
{
	struct walk *walk = data;
	struct listener listener;
	struct live live;

	switch (sockets_parse(message, walk->protocol, &listener, &live)) {
	case SOCKET_LISTENS:
		walk->error = array_grow(&walk->listeners, walk->count, sizeof(listener));
		if (walk->error)
			return MNL_CB_STOP;
		walk->listeners[walk->count++] = listener;
		return MNL_CB_OK;
	case SOCKET_LIVES:
		if (walk->protocol == PROTO_TCP && !live.is_opener_known &&
		    sockets_listen(walk->listeners, walk->count, live.family, live.ends.source, live.ends.sport)) {
			live_reverse(&live);
			live.is_opener_known = true;
		}
		return walk->take(&live, walk->data) ? MNL_CB_OK : MNL_CB_STOP;
	default:
		return MNL_CB_OK;
	}
}

static int ask(__u8 protocol, __u32 states, mnl_cb_t take, void *data)
{
	static const __u8 families[] = { AF_INET, AF_INET6 };
	int error = 0;

	for (size_t i = 0; i < ARRAY_LEN(families) && !error; i++) {
		char buffer[256];
		struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
		struct inet_diag_req_v2 *r;

		request->nlmsg_type = SOCK_DIAG_BY_FAMILY;
		r = mnl_nlmsg_put_extra_header(request, sizeof(*r));
		r->sdiag_family = families[i];
		r->sdiag_protocol = protocol;
		r->idiag_states = states;
		error = netlink_dump(NETLINK_SOCK_DIAG, request, take, data);
	}
	return error;
}

static int ask_walk(struct walk *walk, __u8 protocol, __u32 states)
{
	int error;

	walk->protocol = protocol;
	error = ask(protocol, states, take_message, walk);
	return error ? error : walk->error;
}

struct listening {
	listener_take *take;
	void *data;
	__u8 protocol;
};

static int take_listener(const struct nlmsghdr *message, void *data)
{
	const struct listening *walk = data;
	struct listener listener;
	struct live live;

	if (sockets_parse(message, walk->protocol, &listener, &live) != SOCKET_LISTENS)
		return MNL_CB_OK;
	return walk->take(&listener, walk->data) ? MNL_CB_OK : MNL_CB_STOP;
}

int sockets_walk_listeners(listener_take *take, void *data)
{
	struct listening walk = { take, data, PROTO_TCP };
	int error = ask(PROTO_TCP, LISTENING, take_listener, &walk);

	walk.protocol = PROTO_UDP;
	return error ? error : ask(PROTO_UDP, STATE(TCP_CLOSE), take_listener, &walk);
}

int sockets_walk(live_take *take, void *data)
{
	struct walk walk = { .take = take, .data = data };
	int error = ask_walk(&walk, PROTO_TCP, LISTENING);

	if (!error && walk.count)
		qsort(walk.listeners, walk.count, sizeof(*walk.listeners), by_port);
	if (!error)
		error = ask_walk(&walk, PROTO_TCP, CONNECTED);
	if (!error)
		error = ask_walk(&walk, PROTO_UDP, STATE(TCP_ESTABLISHED));
	free(walk.listeners);
	return error;
}
