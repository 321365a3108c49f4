/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The evasion suite: one case for each trick that gets, or once got, packets around a firewall. A case is data; it runs
 * through the loaded programs (run_programs.c), on the wire before every hook (run_wire.c, hooks.sh), and is a row of the
 * table in the README (run_print.c, readme.sh). The last step of a case is the trick; those before it set the scene.
 *
 * Each run of a case has hosts of its own, so that cases share no flow:
 *
 *   red   10.1.x.y  fd00:1::n    may open udp/53, tcp/80, sctp/2905 and ping to blue, and tcp/8443 by TLS 1.2
 *   blue  10.2.x.y  fd00:2::n    may open nothing to red
 *   red2, blue2                  another host of each
 *   host  10.9.0.1  fd00:9::1    the firewall's own address
 *   world 192.0.2.1 2001:db8::1  in no zone
 *
 * udp/54 and tcp/81 are the ports that nobody may reach: SECRET below. On the wire, sockets listen there.
 */
#ifndef ZW_EVASION_H
#define ZW_EVASION_H

#include "packet.h"
#include "zonewall.h"

/* What a case is run for again and again, each time with hosts of its own; the last step changes. */
enum sweep {
	SWEEP_NONE,
	SWEEP_FLAGS, /* each of the 64 combinations of TCP flags; see `syn` */
	SWEEP_CUT, /* the frame ends after each of its bytes from the Ethernet header on */
	SWEEP_OPTIONS, /* 4 to 40 bytes of IPv4 options (IHL 6 to 15) in which the bytes of port 53 stand everywhere */
};

struct evasion_step {
	bool back; /* from blue to red */
	struct packet_spec packet; /* ends: NULL or a name above, or an address */
	const char *shim; /* hex, between the Ethernet type and the IP packet */
	int poke_at; /* bytes from the IP header: where `poke` is written, last of all */
	const char *poke; /* hex */
	/* The payload is this IP packet; its ends are, unless named, those that the step's sender received it with. */
	const struct packet_spec *inner;
	bool inner_back; /* blue sent it; else red */
	unsigned stripped; /* VID of a tag that travels in metadata; on the wire only */
	enum zw_reason reason; /* ZW_REASON_NONE: no step */
	enum zw_reason leaving; /* on TC egress, if it differs */
	enum zw_reason xdp; /* on XDP, if it differs */
	/* SWEEP_FLAGS: `reason` holds for ACK, FIN+ACK, RST and RST+ACK; these for SYN and SYN+ACK; others: tcp-state */
	enum zw_reason syn, syn_ack;
};

#define EVASION_STEPS 8
struct evasion_case {
	const char *trick;
	int family; /* 0: both */
	bool strict; /* under defaults.tcp: strict */
	enum sweep sweep;
	struct evasion_step steps[EVASION_STEPS];
};

struct evasion_group {
	const char *title;
	const struct evasion_case *cases;
	size_t count;
};
extern const struct evasion_group evasion_link, evasion_headers, evasion_fragments, evasion_addresses, evasion_tcp,
	evasion_tcp_flags, evasion_tls, evasion_icmp, evasion_disguises;
extern const struct evasion_group *const evasion_groups[];
extern const size_t evasion_group_count;

/* The policy that all cases run under, but for `tcp: loose` or `strict`; without interfaces. */
extern const char evasion_policy_loose[], evasion_policy_strict[];
#define EVASION_HOST "10.9.0.1 fd00:9::1"
extern const uint8_t evasion_mac[6]; /* of the attach point */

const struct evasion_step *evasion_trick(const struct evasion_case *c);

/* How many times a case runs in this family, 0 if it is not for it. */
unsigned evasion_turns(const struct evasion_case *c, int family);

/* One frame of one turn, with right checksums where the packet is whole. number: of the hosts, 1 to 65535. */
void evasion_build(const struct evasion_case *c, const struct evasion_step *step, int family, unsigned turn,
		   unsigned number, struct packet *ret_packet);

/* What the hook must say of it. */
enum zw_reason evasion_want(const struct evasion_case *c, const struct evasion_step *step, enum zw_hook hook,
			    unsigned turn);

/* For the tables of cases. */
#define UDP_(port) .protocol = P_UDP, .dport = port
#define TCP_(port) .dport = port
#define NAMES UDP_(53)
#define SECRET UDP_(54)
#define WEB TCP_(80)
#define TCP_SECRET TCP_(81)
#define SIGNALS .protocol = P_SCTP, .dport = 2905
#define SCTP_SECRET .protocol = P_SCTP, .dport = 2906
#define PING4 .protocol = P_ICMP, .type = 8, .id = 7
#define PING6 .protocol = P_ICMPV6, .type = 128, .id = 7
#define PACKET(...) .packet = {__VA_ARGS__}
#define ENDS(from_, to_) .from = from_, .to = to_
#define RULE .reason = ZW_ALLOW_RULE
#define FLOW .reason = ZW_ALLOW_FLOW
#define RELATED .reason = ZW_ALLOW_RELATED
#define LATER .reason = ZW_ALLOW_FRAGMENT
#define ESSENTIAL .reason = ZW_ALLOW_ESSENTIAL
#define FAILSAFE .reason = ZW_ALLOW_FAILSAFE
#define NON_IP .reason = ZW_ALLOW_NON_IP
#define DEFAULT .reason = ZW_DROP_DEFAULT
#define MALFORMED .reason = ZW_DROP_MALFORMED
#define ETHERTYPE .reason = ZW_DROP_ETHERTYPE
#define FRAGMENT .reason = ZW_DROP_FRAGMENT
#define STATE .reason = ZW_DROP_TCP_STATE
#define SPOOFED .reason = ZW_DROP_SPOOFED
#define LEAVING(reason_) .leaving = reason_
#define GROUP(name, title_, table) \
	const struct evasion_group name = {title_, table, sizeof(table) / sizeof(table[0])}

#endif
