// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames of any bytes, a few one after the other, through the programs as they are (program.h), the simulator's decide()
 * and the oracle: the same verdict, reason and rule from all three, whatever buffers a frame lies in and whether its
 * VLAN tag or its link header is there or told. And the simulator says the same when it is asked again.
 *
 * Input: a byte that chooses the policy, then for each frame a struct head and its bytes.
 */
#include <stdio.h>

#include "frame.h"
#include "program.h"

#define packet test_packet /* tests/packet.h has another one */
#include "scene.h"
#undef packet

#define FRAMES_MAX 4 /* so many flows have room in one bucket */
#define FRAME_MAX 2048

struct head {
	uint8_t way; /* hook, 2 bits; then WAY_... */
	uint8_t first; /* bytes of the first buffer; 0 or too many: all */
	uint8_t len[2]; /* of the frame, little endian; what is not there is not taken */
};
enum {
	WAY_APPLY =
		3, /* for a hook: the other policy comes, then XDP. What becomes of flows is not compared */
	WAY_L3 = 4, /* TC: no Ethernet header */
	WAY_IPV6 = 8, /* and the protocol told is IPv6 */
	WAY_TAG = 16, /* TC: a tag in metadata */
	WAY_GSO = 32, /* TC: nobody else knows this, so nothing is compared any more */
	WAY_LATER = 64, /* two bits: the time since the frame before */
};

static const double waits[] = { 0, 1, 29, 310 };
static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 2 };
static const char host[] = "10.2.0.10 fd00:2::10";
static const char zones[] =
	"zones:\n"
	"  red: [10.1.0.0/24, \"fd00:1::/64\", \"fe80::/16\"]\n"
	"  blue: [10.2.0.0/24, \"fd00:2::/64\"]\n"
	"rules:\n"
	"  - {id: ends, from: red, to: blue, service: [tcp/80, udp/53], action: allow, until: 1970-01-01T00:17:00Z}\n"
	"  - {id: staged, from: any, to: blue, service: [udp/53, sctp/9], action: drop, mode: stage}\n"
	"  - {id: web, from: red, to: blue, service: [tcp/80, sctp/9, udp/53], action: allow}\n"
	"  - {id: ping, from: red, to: blue, service: [icmp/echo-request, icmpv6/echo-request], action: "
	"allow}\n"
	"  - {id: quiet, from: red, to: red, service: [udp/80], action: drop}\n"
	"  - {id: tunnels, from: red, to: blue, service: proto/47, action: allow}\n";
static const char *const defaults[] = {
	"version: 1\ndefaults: {action: drop}\n"
	"failsafe: [{id: rescue, from: red, to: blue, service: tcp/22}]\n",
	"version: 1\ndefaults: {action: allow, intra-zone: allow, non-ip: allow, tcp: strict, log: "
	"all}\nfailsafe: []\n",
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

static struct under {
	struct scene scene;
	struct decider *stateless;
	struct zw_layout layout;
	void *tables, *rules; /* values of the program's maps */
} under[2];

static void open_policy(struct under *u, const char *settings)
{
	const struct scene_options options = { .host = host, .stateful = true };
	char text[2048];

	snprintf(text, sizeof(text), "%s%s", settings, zones);
	if (scene_open(text, &options, &u->scene) ||
	    decider_new(u->scene.tables->bytes, &u->scene.tables->layout, false, &u->stateless))
		abort();
	u->layout = u->scene.tables->layout;
	u->layout.simulate = 1;
	u->layout.generation = 1 + (u - under);
	u->tables = malloc(u->scene.tables->len);
	u->rules = calloc((u->layout.rule_count * sizeof(struct zw_rule_counters) + 127) / 64, 64);
	if (!u->tables || !u->rules)
		abort();
	memcpy(u->tables, u->scene.tables->bytes, u->scene.tables->len);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	for (size_t i = 0; i < 2; i++)
		open_policy(&under[i], defaults[i]);
	program_load();
	return 0;
}

static void use_policy(const struct under *u)
{
	set_constant(&zw_layout, &u->layout, sizeof(u->layout));
	set_map(&zw_tables, u->tables);
	set_map(&zw_rules, u->rules);
	program_forget_tables();
}

/* One frame of the input, and what it looks like on the wire: with the link header and tag that are only told. */
struct shot {
	enum zw_hook hook;
	unsigned way;
	bool apply; /* the other policy, before it */
	size_t first;
	const uint8_t *data;
	size_t len;
	double time;
	const uint8_t *mac;
	uint8_t wire[FRAME_MAX + 18];
	size_t wire_len;
};

static void make_wire(struct shot *s)
{
	struct buffer b = { .bytes = s->wire, .len = s->len, .max = sizeof(s->wire) };
	uint8_t *at;

	if (s->len)
		memcpy(s->wire, s->data, s->len);
	if (s->way & WAY_L3) {
		at = insert(&b, 0, 14);
		memcpy(at, mac, 6);
		put_be16(at + 12, s->way & WAY_IPV6 ? 0x86dd : 0x0800);
	}
	if (s->way & WAY_TAG) {
		at = insert(&b, 12, 4);
		put_be16(at, 0x8100);
		put_be16(at + 2, 5);
	}
	s->wire_len = b.len;
}

/* Returns whether the program let it pass; the rest stands in the map zw_simulation. */
static bool run(const struct shot *s)
{
	struct context c = { .frame = s->data, .len = s->len, .ifindex = 1, .ingress_ifindex = 1 };
	struct zw_simulation *simulation = program_map(&zw_simulation);
	bool passes;

	*simulation = (struct zw_simulation){
		.jiffies = simulated_jiffies(s->time),
		.seconds = s->time,
		.flags = s->way & WAY_L3 ? ZW_POINT_L3 : 0,
		.atom = { ZW_NO_ATOM, ZW_NO_ATOM },
	};
	memcpy(simulation->mac, s->mac, 6);
	program_ticks = simulation->jiffies;
	c.protocol = bpf_htons(s->way & WAY_IPV6 ? 0x86dd : 0x0800);
	c.vlan_present = !!(s->way & WAY_TAG);
	c.vlan_tci = 5;
	c.gso_size = s->way & WAY_GSO ? 100 : 0;
	context_show(&c, s->first);
	if (s->hook == ZW_HOOK_XDP)
		passes = zw_xdp((void *)&c) == XDP_PASS;
	else if (s->hook == ZW_HOOK_INGRESS)
		passes = zw_ingress((void *)&c) == TC_ACT_UNSPEC;
	else
		passes = zw_egress((void *)&c) == TC_ACT_UNSPEC;
	free(c.first);
	if (passes == ZW_REASON_IS_DROP(simulation->reason))
		abort();
	return passes;
}

static const char *rule_id(const struct under *u, uint32_t rule)
{
	const struct rule_name *name = rule ? names_rule(u->scene.tables->names, rule) : NULL;

	return name && name->id ? name->id : "-";
}

static _Noreturn void disagree(const struct under *u, const struct shot *s,
			       const struct oracle_answer *answer, const struct decision *decision)
{
	const struct zw_simulation *program = program_map(&zw_simulation);

	fprintf(stderr, "%s, way %u, first buffer %zu of %zu:", scene_hook_name(s->hook), s->way, s->first,
		s->len);
	for (size_t i = 0; i < s->wire_len; i++)
		fprintf(stderr, " %02x", s->wire[i]);
	fprintf(stderr, "\noracle %d %s, simulator %d %s, program %d %s\n", answer->reason,
		answer->rule ? answer->rule : "-", decision->reason, rule_id(u, decision->rule),
		program->reason, rule_id(u, program->rule));
	abort();
}

static void check_again(const struct under *u, const struct frame *frame)
{
	struct decision once, again;

	decider_decide(u->stateless, frame, &once);
	decider_decide(u->stateless, frame, &again);
	if (once.reason != again.reason || once.rule != again.rule || once.atom[0] != again.atom[0] ||
	    once.atom[1] != again.atom[1])
		abort();
}

/* Who is asked, and what they remember: new for each input. */
struct asking {
	struct under *under;
	struct oracle *oracle;
	struct decider *decider;
	bool compare;
	bool remembers; /* the program may */
};

/* An address that talks to itself: which of its ends sent a packet is not told apart, nor need it be. */
static bool is_to_itself(const struct oracle_answer *answer)
{
	return answer->read_addresses && answer->from.family == answer->to.family &&
	       answer->from.value == answer->to.value;
}

/* What the program said stands in its map. */
static void compare(struct asking *a, const struct shot *s)
{
	const struct zw_simulation *program = program_map(&zw_simulation);
	struct oracle_frame to_oracle = {
		.data = s->wire, .len = s->wire_len, .egress = s->hook == ZW_HOOK_EGRESS, .time = s->time
	};
	uint8_t *exact = malloc(s->wire_len);
	struct frame frame = { .data = exact, .len = s->wire_len, .hook = s->hook, .time = s->time };
	struct oracle_answer answer;
	struct decision decision;

	if (!exact)
		abort();
	memcpy(exact, s->wire, s->wire_len);
	memcpy(to_oracle.mac, s->mac, 6);
	memcpy(frame.mac, s->mac, 6);
	oracle_decide(a->oracle, &to_oracle, &answer);
	decider_decide(a->decider, &frame, &decision);
	if (answer.reason != decision.reason || answer.reason != program->reason ||
	    decision.atom[0] != program->atom[0] || decision.atom[1] != program->atom[1] ||
	    strcmp(answer.rule ? answer.rule : "-", rule_id(a->under, decision.rule)) ||
	    decision.rule != program->rule || decision.staged != program->staged ||
	    strcmp(answer.staged ? answer.staged : "-", rule_id(a->under, decision.staged & ZW_CELL_RULE)))
		disagree(a->under, s, &answer, &decision);
	check_again(a->under, &frame);
	a->compare = !is_to_itself(&answer);
	free(exact);
}

static void ask(struct asking *a, struct shot *s)
{
	if (s->apply) {
		a->under = &under[a->under == under];
		use_policy(a->under);
	}
	a->remembers |= run(s);
	a->compare = a->compare && !(s->way & WAY_GSO) && !s->apply;
	if (a->compare)
		compare(a, s);
}

/* Takes the next frame from the input; false at its end. */
static bool next_shot(const uint8_t **data, size_t *size, struct shot *s)
{
	static const uint8_t nobody[6];
	struct head head;

	if (*size < sizeof(head))
		return false;
	memcpy(&head, *data, sizeof(head));
	*data += sizeof(head);
	*size -= sizeof(head);
	s->len = head.len[0] | head.len[1] << 8;
	if (s->len > *size)
		s->len = *size;
	s->data = *data;
	*data += s->len;
	*size -= s->len;
	if (s->len > FRAME_MAX)
		return false;
	s->apply = (head.way & 3) == WAY_APPLY;
	s->hook = s->apply ? ZW_HOOK_XDP : head.way & 3;
	s->way = s->hook == ZW_HOOK_XDP ? 0 : head.way & ~3u;
	if (s->len < 12 || (s->way & WAY_L3))
		s->way &= ~WAY_TAG;
	s->mac = s->way & WAY_L3 ? nobody : mac;
	s->first = head.first && head.first < s->len ? head.first : s->len;
	s->time += waits[head.way / WAY_LATER];
	make_wire(s);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct asking a = { .compare = true };
	struct shot s;

	if (!size)
		return 0;
	a.under = &under[data[0] & 1];
	data++;
	size--;
	use_policy(a.under);
	a.oracle = oracle_new(a.under->scene.policy, &a.under->scene.host, true);
	if (!a.oracle ||
	    decider_new(a.under->scene.tables->bytes, &a.under->scene.tables->layout, true, &a.decider))
		abort();
	s.time = 1000;
	for (unsigned i = 0; i < FRAMES_MAX && next_shot(&data, &size, &s); i++)
		ask(&a, &s);
	oracle_free(a.oracle);
	decider_free(a.decider);
	if (a.remembers)
		program_forget();
	return 0;
}

/* Offset of the n-th frame's head in the input, or its end. */
static size_t find_frame(const uint8_t *data, size_t size, unsigned n)
{
	size_t at = 1;

	for (; n && at + sizeof(struct head) <= size; n--)
		at += sizeof(struct head) + (data[at + 2] | data[at + 3] << 8);
	return at < size ? at : size;
}

/* The same the other way round: addresses and ports exchanged. */
static void turn(struct buffer *b, bool l3)
{
	size_t at, len;
	int family = find_ip(b, l3, &at);
	uint8_t *ip = b->bytes + at, kept[16];

	if (!family)
		return;
	len = family == 4 ? 4 : 16;
	ip += family == 4 ? 12 : 8;
	memcpy(kept, ip, len);
	memcpy(ip, ip + len, len);
	memcpy(ip + len, kept, len);
	ip += 2 * len;
	if (ip + 4 > b->bytes + b->len)
		return;
	memcpy(kept, ip, 2);
	memcpy(ip, ip + 2, 2);
	memcpy(ip + 2, kept, 2);
}

/* An ICMP error to the sender of the packet at `at`, which it quotes. */
static void add_error(struct buffer *b, struct chance *c, size_t at, int family)
{
	static const uint8_t types4[] = { 3, 11, 12, 5 }, types6[] = { 1, 2, 3, 4, 5 };
	size_t header = family == 4 ? 20 : 40;
	uint8_t *ip = insert(b, at, header + 8), *quoted;

	if (!ip)
		return;
	quoted = ip + header + 8;
	ip[0] = family == 4 ? 0x45 : 0x60;
	ip[family == 4 ? 8 : 7] = 64;
	ip[family == 4 ? 9 : 6] = family == 4 ? 1 : 58;
	ip[header] = family == 4 ? PICK(c, types4) : PICK(c, types6);
	if (family == 4) {
		memcpy(ip + 12, below(c, 2) ? quoted + 16 : ends4[2], 4);
		memcpy(ip + 16, quoted + 12, 4);
	} else {
		memcpy(ip + 8, below(c, 2) ? quoted + 24 : ends6[8], 16);
		memcpy(ip + 24, quoted + 8, 16);
	}
}

/* Other flags, and sequence numbers close to those before. */
static void answer_tcp(struct buffer *b, struct chance *c, size_t at, bool tcp)
{
	uint8_t *h = b->bytes + at;

	if (!tcp || b->len < at + 20)
		return;
	h[13] = PICK(c, some_flags);
	if (below(c, 2))
		h[7] = below(c, 4);
	if (below(c, 2))
		h[11] = below(c, 4);
}

/* From a frame, one that may come after it: a fragment of the same datagram, an error about it, an answer. */
static void follow(struct buffer *b, struct chance *c, bool l3)
{
	size_t at;
	int family = find_ip(b, l3, &at);
	uint8_t *ip = b->bytes + at;

	if (family == 4 && get_be16(ip + 6)) {
		put_be16(ip + 6, below(c, 5) | (below(c, 2) ? 0x2000 : 0));
	} else if (family == 6 && ip[6] == 44 && b->len > at + 48) {
		put_be16(ip + 42, below(c, 5) * 8 | below(c, 2));
	} else if (family && below(c, 4) == 0) {
		add_error(b, c, at, family);
	} else {
		if (below(c, 2))
			turn(b, l3);
		answer_tcp(b, c, at + (family == 4 ? 20 : 40), family && ip[family == 4 ? 9 : 6] == 6);
	}
	if (below(c, 4))
		fix_lengths(b, l3);
}

static void mutate_shot(struct buffer *b, uint8_t *head, struct chance *c, bool follows)
{
	bool l3 = (head[0] & 3) % ZW_HOOKS != ZW_HOOK_XDP && (head[0] & WAY_L3);

	if (follows) {
		follow(b, c, l3);
		head[0] &= ~3;
		head[0] |= below(c, 16) ? below(c, 3) : WAY_APPLY;
		return;
	}
	switch (below(c, 8)) {
	case 0:
		head[0] = below(c, 256) & ~(below(c, 4) ? WAY_L3 | WAY_GSO : 0u);
		if (below(c, 4))
			head[0] &= ~WAY_APPLY;
		break;
	case 1:
		head[1] = below(c, 2) ? 0 : below(c, 128);
		break;
	default:
		mutate_frame(b, c, l3);
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	static uint8_t tail[1 << 16];
	struct chance c = { seed };
	uint8_t frame[FRAME_MAX], head[sizeof(struct head)] = { 0 };
	struct buffer b = { .bytes = frame, .max = sizeof(frame) };
	size_t at, end, rest;
	bool twice = below(&c, 4) == 0;

	if (below(&c, 6) == 0 || max_size < 64 || max_size > sizeof(tail))
		return LLVMFuzzerMutate(data, size, max_size);
	if (size < 1)
		data[0] = 0, size = 1;
	at = find_frame(data, size, below(&c, FRAMES_MAX));
	end = find_frame(data + at - 1, size - at + 1, 1) + at - 1;
	if (end - at >= sizeof(head) && end - at - sizeof(head) <= sizeof(frame)) {
		memcpy(head, data + at, sizeof(head));
		b.len = end - at - sizeof(head);
		memcpy(frame, data + at + sizeof(head), b.len);
	}
	if (twice)
		at = end;
	rest = size - end;
	memcpy(tail, data + end, rest);
	mutate_shot(&b, head, &c, twice && below(&c, 4));
	if (at + sizeof(head) + b.len + rest > max_size)
		return size;
	head[2] = b.len;
	head[3] = b.len >> 8;
	memcpy(data + at, head, sizeof(head));
	memcpy(data + at + sizeof(head), frame, b.len);
	memcpy(data + at + sizeof(head) + b.len, tail, rest);
	return at + sizeof(head) + b.len + rest;
}
