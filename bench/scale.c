// SPDX-License-Identifier: GPL-2.0-only
#include "bench/scale.h"

#include <time.h>

#include "base/util.h"

const char *const plan_shape_names[PLAN_SHAPES] = { "dense", "routing", "feed" };

static uint64_t seed;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dull >> 16;
}

static void *need(void *memory)
{
	if (!memory) {
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	return memory;
}

static u128 address(const struct scale *s, uint32_t number)
{
	uint32_t word[4];

	if (s->family == 4)
		return plan_address4(s->shape, number);
	plan_address6(s->shape, number, word);
	return (u128)word[0] << 96 | (u128)word[1] << 64 | (u128)word[2] << 32 | word[3];
}

static unsigned zone_of(const struct scale *s, u128 address)
{
	uint64_t site = address >> (s->family == 4 ? 16 : 96);

	if (s->shape != PLAN_ROUTING || s->scattered)
		return ZONE_INDEX_FIRST_DECLARED + rnd() % s->zones;
	return ZONE_INDEX_FIRST_DECLARED + (site * 0x9e3779b97f4a7c15ull >> 32) % s->zones;
}

static void add(struct policy *p, const struct scale *s, unsigned zone, u128 address, unsigned length)
{
	unsigned open = (s->family == 4 ? 32 : 128) - length;
	u128 mask = open == 128 ? ~(u128)0 : ((u128)1 << open) - 1;

	if (ranges_add(&p->zones[zone].set, s->family, address & ~mask, address | mask))
		need(NULL);
}

void scale_prefixes(const struct scale *s, scale_prefix_handler *each, void *context)
{
	const unsigned bits = s->family == 4 ? 32 : 128;

	seed = 0x5eed;
	for (size_t i = 0; i < s->prefixes; i++) {
		u128 at = address(s, i);
		unsigned zone = zone_of(s, at), open = bits - plan_length(s->shape, s->family, i);

		each(context, zone, at >> open << open, bits - open);
	}
}

struct filling {
	struct policy *policy;
	const struct scale *scale;
};

static void add_to_zone(void *context, unsigned zone, u128 address, unsigned length)
{
	struct filling *filling = context;

	add(filling->policy, filling->scale, zone, address, length);
}

static void make_zones(struct policy *p, const struct scale *s)
{
	struct filling filling = { p, s };
	static const char *const builtin[] = { "any", "host", "world" };
	char name[32];

	p->zones = need(calloc(3 + s->zones + s->rules, sizeof(*p->zones)));
	for (p->zone_count = 0; p->zone_count < 3 + s->zones; p->zone_count++) {
		struct zone *zone = &p->zones[p->zone_count];

		snprintf(name, sizeof(name), "zone-%zu", p->zone_count);
		zone->kind = p->zone_count < 3 ? (enum zone_kind)(ZONE_ANY + p->zone_count) : ZONE_DECLARED;
		zone->name = need(strdup(p->zone_count < 3 ? builtin[p->zone_count] : name));
	}
	if (ranges_add(&p->zones[ZONE_INDEX_ANY].set, 4, 0, ADDR_MAX4) ||
	    ranges_add(&p->zones[ZONE_INDEX_ANY].set, 6, 0, ADDR_MAX6))
		need(NULL);
	scale_prefixes(s, add_to_zone, &filling);
	add(p, s, ZONE_INDEX_HOST, address(s, s->prefixes), s->family == 4 ? 32 : 128);
}

/* A host or a CIDR written in a rule. */
static unsigned make_literal(struct policy *p, const struct scale *s)
{
	struct zone *zone = &p->zones[p->zone_count];

	zone->kind = ZONE_LITERAL;
	zone->name = need(strdup("literal"));
	add(p, s, p->zone_count, address(s, rnd() % s->prefixes),
	    (s->family == 4 ? 32 : 128) - (rnd() & 1 ? s->cidr_bits : 0));
	return p->zone_count++;
}

static void set_end(struct zone_list *list, unsigned zone)
{
	list->zone = need(malloc(sizeof(*list->zone)));
	list->zone[0] = zone;
	list->count = 1;
}

static struct rule *add_rule(struct policy *p, unsigned from, unsigned to, uint8_t protocol, uint16_t first,
			     uint16_t last)
{
	struct rule *rule = &p->rules.v[p->rules.count];
	char id[32];

	snprintf(id, sizeof(id), "rule-%zu", p->rules.count++);
	set_end(&rule->from, from);
	set_end(&rule->to, to);
	rule->id = need(strdup(id));
	rule->service_text = need(strdup("service"));
	rule->service.count = 1;
	rule->service.v = need(calloc(1, sizeof(*rule->service.v)));
	rule->service.v[0] = (struct selector){ .protocol = protocol, .first = first, .last = last };
	return rule;
}

static void make_rule(struct policy *p, const struct scale *s)
{
	unsigned from = ZONE_INDEX_FIRST_DECLARED + rnd() % s->zones, to = ZONE_INDEX_FIRST_DECLARED + rnd() % s->zones;
	unsigned kind = rnd() % 2000, port = 1000 + rnd() % 200, protocol = rnd() % 4 ? 6 : 17;
	struct rule *rule;

	if (kind < 100)
		from = make_literal(p, s);
	else if (kind < 200)
		to = make_literal(p, s);
	else if (kind < 202)
		from = ZONE_INDEX_ANY;
	else if (kind < 204)
		to = ZONE_INDEX_ANY;
	rule = add_rule(p, from, to, protocol, port, port + (rnd() % 4 ? 0 : rnd() % 100));
	rule->tier = rnd() % 10 != 0;
	rule->action = rnd() % 4 ? ACTION_ALLOW : rnd() % 2 ? ACTION_DROP : ACTION_PASS;
}

static void make_interface(struct policy *p, const struct scale *s)
{
	p->interfaces = need(calloc(1, sizeof(*p->interfaces)));
	p->interface_count = 1;
	p->interfaces[0].pattern = need(calloc(1, sizeof(char *)));
	p->interfaces[0].pattern_count = 1;
	p->interfaces[0].has_xdp = true;
	p->interfaces[0].xdp = s->tc ? XDP_OFF : XDP_NATIVE;
	p->interfaces[0].pattern[0] = need(strdup(s->interface));
}

bool scale_set_size(struct scale *scale, int option, const char *value)
{
	size_t *size = option == 'r' ? &scale->rules :
		       option == 'p' ? &scale->prefixes :
		       option == 'z' ? &scale->zones :
				       NULL;

	if (size)
		*size = strtoul(value, NULL, 10);
	return size;
}

struct policy *scale_policy(const struct scale *s)
{
	struct policy *p = need(calloc(1, sizeof(*p)));

	p->tiers = need(calloc(2, sizeof(*p->tiers)));
	p->tiers[0] = need(strdup("guardrail"));
	p->tiers[1] = need(strdup("app"));
	p->tier_count = 2;
	p->log = s->logged ? LOG_DROPS : LOG_NOTHING;
	make_zones(p, s);
	p->rules.v = need(calloc(s->rules + 2, sizeof(*p->rules.v)));
	while (p->rules.count < s->rules)
		make_rule(p, s);
	if (s->open_port && s->staged) {
		struct rule *staged = add_rule(p, ZONE_INDEX_ANY, ZONE_INDEX_ANY, 6, s->open_port, s->open_port);

		staged->tier = 1;
		staged->mode = MODE_STAGE;
	}
	if (s->open_port) {
		struct rule *open = add_rule(p, ZONE_INDEX_ANY, ZONE_INDEX_ANY, 6, s->open_port, s->open_port);

		open->tier = 1;
		open->action = ACTION_ALLOW;
		open->limit = s->limit;
		open->expires = s->ends;
		open->until = time(NULL) + 100000000;
	}
	if (s->interface)
		make_interface(p, s);
	for (size_t i = 0; i < p->zone_count; i++)
		if (ranges_normalise(&p->zones[i].set))
			need(NULL);
	p->host_known = true;
	return p;
}
