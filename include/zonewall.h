/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * zonewall.h - what the BPF programs and user space share: tables, flows, counters, events, the gate.
 *
 * Numbers and layouts here are an ABI: a pinned map outlives the program that made it. Reason numbers are never
 * reused; a change to what is pinned, or to what it means, raises the number of its part and ZW_ABI.
 * Integers are host order unless the type says __be16 or __be32. Addresses are wire order, an IPv4 address in the
 * first four of sixteen bytes, the rest zero.
 */
#ifndef ZONEWALL_H
#define ZONEWALL_H

#include <linux/types.h>

#define ZW_ABI 10

/*
 * What an instance has pinned, in parts. A zonewall of another ABI takes over what it finds (user/kernel/predecessor.h): it
 * goes on with the parts that have the numbers of its own, and makes the others anew. tests/golden/parts.py notices a struct
 * that changes while its part's number does not.
 */
enum zw_part {
	ZW_PART_CONTROL, /* the gate's line and slots, the book, which files there are; of another one nothing is taken over */
	ZW_PART_GENERATION, /* zw_layout, tables, sources, the rules' counters and names */
	ZW_PART_FLOWS, /* zw_flows4, zw_flows6 */
	ZW_PART_POINTS, /* zw_points, zw_counters */
	ZW_PART_EVENTS, /* zw_events, zw_ring, zw_collected */
	ZW_PART_LIMITS, /* zw_limits */
	ZW_PART_BLOCKS, /* zw_blocks */
	ZW_PART_CLOCK, /* zw_clock */
	ZW_PARTS,
};
#define ZW_PART_NUMBERS { 1, 4, 3, 1, 1, 1, 1, 1 } /* by enum zw_part, from 1 on */

/*
 * Why a packet was allowed (1..15) or dropped (16..31): bit 4 is the verdict. Design section 5 gives the names.
 */
enum zw_reason {
	ZW_REASON_NONE = 0,
	ZW_ALLOW_RULE = 1,
	ZW_ALLOW_DEFAULT = 2,
	ZW_ALLOW_INTRA_ZONE = 3,
	ZW_ALLOW_FAILSAFE = 4,
	ZW_ALLOW_ESSENTIAL = 5,
	ZW_ALLOW_FLOW = 6,
	ZW_ALLOW_RELATED = 7,
	ZW_ALLOW_FRAGMENT = 8,
	ZW_ALLOW_NON_IP = 9,
	ZW_DROP_ETHERTYPE = 16,
	ZW_DROP_MALFORMED = 17,
	ZW_DROP_SPOOFED = 18,
	ZW_DROP_TCP_STATE = 19,
	ZW_DROP_FRAGMENT = 20,
	ZW_DROP_BLOCKED = 21,
	ZW_DROP_REVOKED = 22,
	ZW_DROP_RULE = 23,
	ZW_DROP_DEFAULT = 24,
	ZW_DROP_LIMIT = 25,
	ZW_DROP_PLAINTEXT = 26,
	ZW_REASONS = 32,
};
#define ZW_REASON_IS_DROP(reason) (((reason) & 16) != 0)

enum zw_hook { ZW_HOOK_XDP = 0, ZW_HOOK_INGRESS = 1, ZW_HOOK_EGRESS = 2, ZW_HOOKS = 3 };

/*
 * The tables of a generation: one array map with one value, read only after it is filled.
 *
 * The value is a sequence of 64-byte lines; every section begins on a line. A packet's way through it:
 *
 *   address --roots, search lines--> atom --atoms--> source class / destination class (one pair for each matrix)
 *   protocol, port ----ports-------> port class
 *   matrix: (source class, destination class) --pairs--> row --search lines, key: port class--> cell
 *
 * Search lines. A struct zw_line is a node of a static search tree over 16-bit keys with up to ten children: value[n]
 * holds for the keys of which exactly n bounds are <= key. Three bounds share a word, in lanes of 21 bits, so that one
 * subtraction compares all three; unused ones are ZW_NO_BOUND, which no key reaches. A value with ZW_LINK set names another
 * line, searched with the same key; any other value is the answer. So a search reads ceil(log10(runs)) lines: one for up
 * to ten runs, at most ZW_SEARCH_DEPTH for 65,536.
 *
 * Addresses. The first 16 bits of an address index a root (65,536 words); what is found there, and after each further
 * 16 bits (the key), is a "step":
 *
 *   an atom            final
 *   ZW_NEXT | line     a search tree for the key
 *   ZW_SPARSE | bits << ZW_SPARSE_SHIFT | line
 *                      struct zw_sparse, 1 << bits of them, indexed by the key's upper bits; their answers are final
 *   ZW_BLOCK | line    a block of 256 words, indexed by the key's high byte; there stands what holds for all its low bytes,
 *                      or ZW_NEXT | line, a search tree of one line for the whole key, or ZW_LONE | line (IPv6 only), or
 *                      ZW_BLOCK | line, a block that is indexed by the key's low byte
 *   ZW_TAIL | line     a struct zw_tail (IPv6 only)
 *   ZW_LONE | line     a struct zw_lone, whose answer is final
 *
 * Sparse keys. Where keys differ from what surrounds them one by one, as the hosts of a feed do, a line holds up to fifteen of
 * them; all others it stands for are `outside`. An address's key is compared with all at once, in lanes of 16 bits: lanes 0 to 14
 * hold the keys, and in the same lane of `differs` the atom ^ outside, 0 where the lane is unused. Lane 15 of the keys is `outside`.
 * Where more than fifteen differ, lane 15 of `differs` is not 0, and key[0] is the first line of the atoms (u16) of all keys that
 * the line stands for.
 * Example: hosts 10.2.0.5 and 10.2.128.9 in atom 3, the rest of 10.2.0.0/16 in atom 1, one bit: root[0x0a02] = ZW_SPARSE |
 * 1 << ZW_SPARSE_SHIFT | L; line L: key = {5, 0, 0, 1 << 48}, differs = {2, 0, 0, 0}; line L + 1: key = {0x8009, 0, 0, 1 << 48},
 * differs = {2, 0, 0, 0}. (Two hosts are no reason for it; a search line would do.)
 *
 * So a key costs at most two lines. Within a search tree ZW_LINK means the same key; all other steps that a key leads to
 * are for the next one.
 * Example: 10.2.0.0/24 in atom 3, all else atom 0: root[0x0a02] = ZW_NEXT | L; line L: the first bound is 0x0100,
 * value = {3, 0, 0...}; every other root word is 0.
 *
 * Tail (path compression, IPv6): if (address & mask) == prefix the step is `inside`, else it is `outside`. `inside` may
 * be ZW_NEXT, ZW_SPARSE or ZW_BLOCK, whose key then is the `chunk`-th 16 bits of the address (0 = the first).
 *
 * Lone prefixes (IPv6): of scattered prefixes with nothing but one atom around them three share a line, so that it is likelier to be
 * in a cache, and its page's address, too. They are of one root word, so their first 16 bits are the address's. If one of them holds
 * the address the answer is its atom, else it is `outside`. Blocks name the line for each byte that has some of them.
 *
 * Rows. A row is what decides by port class: a cell, where that is the same for all of them, or ZW_LINK | line, the root of
 * a search tree whose key is the port class and whose answers are cells.
 */
#define ZW_LINK 0x80000000u
#define ZW_NEXT 0x40000000u
#define ZW_TAIL 0x20000000u
#define ZW_BLOCK 0x10000000u
#define ZW_SPARSE (ZW_NEXT | ZW_BLOCK) /* both: not one of them */
#define ZW_LONE ZW_LINK /* in words of a block only, of which ZW_LINK is not one */
#define ZW_STEPS (ZW_NEXT | ZW_TAIL | ZW_BLOCK)
#define ZW_STEP_INDEX 0x0fffffffu /* line number or atom */
#define ZW_STEPS6_MAX 15 /* each takes 16 bits more of the address, or ends: 8 tails and 7 keys */
#define ZW_SPARSE_SHIFT 23 /* in a step: beyond the number of any line */
#define ZW_SPARSE_LINE ((1u << ZW_SPARSE_SHIFT) - 1)
#define ZW_SPARSE_BITS_MAX 12
#define ZW_SPARSE_KEYS 15
#define ZW_SEARCH_DEPTH 5
#define ZW_LINE_BOUNDS 9
#define ZW_NO_BOUND 0x10000u
#define ZW_LANES (1ull | 1ull << 21 | 1ull << 42) /* times a number: the number in each lane */
#define ZW_ROOT_WORDS 65536
#define ZW_BLOCK_WORDS 256
#define ZW_TABLES_MAX (512u << 20) /* bytes; the verifier's bound for one value */

struct zw_line {
	__u64 bounds[ZW_LINE_BOUNDS / 3]; /* ascending, from the lowest lane of the first word on */
	__u32 value[ZW_LINE_BOUNDS + 1];
};

static inline __u32 zw_line_bound(const struct zw_line *line, unsigned n)
{
	return line->bounds[n / 3] >> n % 3 * 21 & 0x1fffff;
}

struct zw_sparse {
	__u64 key[4]; /* lanes from the lowest on */
	__u64 differs[4];
};
#define ZW_SPARSE_LINE_ATOMS 32 /* of keys that are too many */

static inline __u16 zw_sparse_lane(const __u64 words[4], unsigned lane)
{
	return words[lane / 4] >> lane % 4 * 16;
}

struct zw_tail {
	__u64 prefix[2]; /* host order words, most significant first */
	__u64 mask[2];
	__u32 inside, outside; /* steps */
	__u32 chunk; /* key of `inside` if that is no atom: 1..7 */
	__u32 pad[5];
};

#define ZW_LONE_PREFIXES 3

struct zw_lone {
	__u64 low[ZW_LONE_PREFIXES]; /* lower halves, host order */
	__u32 middle[ZW_LONE_PREFIXES]; /* bits 32 to 63 */
	__u32 inside[ZW_LONE_PREFIXES]; /* atoms */
	__u32 outside;
	__u16 high[ZW_LONE_PREFIXES]; /* bits 16 to 31 */
	__u8 open[ZW_LONE_PREFIXES]; /* bits of an address behind the prefix: 128 less its length, at most 112 */
	__u8 used; /* the others are as the first one */
	__u16 pad;
};

/*
 * A matrix is one complete decision over (source class, destination class, port class). Every generation has two over
 * the same atoms and port classes: policy (rules, defaults) and failsafe (its entries; everything else "drop").
 */
enum zw_matrix_id { ZW_MATRIX_POLICY = 0, ZW_MATRIX_FAILSAFE = 1, ZW_MATRICES = 2 };

/* Classes of an address set, by matrix. */
struct zw_classes {
	__u32 source, destination;
};

/* 32 bytes. `group` names the default rows of a sparse matrix, see struct zw_matrix. */
struct zw_atom {
	struct zw_classes classes[ZW_MATRICES];
	__u32 group[2]; /* of the policy matrix: as a source, as a destination */
	__u32 flags; /* ZW_ATOM_... */
	__u32 origin; /* its origin class */
};
#define ZW_ATOM_HOST 1u /* an address of this host (zone `host`) */

/*
 * Origins: `source:` of interfaces. Each zone that one of them names is a source set, numbered from 1; atoms that no
 * source set tells apart share an origin class. Bit (origin class & 31) of the u32 number
 * (source set - 1) * origin_words + (origin class >> 5) at line `origins` says whether the set holds the class.
 * Example: source sets 1 = red and 2 = blue of disjoint zones; class 0 is in neither, 1 in red, 2 in blue: the words are
 * {0x2, 0x4}. Which attach point has which source set changes while a generation lives: map zw_sources.
 */

/*
 * dense: pairs[source * destinations + destination] is the row (u32).
 * sparse (pair_buckets != 0; policy matrix only): the row is defaults[group of source * default_destinations + group of
 * destination] (u32). Where that has ZW_PAIRS set, some pairs of the two groups have other rows: these stand in a table of
 * 64-byte buckets of five (struct zw_pair_bucket): bucket zw_pair_hash(source, destination) & (pair_buckets - 1) first,
 * then the following ones (wrapping) while a bucket is full, at most ZW_PAIR_PROBES in all.
 *
 * Most default rows of a source group are one and the same, mostly that of no rule, and need not be read: for each source
 * group, `usual` has zw_usual_words() words, the usual row and then a bit for each destination group whose default row is
 * another one (bit g & 31 of word g >> 5). These stand in a processor's second cache where the default rows do not.
 */
struct zw_matrix {
	__u32 pairs; /* first line of the pair rows or buckets */
	__u32 destinations; /* destination classes: the stride of dense rows */
	__u32 pair_count; /* dense: sources * destinations */
	__u32 pair_buckets; /* sparse: a power of two, else 0 */
	__u32 defaults; /* first line of the default rows */
	__u32 default_destinations;
	__u32 default_count;
	__u32 usual; /* first line of the usual rows */
};

static inline __u32 zw_usual_words(__u32 default_destinations)
{
	return 1 + (default_destinations + 31) / 32;
}

#define ZW_PAIRS 0x40000000u
#define ZW_PAIR_PROBES 4
#define ZW_PAIRS_A_BUCKET 5

struct zw_pair {
	__u32 source, destination; /* an unused entry has source 0xffffffff */
	__u32 row;
};

struct zw_pair_bucket {
	struct zw_pair pair[ZW_PAIRS_A_BUCKET];
	__u32 used; /* 0..5, entries are filled from the front */
};

static inline __u32 zw_pair_hash(__u32 source, __u32 destination)
{
	__u64 h = ((__u64)source << 32 | destination) * 0x9e3779b97f4a7c15ull;

	return h >> 40;
}

/*
 * Port class of (protocol, port): port is the destination port for tcp, udp and sctp, type << 8 | code for icmp and
 * icmpv6, and 0 for all others. Where ports[i] is not 0 it is the first line of 65,536 classes (u16) for that
 * protocol; else, and for all other protocols, the class is protocols[protocol] (u16, 256 entries).
 */
enum zw_port_table { ZW_PORT_TCP, ZW_PORT_UDP, ZW_PORT_SCTP, ZW_PORT_ICMP, ZW_PORT_ICMPV6, ZW_PORT_TABLES };

/*
 * A cell is the decision: bits 0-19 the number of the rule (1-based, in evaluation order of the generation's rule
 * table; 0 none), and flags. Bits 30 and 31 (ZW_PAIRS, ZW_LINK) are never set in a cell.
 */
#define ZW_CELL_RULE 0x000fffffu
#define ZW_CELL_LOG 0x00100000u /* a drop sends an event; the first packet of an allowed flow sends one */
#define ZW_CELL_LOG_ALL 0x00200000u /* every packet of an allowed flow sends one */
#define ZW_CELL_ALLOW 0x00400000u
#define ZW_CELL_INTRA 0x00800000u /* decided by defaults.intra-zone (rule 0) */
#define ZW_CELL_TLS_MIN_1_2 ZW_CELL_INTRA /* with ZW_CELL_TLS, which only rules have: of TLS 1.2 or later */
#define ZW_CELL_LIMIT 0x01000000u
#define ZW_CELL_AT_BOOT ZW_CELL_LIMIT /* of failsafe, which has no limit: see failsafe_towards() */
#define ZW_CELL_TLS 0x02000000u
#define ZW_CELL_EXPIRES 0x04000000u /* the rule ends: see "terms" below */
/* Only in the tables: bits 0-19 are the index of a struct zw_variant instead, and nothing else is set. */
#define ZW_CELL_VARIANT 0x08000000u
/* Only in a flow's slot: its opener's address, the other side's, is this host's, as its generation sees it; that is known. */
#define ZW_CELL_FROM_HOST 0x08000000u
#define ZW_CELL_TO_HOST 0x10000000u
#define ZW_CELL_HOSTS_KNOWN 0x20000000u
#define ZW_CELL_HOSTS (ZW_CELL_FROM_HOST | ZW_CELL_TO_HOST | ZW_CELL_HOSTS_KNOWN)
/* Only in a flow's slot, two bits: what stage tls knows of it (bpf/tls.h). None: it was not checked, or is refused. */
#define ZW_TLS_STATE 0xc0000000u
#define ZW_TLS_WAITING 0x40000000u /* its opener has not spoken */
#define ZW_TLS_CHECKED 0x80000000u /* its opener began with a ClientHello */
#define ZW_TLS_CHECKED_1_2 0xc0000000u /* of TLS 1.2 or later */
#define ZW_RULES_MAX 1048575u

/*
 * Limits: the u32 number `rule` at line `limits` is the index of a struct zw_limit at line `limit_records`. Only rules whose
 * cells have ZW_CELL_LIMIT are asked for. What has been taken of the buckets stands in the map zw_limits, see struct zw_limits.
 */
struct zw_limit {
	__u64 key; /* of the rule's id and of its limit: what the same rule has in every generation */
	__u64 cost_ns; /* in which a token comes in, a multiple of ZW_LIMIT_STEP_NS */
	__u64 depth_ns; /* in which an empty bucket fills; at most ZW_LIMIT_DEPTH_MAX_NS */
	__u32 ban_s; /* a source that overruns is blocked for so long; 0: it is not */
	__u32 per_source; /* each IPv4 address, each IPv6 /64 has a bucket */
};

/*
 * Who is never banned: addresses of this host, sources of failsafe entries (but of those from `any`), link-local addresses; of
 * IPv6, each /64 that holds one of them, since a ban is of a /64. Ascending, not adjacent. Only where has_bans is set.
 */
struct zw_span {
	__u64 first, last; /* IPv4 addresses; the upper halves of IPv6 addresses */
};

#define ZW_LIMIT_STEP_NS 4
#define ZW_LIMIT_DEPTH_MAX_NS (1ull << 53) /* 104 days */

/*
 * Terms: what a rule has besides a match and an action. Where rules end (`until`) or are staged, a cell alone does not say
 * what holds: it names a variant.
 *
 * A variant holds until an instant; then `next` does. So a chain of variants is the list of all decisions that this pair
 * and port will have. A rule's flows end with it: their cell has ZW_CELL_EXPIRES, and `instants` of the rule's number says
 * when. `staged` is the staged rule that would decide, were all staged rules enforced; it only counts.
 * Example: rule 1 allows until 1,000 and rule 2, which is staged, drops; the default drops. Variant 0 = {until 0, cell 0,
 * next 0, staged 2}; variant 1 = {until 1000, cell 1 | EXPIRES | ALLOW, next VARIANT | 0, staged 0}: chains are made from their
 * ends.
 */
struct zw_variant {
	__u64 until; /* Unix seconds; 0: for good */
	__u32 cell; /* never a variant */
	__u32 next; /* a cell, or a variant that holds for longer */
	__u32 staged; /* what is ZW_STAGED of its rule's cell; 0: no staged rule would decide */
	__u32 pad[3];
};
#define ZW_STAGED (ZW_CELL_RULE | ZW_CELL_ALLOW | ZW_CELL_TLS | ZW_CELL_TLS_MIN_1_2)
#define ZW_VARIANTS_MAX 1048575u
#define ZW_VARIANTS_CHAIN 64 /* variants, one after the other */

/*
 * State map zw_clock: what makes of CLOCK_TAI, which programs can read (since Linux 6.1, the oldest that is supported), the
 * wall clock. Both are set together: only a correction of their difference (leap seconds, a time server's first word)
 * needs user space, which looks each second.
 */
struct zw_clock {
	__s64 tai_ahead_s; /* of CLOCK_REALTIME */
	__u64 pad[7];
};

/* Where the sections stand and what the policy's defaults are: a load-time constant of the programs. */
struct zw_layout {
	__u32 lines; /* all lines of the tables */
	__u32 root4, root6; /* first lines of the roots, 65,536 words each */
	__u32 steps6; /* from the root, no more lead an IPv6 address to its atom; at most ZW_STEPS6_MAX */
	__u32 atoms, atom_count; /* first line, number */
	__u32 ports[ZW_PORT_TABLES]; /* first lines, or 0 */
	__u32 protocols; /* first line */
	__u32 origins; /* first line, or 0 */
	__u32 origin_words; /* u32 of one source set */
	__u32 source_sets; /* 0: no interface has `source:` */
	__u32 limits; /* first line of the limits' numbers, or 0 */
	__u32 limit_words; /* rule numbers from 0 to the last one with a limit; 0: no rule has one */
	__u32 limit_records; /* first line */
	__u32 limit_count; /* records */
	__u32 spared[2]; /* first lines of the spans of IPv4, of IPv6, or 0 */
	__u32 spared_count[2];
	struct zw_matrix matrix[ZW_MATRICES];
	__u32 variants, variant_count; /* first line, number of struct zw_variant; 0: every cell says all */
	__u32 instants, instant_count; /* of rules 0..count - 1: when they end (u64, as in a variant); 0: none does */
	__u32 rule_count; /* rules and failsafe entries have one numbering: rules 1..n, then failsafe entries */
	__u32 generation; /* 0 is no generation: flows seeded or not yet decided */
	__u8 log_drops; /* drops without a rule send events (defaults.log is not none) */
	__u8 allow_non_ip; /* defaults.non-ip is allow */
	__u8 tcp_strict;
	__u8 has_failsafe;
	__u8 has_bans; /* some limit bans */
	__u8 simulate; /* time, attach point and direction come from the map zw_simulation; decisions are noted there */
	__u8 has_tls; /* some rule has `tls` */
	__u8 has_staged_tls; /* some staged rule has */
};

/*
 * Flows: one table a family, in the array maps zw_flows4 and zw_flows6, each with one value:
 *
 *   seeds       16 random 64-bit numbers, written once when the map is made: they key the hash
 *   stats       a struct zw_flow_stats for each CPU
 *   tags        a word for each bucket: a byte for each slot, of the hash of the flow that took it last
 *   hints       a word (u32) for each slot: what its flow is worth, so that who opens one need not look at eight
 *   slots       eight a bucket, each the key's words (IPv4 two, IPv6 six) and a struct zw_flow_slot: one line, IPv6 one
 *               and a half. First the first slots of all buckets, then all second ones, and so on. A power of two of
 *               buckets for flows, then some that remember first fragments (bpf/fragment.h)
 *   accounts    a struct zw_flow_account for each slot: not written before the flow's second packet
 *
 * The words' fields and the protocol that keeps them whole without locks are described in bpf/flow_table.h. A look-up
 * reads the bucket's tags, which for a quarter of a million flows fit into a CPU's second cache, and the lines of a slot
 * whose tag is the flow's: no line of flows for most packets of none.
 */
struct zw_flow_slot {
	__u64 head;
	__u64 aux;
	__u64 cell; /* that allowed the flow in its head's generation, 32 bits; the first packet's port, 16; the version */
	__u64 window[2]; /* TCP: of the opener, of the other side, see bpf/tcp_window.h; a first fragment: bpf/fragment.h */
	__u32 recent[2]; /* packets and bytes from the opener, from the other side: not yet in the account (bpf/flow_count.h) */
};

/* Of another version than its slot: the flow has moved nothing here yet, and its aux still says when it was opened. */
struct zw_flow_account {
	__u64 opened; /* jiffies, 48 bits, and the version */
	__u64 packets[2], bytes[2]; /* from the opener, from the other side */
};

struct zw_flow_stats {
	__u64 replaced; /* live, unconfirmed flows whose slot went to another */
	__u64 refused; /* new flows that found no slot */
	__u64 unprotected; /* flows that should be confirmed and found their bucket full of confirmed ones */
	__u64 pad[5];
};

#define ZW_FLOW_SEEDS 16
#define ZW_FLOW_SLOTS 8 /* a bucket */
#define ZW_FRAGMENT_BUCKETS 1024

static inline __u32 zw_flow_key_words(int family)
{
	return family == 4 ? 2 : 6;
}

static inline __u32 zw_flow_slot_size(int family)
{
	return zw_flow_key_words(family) * 8 + sizeof(struct zw_flow_slot);
}

/* Where the sections of a table stand: offsets in bytes. A load-time constant of the programs. */
struct zw_flow_layout {
	__u32 buckets; /* for flows; a power of two */
	__u32 fragment_buckets; /* behind them; a power of two */
	__u64 tags, hints, slots, accounts;
	__u64 size; /* of the whole value */
};

static inline struct zw_flow_layout zw_flow_layout(int family, __u32 cpus, __u32 buckets, __u32 fragment_buckets)
{
	struct zw_flow_layout l = { .buckets = buckets, .fragment_buckets = fragment_buckets };
	__u64 all = (__u64)buckets + fragment_buckets;

	l.tags = ZW_FLOW_SEEDS * 8 + (__u64)cpus * sizeof(struct zw_flow_stats);
	l.hints = (l.tags + all * 8 + 63) & ~63ull;
	l.slots = (l.hints + all * ZW_FLOW_SLOTS * 4 + 63) & ~63ull;
	l.accounts = l.slots + all * ZW_FLOW_SLOTS * zw_flow_slot_size(family);
	l.size = l.accounts + all * ZW_FLOW_SLOTS * sizeof(struct zw_flow_account);
	return l;
}

enum zw_flow_state {
	ZW_FLOW_FREE = 0,
	ZW_FLOW_TCP_SYN, /* SYN seen: 120 s */
	ZW_FLOW_TCP_SYN_ACK, /* SYN+ACK seen: 60 s */
	ZW_FLOW_TCP_ESTABLISHED, /* 432,000 s */
	ZW_FLOW_TCP_FIN, /* one side has sent FIN: 120 s */
	ZW_FLOW_TCP_CLOSING, /* both have: 30 s */
	ZW_FLOW_TCP_RESET, /* a RST in window was seen: 10 s */
	ZW_FLOW_TCP_PICKED_UP, /* begun mid-stream, not yet answered: 300 s */
	ZW_FLOW_UDP, /* 30 s */
	ZW_FLOW_UDP_REPLIED, /* answered, not yet confirmed: 30 s */
	ZW_FLOW_UDP_CONFIRMED, /* 120 s */
	ZW_FLOW_ICMP, /* 30 s */
	ZW_FLOW_SCTP, /* 60 s */
	ZW_FLOW_SCTP_REPLIED, /* 60 s */
	ZW_FLOW_SCTP_CONFIRMED, /* 210 s */
	ZW_FLOW_OTHER, /* 600 s */
	ZW_FLOW_STATES,
};

#define ZW_HINT_TIME_BITS 27 /* see bpf/flow_table.h */

/* Timeouts in jiffies by enum zw_flow_state: a load-time constant, since HZ is measured. */
struct zw_timeouts {
	__u32 jiffies[ZW_FLOW_STATES];
	__u32 hint_shift; /* hints count 1 << hint_shift jiffies, so that their time is longer than any timeout */
};

/*
 * Token buckets: state map zw_limits, an array with one value. A bucket is a key and a level, both described in bpf/tokens.h;
 * eight form a set, whose keys are one line and whose levels are the next. The hash of a bucket's key names its set. Buckets of
 * rules stand apart, so that however many sources come, a rule's own has its place.
 */
#define ZW_LIMIT_WAYS 8
#define ZW_LIMIT_RULE_SETS 8192
#define ZW_LIMIT_SOURCE_SETS 16384
#define ZW_LIMITED_RULES_MAX 4096 /* of a policy: an eighth of the rules' buckets, so that eight rarely meet in a set */

struct zw_limit_set {
	__u64 key[ZW_LIMIT_WAYS];
	__u64 level[ZW_LIMIT_WAYS];
};

struct zw_limits {
	__u64 seeds[ZW_FLOW_SEEDS]; /* as those of the flow tables */
	__u64 shared; /* first packets of sources that found no bucket, and asked their rule's; may lose a few */
	__u64 pad[15];
	struct zw_limit_set rules[ZW_LIMIT_RULE_SETS];
	struct zw_limit_set sources[ZW_LIMIT_SOURCE_SETS];
};

/* Counters. Both maps are arrays with one value that user space maps: a stride for each CPU, so no line is shared. */
struct zw_count {
	__u64 packets;
	__u64 bytes; /* IP bytes, each GSO segment with its own headers; of what is not IP, the frame less its link header */
};

/* state map zw_points: [cpu][slot] */
struct zw_point_counters {
	struct zw_count reason[ZW_REASONS];
};
#define ZW_POINT_SLOTS 1024 /* attach points; slot 0 counts packets of attach points not (yet) known */

/*
 * Generation map zw_sources: the source set of each attach point slot, 0 none; slot 0 has none. User space writes a
 * slot's word before packets meet the slot: before the generation decides, or before the attach point is attached; and
 * again only if the interface gets another name.
 */
struct zw_sources {
	__u32 set[ZW_POINT_SLOTS];
};

/*
 * The temporary block list: state map zw_blocks, one value; what is said with it stands in bpf/block.h.
 *
 *   head      a line that every packet reads: is there anything on the list at all?
 *   lengths   a line: the lengths of prefixes that may be on it, by family (IPv4, IPv6), from the front; 0 ends them,
 *             ZW_BLOCK_NO_LENGTH is one that was taken off
 *   filter    lines of bits; an address that is not on the list reads one of them, and mostly no more
 *   buckets   the prefixes; each stands in one of two buckets, and an address asks for one prefix of each length
 */
#define ZW_BLOCK_LENGTHS 32 /* of one family, at a time */
#define ZW_BLOCK_NO_LENGTH 255
#define ZW_BLOCK_FILTER_LINES 4096
#define ZW_BLOCK_BUCKETS 65536
#define ZW_BLOCK_WAYS 4

struct zw_block {
	__u64 head; /* version 16 | ZW_BLOCK_BUSY | ZW_BLOCK_BAN | jiffies from which on it blocks no more, 46 bits: 0 free */
	__u64 word[3]; /* version 16 | 48 bits each: the prefix, its length, its family */
};
#define ZW_BLOCK_BUSY (1ull << 47) /* being written */
#define ZW_BLOCK_BAN (1ull << 46) /* put there by a rule's limit */
#define ZW_BLOCK_UNTIL ((1ull << 46) - 1)
#define ZW_BLOCK_FOR_EVER ZW_BLOCK_UNTIL /* some 2,000 years of jiffies */

struct zw_blocks {
	__u32 used; /* 0: the list is empty */
	__u32 wide; /* bit 0, 1: a prefix of IPv4, IPv6 is too short for the filter */
	__u64 seed[4]; /* random, written once */
	__u64 refused; /* bans that found no room */
	__u64 pad[2];
	__u8 lengths[2][ZW_BLOCK_LENGTHS];
	__u64 filter[ZW_BLOCK_FILTER_LINES][8];
	struct zw_block bucket[ZW_BLOCK_BUCKETS][ZW_BLOCK_WAYS];
};

/*
 * generation map zw_matches: for each CPU an exact-match cache of what the tables say of two addresses, a protocol, a port and a
 * source set (bpf/match_cache.h). An IPv4 packet has one match, an IPv6 packet has four, which are a line.
 */
#define ZW_MATCHES_MAX 65536u /* of a CPU: 1 MiB */
#define ZW_MATCHES_ALL 1048576u /* of all CPUs: 16 MiB */
#define ZW_MATCHES_LINE 4
#define ZW_MATCH_IPV6 0x01000000u
#define ZW_MATCH_SET_SHIFT 25
#define ZW_MATCH_SETS 64u /* source sets below have matches, 0 being none */
#define ZW_MATCH_NO_FAILSAFE 0x80000000u
#define ZW_MATCH_CELL 0x0fffffffu /* as it stands in the tables */
#define ZW_MATCH_FROM_HOST 0x10000000u /* the source is an address of this host */
#define ZW_MATCH_TO_HOST 0x20000000u
#define ZW_MATCH_STRANGE 0x40000000u /* the source is not in the source set */
#define ZW_MATCH_NO_CELL 0x80000000u /* no packet has asked yet */

struct zw_match {
	__u64 ends; /* IPv4: both addresses; IPv6: the upper or lower half of one */
	__u32 what; /* port, protocol << 16, ZW_MATCH_IPV6, source set << 25; beside them ZW_MATCH_NO_FAILSAFE: no entry allows it */
	__u32 said; /* the cell and what is known of the ends; of four the first one's */
};

/* A power of two, at least a line. Of many CPUs each sees a part of the packets. */
static inline __u32 zw_match_entries_of(__u32 cpus)
{
	__u32 entries = ZW_MATCHES_MAX;

	while (entries > ZW_MATCHES_LINE && (__u64)entries * cpus > ZW_MATCHES_ALL)
		entries /= 2;
	return entries;
}

/*
 * generation map zw_rules: for each CPU entries by rule number, then (u64) how many packets each rule's limit has dropped, by
 * rule number up to the last one with a limit, rounded up to a line
 */
struct zw_rule_counters {
	__u64 flows; /* new flows, or drops' packets that were first packets */
	struct zw_count packets;
	__u64 last; /* jiffies64 of the last hit; 0 never */
};

/* The entry of a staged rule, which decides nothing: the first packets that it would have decided. */
struct zw_staged_counters {
	__u64 allowed, dropped;
	__u64 changed; /* those among them whose verdict was another one */
	__u64 last;
};

static inline __u64 zw_rules_limited(__u32 rule_count)
{
	return (rule_count + 1ull) * sizeof(struct zw_rule_counters);
}

static inline __u64 zw_rules_stride(__u32 rule_count, __u32 limit_words)
{
	return (zw_rules_limited(rule_count) + limit_words * sizeof(__u64) + 63) & ~63ull;
}

/*
 * Attach points by interface index: an open hash of ZW_POINT_ENTRIES, first probed at ifindex & (entries - 1), then the
 * following (wrapping), at most ZW_POINT_PROBES. User space writes; ifindex is stored last. One map for all hooks.
 */
struct zw_point {
	__u32 ifindex; /* 0: empty */
	__u16 slot[ZW_HOOKS]; /* into zw_point_counters */
	__u16 flags; /* ZW_POINT_... */
	__u8 mac[6];
	__u8 pad[14];
};
#define ZW_POINT_ENTRIES 2048
#define ZW_POINT_PROBES 8
#define ZW_POINT_L3 1u /* frames have no Ethernet header (tun, wireguard) */

/*
 * Events. Repeats are folded: each CPU has a direct-mapped cache of entries that BPF alone writes and the reader maps.
 * `total` counts the drops of `key` in this incarnation and only grows; the reader keeps what it has already told of
 * each entry and reports differences, so it never writes what BPF writes, and nothing is lost while it is away.
 * BPF sends a record to the ring when a key is new in an entry and when an entry is given to another key (then with
 * its final total). Replacement of a young entry costs a token (ZW_EVENT_BUDGET a second a CPU); without a token, or
 * with a full ring, the drop is counted in the entry of its (rule, reason), or if that is taken, of its reason alone:
 * those have no addresses ("folded").
 */
struct zw_event_key {
	__u32 source[4], destination[4];
	__u32 generation;
	__u32 rule; /* number, 0 none */
	__be16 port; /* destination port, or icmp type << 8 | code in wire order */
	__u8 protocol;
	__u8 reason;
	__u8 family; /* 4, 6, or 0: no address was read */
	__u8 flags; /* ZW_EVENT_... */
	__u16 slot; /* attach point */
};
#define ZW_EVENT_FOLDED 1u /* addresses, port and protocol are not one packet's */
#define ZW_EVENT_EGRESS 2u
#define ZW_EVENT_BANNED 8u /* this packet's source has overrun a limit, and is on the block list now */

struct zw_event_entry {
	struct zw_event_key key; /* 48 bytes */
	__u64 total;
	__u32 incarnation; /* 0: never used */
	__u32 since; /* low 32 bits of jiffies when this key came */
};
#define ZW_EVENT_ENTRIES 1024 /* by key */
#define ZW_EVENT_RULE_ENTRIES 256 /* by (rule, reason) */
#define ZW_EVENT_ALL_ENTRIES (ZW_EVENT_ENTRIES + ZW_EVENT_RULE_ENTRIES + ZW_REASONS)
#define ZW_EVENT_BUDGET 10000 /* a second a CPU */

/* 64 bytes at the head of each CPU's stride in state map zw_events, followed by ZW_EVENT_ALL_ENTRIES entries */
struct zw_event_head {
	__u64 logged; /* packets that should be told: the sum of all totals, over all incarnations */
	__u64 sent; /* records */
	__u64 full; /* times the ring had no room */
	__u32 tokens, tokens_at;
	__u64 pad[4];
};

/* A record in the ring buffer: 128 bytes. The entry's key and total, and what this one packet had besides. */
struct zw_event {
	struct zw_event_key key;
	__u64 total;
	__u32 incarnation;
	__u32 entry; /* index in the CPU's stride */
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u64 cgroup; /* id of a local sender's, 0 unknown (egress only) */
	__u32 length; /* of the IP packet, bytes */
	__u16 cpu;
	__be16 source_port;
	__u16 vlan; /* outer tag's VID, 0 none */
	__u8 tcp_flags;
	__u8 final; /* 1: the entry's last total before it went to another key; the fields of a packet are zero */
	__u8 pad[36];
};

/*
 * The gate's line (global data of gate.bpf.c, pinned as map zw_gate). One word says what decides, and changes as a whole,
 * by stores of user space under the lock and by the gate's own compare-and-exchange:
 *
 *   bits 0-7    the slot whose generation decides
 *   bits 8-15   the slot to go back to; the same one: there is none
 *   bits 16-23  enum zw_gate_state
 *   bit 24      ZW_GATE_PARTLY
 *
 * Three slots, so that while a generation is on trial another can be put beside it and the one to go back to.
 * Example: generation 7 in slot 2 on trial, 6 in slot 0 to go back to: 0x010002; past the deadline it is 0x020200.
 */
#define ZW_GATE_SLOTS 3
struct zw_gate {
	__u64 word;
	__u64 deadline; /* of a trial, jiffies64; 0: none yet */
	__u64 missed; /* tail calls that failed, or came to a slot whose generation is retired: those packets were dropped */
	__u32 generation[ZW_GATE_SLOTS]; /* of each slot, 0: passes everything, or not in use */
	__u32 pad;
	__u64 pad2[3];
};

/* ON_TRIAL becomes CONFIRMED by user space, or REVERTED by the first packet past the deadline, or by user space. */
enum zw_gate_state { ZW_GATE_CONFIRMED = 0, ZW_GATE_ON_TRIAL = 1, ZW_GATE_REVERTED = 2 };
#define ZW_GATE_STATE (0xffull << 16) /* its bits in the word */

/*
 * Some interfaces are attached that one of the generations does not name: map zw_unnamed has them, by interface index,
 * and which slots' generations do not (a bit each). There everything passes as long as such a slot decides.
 */
#define ZW_GATE_PARTLY (1ull << 24)

static inline __u64 zw_gate_word(__u32 active, __u32 fallback, enum zw_gate_state state)
{
	return active | fallback << 8 | (__u64)state << 16;
}

static inline __u32 zw_gate_active(__u64 word)
{
	return word & 0xff;
}

static inline __u32 zw_gate_fallback(__u64 word)
{
	return word >> 8 & 0xff;
}

static inline enum zw_gate_state zw_gate_state(__u64 word)
{
	return (enum zw_gate_state)(word >> 16 & 0xff);
}

/* What a trial's word becomes when it is over: the slots exchanged, so that the one that failed is still known. */
static inline __u64 zw_gate_reverted(__u64 word)
{
	return zw_gate_word(zw_gate_fallback(word), zw_gate_active(word), ZW_GATE_REVERTED) | (word & ZW_GATE_PARTLY);
}

/* Simulation (layout.simulate): map zw_simulation, one value. */
struct zw_simulation {
	__u64 jiffies; /* in: now */
	__u64 seconds; /* in: now, of the wall clock: Unix seconds */
	__u32 slot; /* in: attach point */
	__u32 flags; /* in: ZW_POINT_... */
	__u8 mac[6]; /* in */
	__u8 pad[2];
	__u32 source_set; /* in: of the attach point, 0 none */
	__u32 reason; /* out */
	__u32 rule; /* out: number, 0 none */
	__u32 staged; /* out: the staged rule that would have decided, as in a variant; 0 none */
	__u32 atom[2]; /* out: of source and destination, ZW_NO_ATOM if no address was read */
};
#define ZW_NO_ATOM 0xffffffffu

#ifdef __cplusplus
#define ZW_ASSERT(c, m) static_assert(c, m)
#else
#define ZW_ASSERT(c, m) _Static_assert(c, m)
#endif
ZW_ASSERT(sizeof(struct zw_line) == 64, "a line is a cache line");
ZW_ASSERT(sizeof(struct zw_tail) == 64, "a line is a cache line");
ZW_ASSERT(sizeof(struct zw_lone) == 64, "a line is a cache line");
ZW_ASSERT(sizeof(struct zw_sparse) == 64, "a line is a cache line");
ZW_ASSERT(ZW_TABLES_MAX / 64 <= 1u << ZW_SPARSE_SHIFT && ZW_SPARSE_BITS_MAX < 16, "a step has room for line and bits");
ZW_ASSERT(sizeof(struct zw_match) * ZW_MATCHES_LINE == 64, "four matches are a cache line");
ZW_ASSERT((ZW_CELL_VARIANT | (ZW_CELL_VARIANT - 1)) == ZW_MATCH_CELL, "a match has all bits that a cell has in the tables");
ZW_ASSERT(sizeof(struct zw_atom) == 32, "two atoms a line");
ZW_ASSERT(sizeof(struct zw_variant) == 32, "two variants a line");
ZW_ASSERT(sizeof(struct zw_staged_counters) == sizeof(struct zw_rule_counters), "an entry is either");
ZW_ASSERT(sizeof(struct zw_pair_bucket) == 64, "a bucket is a cache line");
ZW_ASSERT(sizeof(struct zw_limit) == 32, "two limits a line");
ZW_ASSERT(sizeof(struct zw_limit_set) == 128 && sizeof(struct zw_limits) % 128 == 0, "a set is two lines");
ZW_ASSERT(sizeof(struct zw_flow_slot) == 48, "an IPv4 slot is a cache line, an IPv6 slot one and a half");
ZW_ASSERT(sizeof(struct zw_flow_stats) == 64, "a cache line");
ZW_ASSERT(ZW_FLOW_STATES <= 16, "a state has four bits");
ZW_ASSERT(sizeof(struct zw_block) == 32 && sizeof(((struct zw_blocks *)0)->lengths) == 64 && sizeof(struct zw_blocks) % 64 == 0,
	  "head, lengths and lines of the filter are cache lines");
ZW_ASSERT(sizeof(struct zw_point) == 32, "two attach points a line");
ZW_ASSERT(sizeof(struct zw_event_key) == 48 && sizeof(struct zw_event_entry) == 64, "an entry is a cache line");
ZW_ASSERT(sizeof(struct zw_event_head) == 64, "a head is a cache line");
ZW_ASSERT(sizeof(struct zw_event) == 128, "two cache lines, no hidden padding");
ZW_ASSERT(sizeof(struct zw_gate) == 64, "the gate is a cache line");

#endif
