// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/replay.h"

#include <netinet/in.h>

#include "base/util.h"

#define YEAR_10000 253402300800.0 /* what RFC 3339 can say; far below what a flow's clock can hold */
#define TCP_SYN_ACK 0x12

/* Zeroed before it is filled: compared and hashed as bytes. */
struct talk_key {
	struct talk_end {
		uint8_t address[16];
		uint16_t port;
	} end[2]; /* in an order of their own, or as the packet has them if it goes one way */
	uint8_t family, protocol, one_way, has_port;
};

/* What happened to some of a conversation's packets. */
struct tally {
	uint64_t packets;
	double first;
	struct {
		uint8_t reason;
		uint32_t rule;
	} by[REPLAY_SIDES]; /* of the first */
};

struct talk {
	struct talk_key key;
	uint16_t port; /* as rules match the first packet */
	bool turned; /* it was end[1] that began */
	struct tally tally[REPLAY_ROWS];
};

struct replay {
	struct replay_options options;
	struct replay_counts counts;
	uint64_t *totals[REPLAY_SIDES][ZW_REASONS]; /* by rule; NULL: no packet yet */
	struct replay_staged *staged[REPLAY_SIDES]; /* by rule; NULL: no packet yet */
	double clock; /* of the latest packet so far */
	/* The packet that was prepared: */
	struct headers headers;
	double time;

	struct talk *talks;
	size_t talk_count;
	uint32_t *slots; /* open hash: index into talks + 1, 0 empty */
	size_t slot_count; /* a power of two, at least twice talk_count; or 0 */
};

int replay_new(const struct replay_options *options, struct replay **ret_replay)
{
	struct replay *replay = calloc(1, sizeof(*replay));

	if (!replay)
		return -ENOMEM;
	replay->options = *options;
	if (!replay->options.conversations)
		replay->options.conversations = REPLAY_CONVERSATIONS;
	*ret_replay = replay;
	return 0;
}

void replay_free(struct replay *replay)
{
	if (!replay)
		return;
	for (int side = 0; side < REPLAY_SIDES; side++)
		for (int reason = 0; reason < ZW_REASONS; reason++)
			free(replay->totals[side][reason]);
	for (int side = 0; side < REPLAY_SIDES; side++)
		free(replay->staged[side]);
	free(replay->talks);
	free(replay->slots);
	free(replay);
}

const struct replay_counts *replay_counts(const struct replay *replay)
{
	return &replay->counts;
}

/* --- Before the decision ----------------------------------------------------------------------------------------- */

/* The capture's time moves the clock, which never goes back: flows would live again. */
static void set_clock(struct replay *replay, double time)
{
	struct replay_counts *counts = &replay->counts;
	bool possible = time > 0 && time < YEAR_10000;

	replay->time = possible ? time : replay->clock;
	if (!possible || time < replay->clock)
		counts->late++;
	else
		replay->clock = time;
	if (!possible)
		return;
	if (!counts->first || time < counts->first)
		counts->first = time;
	if (time > counts->last)
		counts->last = time;
}

/* Who captured on a host knows which way a packet went, or else who the host is; who knows neither sees packets enter. */
static enum zw_hook hook_of(const struct replay *replay, const struct captured *captured)
{
	const struct replay_options *options = &replay->options;
	bool out = captured->direction == DIRECTION_OUT;

	if (captured->direction == DIRECTION_UNKNOWN && options->host && replay->headers.has_addresses)
		out = ranges_contain(options->host, &replay->headers.from);
	return out ? ZW_HOOK_EGRESS : options->hook;
}

bool replay_prepare(struct replay *replay, const struct captured *captured, struct frame *ret_frame)
{
	replay->counts.packets++;
	set_clock(replay, captured->time);
	if (captured->loopback) {
		replay->counts.loopback++;
		return false;
	}
	if (!headers_read(captured->bytes, captured->captured, captured->len, &replay->headers) ||
	    (replay->options.has_tls && replay->headers.hello_end > captured->captured)) {
		replay->counts.cut++;
		return false;
	}
	*ret_frame = (struct frame){
		.data = captured->bytes,
		.len = captured->len,
		.hook = hook_of(replay, captured),
		.time = replay->clock,
	};
	return true;
}

void replay_refuse(struct replay *replay)
{
	replay->counts.refused++;
}

/* --- Conversations ----------------------------------------------------------------------------------------------- */

static struct talk_end end_of(const struct addr *addr, uint16_t port)
{
	struct talk_end end = { .port = port };

	addr_to_bytes(addr, end.address);
	return end;
}

static bool is_icmp(uint8_t protocol)
{
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

/* ret_turned: the packet's sender is end[1] of the key. */
static void make_key(const struct headers *h, struct talk_key *ret_key, bool *ret_turned)
{
	bool echo = h->echo_request || h->echo_reply, one_way = !h->has_transport || (is_icmp(h->protocol) && !echo);
	struct talk_key key;

	memset(&key, 0, sizeof(key));
	key.family = h->from.family;
	key.protocol = h->protocol;
	key.one_way = one_way;
	key.has_port = h->has_transport;
	key.end[0] = end_of(&h->from, one_way ? h->port : h->sport);
	key.end[1] = end_of(&h->to, one_way ? h->port : h->dport);
	*ret_turned = !one_way && memcmp(&key.end[0], &key.end[1], sizeof(key.end[0])) > 0;
	if (*ret_turned) {
		struct talk_end first = key.end[0];

		key.end[0] = key.end[1];
		key.end[1] = first;
	}
	*ret_key = key;
}

/* FNV-1a; nobody attacks a replay with worse than his own waiting time. */
static size_t hash(const struct talk_key *key)
{
	const uint8_t *byte = (const uint8_t *)key;
	uint64_t h = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < sizeof(*key); i++)
		h = (h ^ byte[i]) * 0x100000001b3ull;
	return h ^ h >> 32;
}

/* Where the key's index stands, or would. There is room. */
static uint32_t *find_slot(const struct replay *replay, const struct talk_key *key)
{
	for (size_t i = hash(key);; i++) {
		uint32_t *slot = &replay->slots[i & (replay->slot_count - 1)];

		if (!*slot || !memcmp(&replay->talks[*slot - 1].key, key, sizeof(*key)))
			return slot;
	}
}

static int grow_slots(struct replay *replay)
{
	uint32_t *old = replay->slots;

	if (2 * (replay->talk_count + 1) <= replay->slot_count)
		return 0;
	replay->slots = calloc(replay->slot_count ? 2 * replay->slot_count : 1024, sizeof(*old));
	if (!replay->slots) {
		replay->slots = old;
		return -ENOMEM;
	}
	replay->slot_count = replay->slot_count ? 2 * replay->slot_count : 1024;
	for (size_t i = 0; i < replay->talk_count; i++)
		*find_slot(replay, &replay->talks[i].key) = i + 1;
	free(old);
	return 0;
}

/* What the conversation is about: the first packet asks, but for an answer whose question nobody saw. */
static struct talk begin_talk(const struct headers *h, const struct talk_key *key, bool turned)
{
	bool syn_ack = h->protocol == IPPROTO_TCP && (h->tcp_flags & TCP_SYN_ACK) == TCP_SYN_ACK;
	bool answers = h->has_transport && (syn_ack || h->echo_reply);
	struct talk talk = { .key = *key, .port = h->port, .turned = turned != answers };

	if (syn_ack)
		talk.port = h->sport;
	if (h->echo_reply)
		talk.port = (h->protocol == IPPROTO_ICMP ? 8 : 128) << 8;
	return talk;
}

/* The conversation of the prepared packet; NULL: it has none, or they are too many. 0 or -ENOMEM. */
static int find_talk(struct replay *replay, struct talk **ret_talk)
{
	struct talk_key key;
	uint32_t *slot;
	bool turned;

	*ret_talk = NULL;
	if (!replay->headers.has_addresses)
		return 0;
	if (grow_slots(replay))
		return -ENOMEM;
	make_key(&replay->headers, &key, &turned);
	slot = find_slot(replay, &key);
	if (!*slot) {
		if (replay->talk_count == replay->options.conversations)
			return 0;
		if (array_grow(&replay->talks, replay->talk_count, sizeof(*replay->talks)))
			return -ENOMEM;
		replay->talks[replay->talk_count] = begin_talk(&replay->headers, &key, turned);
		*slot = ++replay->talk_count;
		replay->counts.conversations++;
	}
	*ret_talk = &replay->talks[*slot - 1];
	return 0;
}

/* --- After the decision ------------------------------------------------------------------------------------------ */

static int count_total(struct replay *replay, enum replay_side side, const struct decision *decision)
{
	uint64_t **totals = &replay->totals[side][decision->reason];
	bool shows_rule = reason_shows_rule(decision->reason);

	if (!*totals)
		*totals = array_new(shows_rule ? replay->options.rule_count[side] + 1 : 1, sizeof(**totals));
	if (!*totals)
		return -ENOMEM;
	(*totals)[shows_rule ? decision->rule : 0]++;
	if (decision->allow)
		replay->counts.allowed[side]++;
	else
		replay->counts.dropped[side]++;
	return 0;
}

static int count_staged(struct replay *replay, enum replay_side side, const struct decision *decision)
{
	bool allow = decision->staged & ZW_CELL_ALLOW;
	struct replay_staged **staged = &replay->staged[side];
	uint32_t rule = decision->staged & ZW_CELL_RULE;

	if (!rule || rule > replay->options.rule_count[side])
		return 0;
	if (!*staged)
		*staged = array_new(replay->options.rule_count[side] + 1, sizeof(**staged));
	if (!*staged)
		return -ENOMEM;
	(*staged)[rule].allowed += allow;
	(*staged)[rule].dropped += !allow;
	(*staged)[rule].changed += allow != decision->allow;
	return 0;
}

static int count_decision(struct replay *replay, enum replay_side side, const struct decision *decision)
{
	int err = count_total(replay, side, decision);

	return err ? err : count_staged(replay, side, decision);
}

struct replay_staged replay_staged(const struct replay *replay, enum replay_side side, uint32_t rule)
{
	const struct replay_staged none = { 0 };

	return replay->staged[side] && rule <= replay->options.rule_count[side] ? replay->staged[side][rule] : none;
}

uint64_t replay_total(const struct replay *replay, enum replay_side side, enum zw_reason reason, uint32_t rule)
{
	const uint64_t *totals = replay->totals[side][reason];

	if (!totals || (rule && !reason_shows_rule(reason)) || rule > replay->options.rule_count[side])
		return 0;
	return totals[rule];
}

static void count_packet(struct tally *tally, double time, const struct decision decision[REPLAY_SIDES])
{
	if (!tally->packets++) {
		tally->first = time;
		for (int side = 0; side < REPLAY_SIDES; side++) {
			tally->by[side].reason = decision[side].reason;
			tally->by[side].rule = reason_shows_rule(decision[side].reason) ? decision[side].rule : 0;
		}
	}
	if (time < tally->first)
		tally->first = time;
}

int replay_take(struct replay *replay, const struct decision *decision)
{
	struct replay_counts *counts = &replay->counts;
	struct decision by[REPLAY_SIDES] = { [REPLAY_NEW] = decision[REPLAY_NEW] };
	bool dropped = !by[REPLAY_NEW].allow, changed;
	struct talk *talk;

	if (replay->options.compare)
		by[REPLAY_OLD] = decision[REPLAY_OLD];
	changed = replay->options.compare && by[REPLAY_NEW].allow != by[REPLAY_OLD].allow;
	if (find_talk(replay, &talk) || count_decision(replay, REPLAY_NEW, &by[REPLAY_NEW]) ||
	    (replay->options.compare && count_decision(replay, REPLAY_OLD, &by[REPLAY_OLD])))
		return -ENOMEM;
	counts->newly_dropped += changed && dropped;
	counts->newly_allowed += changed && !dropped;
	counts->dropped_unlisted += dropped && !talk;
	counts->changed_unlisted += changed && !talk;
	if (talk && dropped)
		count_packet(&talk->tally[REPLAY_DROPPED], replay->time, by);
	if (talk && changed)
		count_packet(&talk->tally[dropped ? REPLAY_NEWLY_DROPPED : REPLAY_NEWLY_ALLOWED], replay->time, by);
	return 0;
}

/* --- Rows -------------------------------------------------------------------------------------------------------- */

static struct replay_row row_of(const struct talk *talk, const struct tally *tally, bool compare)
{
	const struct talk_key *key = &talk->key;
	struct replay_row row = {
		.from = addr_from_bytes(key->family, key->end[talk->turned].address),
		.to = addr_from_bytes(key->family, key->end[!talk->turned].address),
		.protocol = key->protocol,
		.has_port = key->has_port,
		.port = talk->port,
		.packets = tally->packets,
		.conversations = 1,
		.first = tally->first,
	};

	for (int side = 0; side <= compare; side++)
		row.decision[side] = (struct decision){
			.allow = !ZW_REASON_IS_DROP(tally->by[side].reason),
			.reason = tally->by[side].reason,
			.rule = tally->by[side].rule,
		};
	return row;
}

#define ORDER(x, y)                                                                                                    \
	do {                                                                                                           \
		if ((x) != (y))                                                                                        \
			return (x) < (y) ? -1 : 1;                                                                     \
	} while (0)

/* Are they the same row? */
static int by_identity(const void *one, const void *other)
{
	const struct replay_row *a = one, *b = other;

	ORDER(a->from.family, b->from.family);
	ORDER(a->from.value, b->from.value);
	ORDER(a->to.value, b->to.value);
	ORDER(a->protocol, b->protocol);
	ORDER(a->has_port, b->has_port);
	ORDER(a->port, b->port);
	for (int side = 0; side < REPLAY_SIDES; side++) {
		ORDER(a->decision[side].reason, b->decision[side].reason);
		ORDER(a->decision[side].rule, b->decision[side].rule);
	}
	return 0;
}

static int by_weight(const void *one, const void *other)
{
	const struct replay_row *a = one, *b = other;

	ORDER(b->packets, a->packets);
	ORDER(a->first, b->first);
	return by_identity(a, b);
}

static size_t fold(struct replay_row *rows, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		struct replay_row *last = kept ? &rows[kept - 1] : NULL;

		if (!last || by_identity(last, &rows[i])) {
			rows[kept++] = rows[i];
			continue;
		}
		last->packets += rows[i].packets;
		last->conversations += rows[i].conversations;
		if (rows[i].first < last->first)
			last->first = rows[i].first;
	}
	return kept;
}

int replay_rows(const struct replay *replay, enum replay_rows which, struct replay_row **ret_rows, size_t *ret_count)
{
	struct replay_row *rows;
	size_t count = 0;

	for (size_t i = 0; i < replay->talk_count; i++)
		count += replay->talks[i].tally[which].packets != 0;
	rows = array_new(count, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	count = 0;
	for (size_t i = 0; i < replay->talk_count; i++)
		if (replay->talks[i].tally[which].packets)
			rows[count++] = row_of(&replay->talks[i], &replay->talks[i].tally[which],
					       replay->options.compare && which != REPLAY_DROPPED);
	qsort(rows, count, sizeof(*rows), by_identity);
	count = fold(rows, count);
	qsort(rows, count, sizeof(*rows), by_weight);
	*ret_rows = rows;
	*ret_count = count;
	return 0;
}
