// SPDX-License-Identifier: GPL-2.0-only
/*
 * Addresses are alike as an end if they have the same classes in both matrices, in both directions (an answer that failsafe
 * lets pass is looked up with the ends exchanged), the same flags and origin, and are alike for stages parse and
 * essentials. Ports are alike if they have the same port class and are the same to stage essentials. Of pairs with the
 * same rows only the first is looked at: what stands in a row is all that a pair adds. And of its packets those are decided
 * of which the cells, with all that other stages look at, were not met before.
 */
#include "simulate/reach.h"

#include <netinet/in.h>

#include "base/util.h"
#include "lookup.h"

/* --- Addresses --------------------------------------------------------------------------------------------------- */

/* Of a kind; sorted by them, plain addresses come before multicast and the like, and so make the examples. */
enum { KEY_FAMILY, KEY_BLOCK, KEY_FLAGS, KEY_ORIGIN, KEY_CLASSES, KEYS = KEY_CLASSES + 2 * ZW_MATRICES };

/* What one address stands for. */
struct kind {
	uint32_t key[KEYS]; /* see above */
	uint32_t atom;
	struct addr example;
};

struct kinds {
	struct kind *v;
	size_t count;
};

/* Where stages parse and essentials tell addresses apart. */
static const struct {
	int family;
	u128 first, last;
} blocks[] = {
#define HIGH(word) ((u128)(word) << 112)
	{ 4, 0, 0 },
	{ 4, 0x7f000000, 0x7fffffff },
	{ 4, 0xe0000000, 0xefffffff },
	{ 4, 0xffffffff, 0xffffffff },
	{ 6, 0, 0 },
	{ 6, 1, 1 },
	{ 6, (u128)0xffff << 32, ((u128)0xffff << 32) + 0xffffffff },
	{ 6, HIGH(0xfe80), HIGH(0xfec0) - 1 },
	{ 6, HIGH(0xff00), HIGH(0xff02) + 0x10001 },
	{ 6, HIGH(0xff02) + 0x10002, HIGH(0xff02) + 0x10002 },
	{ 6, HIGH(0xff02) + 0x10003, ADDR_MAX6 },
	/* These are like all others, but nobody would take them for an example. */
	{ 4, 1, 0x00ffffff },
	{ 6, 2, HIGH(1) - 1 },
};

static uint32_t block_of(const struct addr *addr)
{
	for (uint32_t i = 0; i < ARRAY_LEN(blocks); i++)
		if (blocks[i].family == addr->family && blocks[i].first <= addr->value && addr->value <= blocks[i].last)
			return i + 1;
	return 0;
}

static int compare_values(const void *a, const void *b)
{
	const u128 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int compare_kinds(const void *a, const void *b)
{
	const struct kind *x = a, *y = b;

	for (size_t i = 0; i < ARRAY_LEN(x->key); i++)
		if (x->key[i] != y->key[i])
			return x->key[i] < y->key[i] ? -1 : 1;
	return x->example.value < y->example.value ? -1 : x->example.value > y->example.value;
}

struct cuts {
	u128 *v;
	size_t count;
};

static int add_cuts(struct cuts *cuts, u128 first, u128 last, u128 max)
{
	int err = array_grow(&cuts->v, cuts->count, sizeof(*cuts->v));

	if (err)
		return err;
	cuts->v[cuts->count++] = first;
	if (last == max)
		return 0;
	err = array_grow(&cuts->v, cuts->count, sizeof(*cuts->v));
	if (!err)
		cuts->v[cuts->count++] = last + 1;
	return err;
}

/* Every address of a family at which something begins or ends, ascending. */
static int find_cuts(const struct policy *policy, int family, struct cuts *cuts)
{
	u128 max = family == 4 ? ADDR_MAX4 : ADDR_MAX6;
	int err = 0;

	for (size_t i = 0; !err && i < policy->zone_count; i++) {
		const struct ranges *set = &policy->zones[i].set;
		const struct range *v = family == 4 ? set->v4 : set->v6;
		size_t count = family == 4 ? set->v4_count : set->v6_count;

		for (size_t j = 0; !err && j < count; j++)
			err = add_cuts(cuts, v[j].first, v[j].last, max);
	}
	for (size_t i = 0; !err && i < ARRAY_LEN(blocks); i++)
		if (blocks[i].family == family)
			err = add_cuts(cuts, blocks[i].first, blocks[i].last, max);
	if (!err)
		qsort(cuts->v, cuts->count, sizeof(*cuts->v), compare_values);
	return err;
}

static int add_kind(struct kinds *kinds, const struct addr *addr)
{
	uint32_t wire[4] = { 0 };
	const struct zw_atom *a;
	struct kind kind = { .example = *addr };
	int err = array_grow(&kinds->v, kinds->count, sizeof(*kinds->v));

	if (err)
		return err;
	addr_to_bytes(addr, wire);
	kind.atom = find_atom(addr->family, wire);
	a = get_atom(kind.atom);
	if (!a)
		return -EINVAL;
	kind.key[KEY_FAMILY] = addr->family;
	kind.key[KEY_BLOCK] = block_of(addr);
	kind.key[KEY_FLAGS] = a->flags;
	kind.key[KEY_ORIGIN] = a->origin;
	for (int m = 0; m < ZW_MATRICES; m++) {
		kind.key[KEY_CLASSES + 2 * m] = a->classes[m].source;
		kind.key[KEY_CLASSES + 2 * m + 1] = a->classes[m].destination;
	}
	kinds->v[kinds->count++] = kind;
	return 0;
}

/* Where the first cut behind an address stands. */
static size_t cut_behind(const struct cuts *cuts, u128 value)
{
	size_t low = 0, high = cuts->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (cuts->v[middle] <= value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * An address of each piece of a range: the second as a source, the third as a destination, if there are so many. People
 * know the first as the network's name, and the same address at both ends is a poor example.
 */
static int add_range(struct kinds *kinds, const struct cuts *cuts, int family, const struct range *range, unsigned nth)
{
	size_t cut = cut_behind(cuts, range->first);
	u128 first = range->first, last;
	int err = 0;

	for (bool end = false; !err && !end; first = last + 1) {
		while (cut < cuts->count && cuts->v[cut] <= first)
			cut++;
		end = cut == cuts->count || cuts->v[cut] > range->last;
		last = end ? range->last : cuts->v[cut] - 1;
		err = add_kind(kinds, &(struct addr){ family, last - first < nth ? last : first + nth });
	}
	return err;
}

/* One of each kind stays. */
static void unite(struct kinds *kinds)
{
	size_t kept = 0;

	qsort(kinds->v, kinds->count, sizeof(*kinds->v), compare_kinds);
	for (size_t i = 0; i < kinds->count; i++)
		if (!kept || memcmp(kinds->v[i].key, kinds->v[kept - 1].key, sizeof(kinds->v[i].key)))
			kinds->v[kept++] = kinds->v[i];
	kinds->count = kept;
}

static int find_kinds(const struct policy *policy, int family, const struct ranges *set, unsigned nth,
		      struct kinds *kinds)
{
	const struct range *v = family == 4 ? set->v4 : set->v6;
	size_t count = family == 4 ? set->v4_count : set->v6_count;
	struct cuts cuts = { 0 };
	int err;

	if (!count)
		return 0;
	err = find_cuts(policy, family, &cuts);
	for (size_t i = 0; !err && i < count; i++)
		err = add_range(kinds, &cuts, family, &v[i], nth);
	if (!err)
		unite(kinds);
	free(cuts.v);
	return err;
}

/* --- Ports ------------------------------------------------------------------------------------------------------- */

struct port {
	uint8_t protocol;
	uint16_t port;
};

struct ports {
	struct port *v;
	size_t count;
	bool *seen; /* [special][port class] of the protocol that came last */
	int last; /* protocol + 1; 0: none came */
};

#define CLASSES_MAX 65536
#define SPECIALS 8

/* What stage essentials looks at, apart from addresses. */
static unsigned special_of(uint8_t protocol, uint16_t port)
{
	unsigned type = port >> 8;

	if (protocol == IPPROTO_UDP)
		return port == 67 ? 1 : port == 68 ? 2 : port == 546 ? 3 : port == 547 ? 4 : 0;
	if (protocol != IPPROTO_ICMPV6)
		return 0;
	if ((type >= 130 && type <= 132) || type == 143)
		return 5;
	return type == 134 ? 6 : type == 133 || type == 135 || type == 136 ? 7 : 0;
}

static bool has_ports(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

/* No stage but policy and failsafe knows it. */
static bool is_plain(uint8_t protocol)
{
	return !has_ports(protocol) && protocol != IPPROTO_IGMP && !explain_is_header(6, protocol);
}

/* Takes a port if none like it was taken. */
static int add_port(struct ports *ports, uint8_t protocol, uint16_t port)
{
	bool *seen = &ports->seen[special_of(protocol, port) * CLASSES_MAX + port_class(protocol, port)];
	int err;

	if (*seen)
		return 0;
	*seen = true;
	err = array_grow(&ports->v, ports->count, sizeof(*ports->v));
	if (!err)
		ports->v[ports->count++] = (struct port){ protocol, port };
	return err;
}

/* Ports that people know make the better examples. */
static int add_ports(struct ports *ports, uint8_t protocol, unsigned first, unsigned last)
{
	static const uint16_t known[] = { 443, 80 };
	bool icmp = protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
	int err = 0;

	if (!has_ports(protocol))
		first = last = 0;
	if (ports->last != protocol + 1)
		memset(ports->seen, 0, (size_t)SPECIALS * CLASSES_MAX);
	ports->last = protocol + 1;
	for (size_t i = 0; !err && !icmp && i < ARRAY_LEN(known); i++)
		if (first <= known[i] && known[i] <= last)
			err = add_port(ports, protocol, known[i]);
	for (unsigned port = first; !err && port <= last; port++)
		err = add_port(ports, protocol, port);
	return err;
}

/* Protocols without ports that no rule names and no stage knows are one. */
static int add_plain(struct ports *ports)
{
	_cleanup_free_ bool *met = array_new(CLASSES_MAX, sizeof(*met));
	int err = met ? 0 : -ENOMEM;

	for (unsigned protocol = 0; !err && protocol < 256; protocol++) {
		bool *seen = &met[port_class(protocol, 0)];

		if (!is_plain(protocol) || *seen)
			continue;
		*seen = true;
		err = add_ports(ports, protocol, 0, 0);
	}
	return err;
}

static int add_any(struct ports *ports)
{
	static const uint8_t others[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_SCTP, IPPROTO_IGMP,
					  IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_AH, IPPROTO_DSTOPTS,
					  IPPROTO_MH };
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_LEN(others); i++)
		err = add_ports(ports, others[i], 0, 65535);
	return err ? err : add_plain(ports);
}

static int find_ports(const struct selectors *service, struct ports *ports)
{
	int err = 0;

	ports->seen = array_new((size_t)SPECIALS * CLASSES_MAX, sizeof(*ports->seen));
	if (!ports->seen)
		return -ENOMEM;
	for (size_t i = 0; !err && i < service->count; i++) {
		const struct selector *s = &service->v[i];

		err = s->any_protocol ? add_any(ports) : add_ports(ports, s->protocol, s->first, s->last);
	}
	return err;
}

/* --- Pairs ------------------------------------------------------------------------------------------------------- */

/* All that a decision depends on: of a pair of kinds, for whatever port (kind 0), and of packets. */
struct signature {
	uint32_t answer[3]; /* rows or cells: policy, failsafe, failsafe with the ends exchanged */
	uint32_t source[KEY_CLASSES], destination[KEY_CLASSES]; /* their keys but for the classes */
	uint32_t kind; /* of packets: what stages but policy and failsafe see of protocol and port */
};

struct signatures {
	struct signature *slot; /* an open hash; family 0: empty */
	size_t size, count;
};

static uint64_t hash(const struct signature *s)
{
	const uint32_t *word = (const uint32_t *)s;
	uint64_t h = 0;

	for (size_t i = 0; i < sizeof(*s) / 4; i++)
		h = (h ^ word[i]) * 0x9e3779b97f4a7c15ull, h ^= h >> 29;
	return h;
}

static struct signature *find_slot(const struct signatures *all, const struct signature *s)
{
	for (size_t i = hash(s);; i++) {
		struct signature *slot = &all->slot[i & (all->size - 1)];

		if (!slot->source[KEY_FAMILY] || !memcmp(slot, s, sizeof(*s)))
			return slot;
	}
}

static int grow(struct signatures *all)
{
	struct signatures larger = { .size = all->size ? all->size * 2 : 256, .count = all->count };

	larger.slot = array_new(larger.size, sizeof(*larger.slot));
	if (!larger.slot)
		return -ENOMEM;
	for (size_t i = 0; i < all->size; i++)
		if (all->slot[i].source[KEY_FAMILY])
			*find_slot(&larger, &all->slot[i]) = all->slot[i];
	free(all->slot);
	*all = larger;
	return 0;
}

/* 1 if it is new, 0 if it was met before, -ENOMEM. */
static int meet(struct signatures *all, const struct signature *s)
{
	struct signature *slot;

	if (all->count * 2 >= all->size && grow(all))
		return -ENOMEM;
	slot = find_slot(all, s);
	if (slot->source[KEY_FAMILY])
		return 0;
	*slot = *s;
	all->count++;
	return 1;
}

static uint32_t row_of(enum zw_matrix_id m, uint32_t source, uint32_t destination)
{
	const struct zw_atom *from = get_atom(source), *to = get_atom(destination);

	if (!from || !to)
		return 0;
	if (m == ZW_MATRIX_POLICY && zw_layout.matrix[m].pair_buckets)
		return sparse_row(from->classes[m].source, to->classes[m].destination, from, to);
	return table_word(zw_layout.matrix[m].pairs, (uint64_t)from->classes[m].source * zw_layout.matrix[m].destinations +
							     to->classes[m].destination);
}

static struct signature sign(const struct kind *from, const struct kind *to)
{
	struct signature signature = {
		.answer = { row_of(ZW_MATRIX_POLICY, from->atom, to->atom), row_of(ZW_MATRIX_FAILSAFE, from->atom, to->atom),
			 row_of(ZW_MATRIX_FAILSAFE, to->atom, from->atom) },
	};

	memcpy(signature.source, from->key, sizeof(signature.source));
	memcpy(signature.destination, to->key, sizeof(signature.destination));
	return signature;
}

struct search {
	const struct reach_question *question;
	const struct names *names;
	struct decider *decider;
	struct ports ports;
	struct signatures met;
	bool *seen; /* by rule number; rule 0, by reason, behind them */
	struct reach *reach;
};

static int take(struct search *search, const struct first_packet *packet, const struct decision *decision)
{
	struct reach *reach = search->reach;
	bool by_rule = decision->reason == ZW_ALLOW_RULE || decision->reason == ZW_DROP_RULE ||
		       decision->reason == ZW_ALLOW_FAILSAFE;
	uint32_t rule = by_rule ? decision->rule : 0;
	bool *seen = &search->seen[rule ? rule : zw_layout.rule_count + 1 + decision->reason];

	if (decision->reason == ZW_DROP_MALFORMED || *seen)
		return 0;
	*seen = true;
	reach->some_dropped |= !decision->allow;
	reach->some_essential |= decision->reason == ZW_ALLOW_ESSENTIAL;
	reach->some_allowed |= decision->allow && decision->reason != ZW_ALLOW_ESSENTIAL;
	if (array_grow(&reach->outcomes, reach->count, sizeof(*reach->outcomes)))
		return -ENOMEM;
	reach->outcomes[reach->count++] = (struct reach_outcome){ decision->allow, decision->reason, rule, *packet };
	return 0;
}

/* The cells that a packet of a pair meets, and what else decides it. */
static struct signature sign_packet(const struct signature *pair, const struct port *port, uint16_t sport)
{
	bool has_sport = port->protocol == IPPROTO_UDP || port->protocol == IPPROTO_SCTP;
	uint32_t class = port_class(port->protocol, port->port);
	struct signature signature = *pair;

	signature.answer[0] = zw_search(pair->answer[0], class);
	signature.answer[1] = zw_search(pair->answer[1], class);
	signature.answer[2] = port->protocol == IPPROTO_TCP ? 0 :
			      zw_search(pair->answer[2], has_sport ? port_class(port->protocol, sport) : class);
	signature.kind = 1 + (is_plain(port->protocol) ? 1 : port->protocol << 8 | special_of(port->protocol, port->port));
	return signature;
}

static int decide_pair(struct search *search, const struct kind *from, const struct kind *to,
		       const struct signature *pair)
{
	struct first_packet packet = search->question->packet;
	int err = 0;

	packet.from = from->example;
	packet.to = to->example;
	if (search->question->own_leave)
		packet.egress = from->key[KEY_FLAGS] & ZW_ATOM_HOST;
	for (size_t i = 0; !err && i < search->ports.count; i++) {
		const struct port *port = &search->ports.v[i];
		const struct signature s = sign_packet(pair, port, packet.sport);
		struct decision decision;
		int new = meet(&search->met, &s);

		if (new < 0)
			return new;
		if (!new)
			continue;
		packet.protocol = port->protocol;
		packet.port = port->port;
		explain_decide(search->decider, search->names, &packet, &decision);
		err = take(search, &packet, &decision);
	}
	return err;
}

static int search_family(struct search *search, const struct policy *policy, int family)
{
	struct kinds from = { 0 }, to = { 0 };
	int err = find_kinds(policy, family, search->question->from, 1, &from);

	if (!err)
		err = find_kinds(policy, family, search->question->to, 2, &to);
	if (!err && from.count * (uint64_t)to.count > REACH_PAIRS_MAX)
		err = -E2BIG;
	for (size_t i = 0; !err && i < from.count; i++) {
		for (size_t j = 0; !err && j < to.count; j++) {
			const struct signature s = sign(&from.v[i], &to.v[j]);
			int new = meet(&search->met, &s);

			err = new > 0 ? decide_pair(search, &from.v[i], &to.v[j], &s) : new;
		}
	}
	free(from.v);
	free(to.v);
	return err;
}

static int compare_outcomes(const void *a, const void *b)
{
	const struct reach_outcome *x = a, *y = b;

	if (x->allow != y->allow)
		return x->allow ? -1 : 1;
	if (!x->rule != !y->rule)
		return x->rule ? -1 : 1;
	if (x->rule != y->rule)
		return x->rule < y->rule ? -1 : 1;
	return (int)x->reason - (int)y->reason;
}

int reach_find(const struct policy *policy, const struct tables *tables, const struct reach_question *question,
	       struct reach *ret_reach)
{
	struct search search = { .question = question, .names = tables->names, .reach = ret_reach };
	int err = decider_new(tables->bytes, &tables->layout, false, &search.decider);

	*ret_reach = (struct reach){ 0 };
	zw_tables_bytes = tables->bytes;
	zw_layout = tables->layout;
	search.seen = array_new((size_t)zw_layout.rule_count + 1 + ZW_REASONS, sizeof(*search.seen));
	if (!err)
		err = search.seen ? 0 : -ENOMEM;
	if (!err)
		err = find_ports(question->service, &search.ports);
	if (!err)
		err = search_family(&search, policy, 4);
	if (!err)
		err = search_family(&search, policy, 6);
	if (!err && ret_reach->count)
		qsort(ret_reach->outcomes, ret_reach->count, sizeof(*ret_reach->outcomes), compare_outcomes);
	if (err)
		reach_clear(ret_reach);
	decider_free(search.decider);
	free(search.ports.v);
	free(search.ports.seen);
	free(search.met.slot);
	free(search.seen);
	return err;
}

enum reach_answer reach_answer(const struct reach *reach)
{
	if (reach->some_dropped)
		return reach->some_allowed ? REACH_PARTLY : REACH_NO;
	return reach->some_allowed || reach->some_essential ? REACH_YES : REACH_NONE;
}

void reach_clear(struct reach *reach)
{
	free(reach->outcomes);
	*reach = (struct reach){ 0 };
}
