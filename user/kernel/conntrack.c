// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/conntrack.h"

#include <limits.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "base/util.h"
#include "kernel/netlink.h"

__attribute__((format(printf, 2, 3))) static FILE *open_below(const char *root, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;
	int len = snprintf(path, sizeof(path), "%s", root);

	va_start(args, format);
	vsnprintf(path + len, sizeof(path) - len, format, args);
	va_end(args);
	return fopen(path, "re");
}

static bool exists_below(const char *root, const char *file)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s", root, file);
	return !access(path, F_OK);
}

/* A module that is part of the kernel, by the list that is installed with its modules. */
static bool is_built_in(const char *root, const char *module)
{
	_cleanup_fclose_ FILE *list = NULL;
	struct utsname system;
	char line[256];

	if (uname(&system))
		return false;
	list = open_below(root, "/lib/modules/%s/modules.builtin", system.release);
	while (list && fgets(line, sizeof(line), list))
		if (strstr(line, module))
			return true;
	return false;
}

/* A kernel that cannot load modules has everything in itself that it will ever have. */
static bool is_asking_harmless(const char *root)
{
	return !exists_below(root, "/proc/modules") || exists_below(root, "/sys/module/nf_conntrack_netlink") ||
	       is_built_in(root, "/nf_conntrack_netlink.ko");
}

enum conntrack_presence conntrack_presence(const char *root)
{
	_cleanup_fclose_ FILE *file = open_below(root, "/proc/sys/net/netfilter/nf_conntrack_count");
	unsigned long count;

	/* Shown where the module is loaded, and counted for each network namespace. */
	if (!file || fscanf(file, "%lu", &count) != 1 || !count)
		return CONNTRACK_ABSENT;
	return is_asking_harmless(root) ? CONNTRACK_PRESENT : CONNTRACK_MUTE;
}

/* The wanted attributes of a message or nest, by type; those too short for what is read of them are left out. */
struct attributes {
	const struct nlattr *at[32];
};

static void note_attribute(struct attributes *attributes, const struct nlattr *attr)
{
	uint16_t type = mnl_attr_get_type(attr);

	if (type < ARRAY_LEN(attributes->at))
		attributes->at[type] = attr;
}

static struct attributes attributes_of(const struct nlattr *nest)
{
	struct attributes attributes = { 0 };
	const struct nlattr *attr;

	if (nest)
		mnl_attr_for_each_nested(attr, nest)
			note_attribute(&attributes, attr);
	return attributes;
}

static bool get(const struct attributes *attributes, unsigned type, void *ret, size_t len)
{
	const struct nlattr *attr = attributes->at[type];

	if (!attr || mnl_attr_get_payload_len(attr) < len)
		return false;
	memcpy(ret, mnl_attr_get_payload(attr), len);
	return true;
}

/* The ICMP message of a tuple: an identifier, which stands for both ports, type and code. */
static bool read_icmp(const struct attributes *p, struct ends *e)
{
	bool v6 = e->protocol == PROTO_ICMPV6;
	uint8_t type, code;

	if (!get(p, v6 ? CTA_PROTO_ICMPV6_ID : CTA_PROTO_ICMP_ID, &e->sport, 2) ||
	    !get(p, v6 ? CTA_PROTO_ICMPV6_TYPE : CTA_PROTO_ICMP_TYPE, &type, 1) ||
	    !get(p, v6 ? CTA_PROTO_ICMPV6_CODE : CTA_PROTO_ICMP_CODE, &code, 1))
		return false;
	e->dport = e->sport;
	e->echo = type == (v6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO_REQUEST) ? ECHO_REQUEST :
		  type == (v6 ? ICMPV6_ECHO_REPLY : ICMP_ECHO_REPLY)     ? ECHO_REPLY :
									   ECHO_NONE;
	e->port = type << 8 | code;
	return e->echo != ECHO_NONE; /* no other leaves a flow */
}

static bool read_tuple(const struct nlattr *nest, int family, struct ends *e)
{
	struct attributes tuple = attributes_of(nest);
	struct attributes ip = attributes_of(tuple.at[CTA_TUPLE_IP]);
	struct attributes protocol = attributes_of(tuple.at[CTA_TUPLE_PROTO]);

	*e = (struct ends){ 0 };
	if (!get(&ip, family == 4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, e->source, family == 4 ? 4 : 16) ||
	    !get(&ip, family == 4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, e->destination, family == 4 ? 4 : 16) ||
	    !get(&protocol, CTA_PROTO_NUM, &e->protocol, 1))
		return false;
	switch (e->protocol) {
	case PROTO_TCP:
	case PROTO_UDP:
	case PROTO_SCTP:
		if (!get(&protocol, CTA_PROTO_SRC_PORT, &e->sport, 2) ||
		    !get(&protocol, CTA_PROTO_DST_PORT, &e->dport, 2))
			return false;
		e->port = be16toh(e->dport);
		return true;
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		return read_icmp(&protocol, e);
	default:
		return true; /* what tracking knows of ports there, packets of ours have not */
	}
}

/* As the opener's packets look where replies look like these. */
static void reverse_tuple(const struct ends *reply, struct live *view)
{
	view->ends = *reply;
	live_reverse(view);
	if (!reply->echo)
		return;
	view->ends.echo = ECHO_REQUEST;
	view->ends.port = (reply->protocol == PROTO_ICMPV6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO_REQUEST) << 8;
}

static bool read_tcp(const struct attributes *entry, bool assured, struct live *live)
{
	struct attributes info = attributes_of(entry->at[CTA_PROTOINFO]);
	struct attributes tcp = attributes_of(info.at[CTA_PROTOINFO_TCP]);
	struct nf_ct_tcp_flags original = { 0 }, reply = { 0 };
	uint8_t state;

	if (!get(&tcp, CTA_PROTOINFO_TCP_STATE, &state, 1))
		return false;
	get(&tcp, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, &original, sizeof(original));
	get(&tcp, CTA_PROTOINFO_TCP_FLAGS_REPLY, &reply, sizeof(reply));
	/* Set on both sides of what was picked up mid-stream, since its window scaling is not known. */
	live->is_opener_known = !(original.flags & reply.flags & IP_CT_TCP_FLAG_BE_LIBERAL);
	switch (state) {
	case TCP_CONNTRACK_SYN_SENT:
	case TCP_CONNTRACK_SYN_SENT2:
		live->state = ZW_FLOW_TCP_SYN;
		return true;
	case TCP_CONNTRACK_SYN_RECV:
		live->state = ZW_FLOW_TCP_SYN_ACK;
		return true;
	case TCP_CONNTRACK_ESTABLISHED:
		/* Not yet assured, one packet may be all there ever was. */
		live->state = assured ? ZW_FLOW_TCP_ESTABLISHED : ZW_FLOW_TCP_PICKED_UP;
		live->is_confirmed = assured;
		return true;
	case TCP_CONNTRACK_FIN_WAIT:
	case TCP_CONNTRACK_CLOSE_WAIT:
		live->state = ZW_FLOW_TCP_FIN;
		live->is_confirmed = assured;
		live->fin_source = original.flags & IP_CT_TCP_FLAG_CLOSE_INIT;
		live->fin_destination = reply.flags & IP_CT_TCP_FLAG_CLOSE_INIT;
		return true;
	case TCP_CONNTRACK_LAST_ACK:
		live->state = ZW_FLOW_TCP_CLOSING;
		live->fin_source = live->fin_destination = true;
		return true;
	default:
		return false;
	}
}

static void read_datagrams(bool replied, bool assured, const __u32 states[3], struct live *live)
{
	live->state = states[assured ? 2 : replied];
	live->is_confirmed = assured;
}

static bool read_state(const struct attributes *entry, struct live *live)
{
	static const __u32 udp[] = { ZW_FLOW_UDP, ZW_FLOW_UDP_REPLIED, ZW_FLOW_UDP_CONFIRMED };
	static const __u32 sctp[] = { ZW_FLOW_SCTP, ZW_FLOW_SCTP_REPLIED, ZW_FLOW_SCTP_CONFIRMED };
	bool replied, assured;
	__be32 status = 0;

	get(entry, CTA_STATUS, &status, sizeof(status));
	replied = be32toh(status) & IPS_SEEN_REPLY;
	assured = be32toh(status) & IPS_ASSURED;
	live->is_opener_known = true;
	switch (live->ends.protocol) {
	case PROTO_TCP:
		return read_tcp(entry, assured, live);
	case PROTO_UDP:
		read_datagrams(replied, assured, udp, live);
		return true;
	case PROTO_SCTP:
		read_datagrams(replied, assured, sctp, live);
		return true;
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		live->state = ZW_FLOW_ICMP;
		return live->ends.echo == ECHO_REQUEST;
	default:
		live->state = ZW_FLOW_OTHER;
		return true;
	}
}

unsigned conntrack_parse(const struct nlmsghdr *message, struct live ret_views[2])
{
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
	struct attributes entry = { 0 };
	const struct nlattr *attr;
	struct live *forth = &ret_views[0], *back = &ret_views[1];
	struct ends reply;

	if (message->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW) ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(*header) ||
	    (header->nfgen_family != AF_INET && header->nfgen_family != AF_INET6))
		return 0;
	mnl_attr_for_each(attr, message, sizeof(*header))
		note_attribute(&entry, attr);
	*forth = (struct live){ .family = header->nfgen_family == AF_INET ? 4 : 6 };
	if (!read_tuple(entry.at[CTA_TUPLE_ORIG], forth->family, &forth->ends) || !read_state(&entry, forth))
		return 0;
	if (!read_tuple(entry.at[CTA_TUPLE_REPLY], forth->family, &reply))
		return 1;
	*back = *forth;
	reverse_tuple(&reply, back);
	back->fin_source = forth->fin_source;
	back->fin_destination = forth->fin_destination;
	return memcmp(&back->ends, &forth->ends, sizeof(reply)) ? 2 : 1;
}

struct walk {
	live_take *take;
	void *data;
};

static int take_message(const struct nlmsghdr *message, void *data)
{
	struct walk *walk = data;
	struct live views[2];
	unsigned count = conntrack_parse(message, views);

	for (unsigned i = 0; i < count; i++)
		if (!walk->take(&views[i], walk->data))
			return MNL_CB_STOP;
	return MNL_CB_OK;
}

int conntrack_walk(live_take *take, void *data)
{
	struct walk walk = { .take = take, .data = data };
	char buffer[256];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *header;

	request->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
	header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	header->nfgen_family = AF_UNSPEC;
	header->version = NFNETLINK_V0;
	return netlink_dump(NETLINK_NETFILTER, request, take_message, &walk);
}
