/* SPDX-License-Identifier: GPL-2.0-only */
#include "generate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/util.h"

/* splitmix64 (Steele, Lea, Flood, 2014). */
uint64_t random_next(struct random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

unsigned random_below(struct random *random, unsigned n)
{
	return random_next(random) % n;
}

bool random_percent(struct random *random, unsigned percent)
{
	return random_below(random, 100) < percent;
}

#define pick(random, array) ((array)[random_below(random, sizeof(array) / sizeof((array)[0]))])

static void *grow(void *array, size_t count, size_t size)
{
	void *grown = realloc(array, (count + 1) * size);

	if (!grown)
		abort();
	memset((char *)grown + count * size, 0, size);
	return grown;
}

#define APPEND(array, count) ((array) = grow((array), (count), sizeof(*(array))), &(array)[(count)++])

static void add_word(struct words *words, const char *text)
{
	snprintf(*(APPEND(words->v, words->count)), MODEL_TEXT, "%s", text);
}

static void add_point(struct model *model, int family, u128 value)
{
	struct addr *point = APPEND(model->points, model->point_count);

	*point = (struct addr){ .family = family, .value = family == 4 ? (uint32_t)value : value };
}

static void add_port(struct model *model, unsigned protocol, unsigned port)
{
	__auto_type added = APPEND(model->ports, model->port_count);

	added->protocol = protocol;
	added->port = port;
}

/* --- Addresses --------------------------------------------------------------------------------------------------- */

/* Few anchors, so that what is named overlaps. */
static struct addr anchor(struct random *random, int family)
{
	static const uint32_t v4[] = { 0x0a000000, 0x0a010000, 0x0a01ff00, 0x0a020000, 0xc0a80100,
				       0xac100000, 0xcb007100, 0x01000000, 0xdfffff00 };
	static const uint64_t v6[] = { 0x20010db800000000, 0x20010db800010000, 0x20010db80001ffff,
				       0xfd00000000000000, 0xfd00000100020003, 0x2a00ffffffffffff };
	struct addr addr = { .family = family };

	if (family == 4) {
		addr.value = pick(random, v4) + random_below(random, random_percent(random, 50) ? 4 : 600);
		return addr;
	}
	addr.value =
		(u128)pick(random, v6) << 64 | random_below(random, random_percent(random, 50) ? 4 : 70000);
	if (random_percent(random, 20))
		addr.value |= (u128)random_next(random) & 0xffffffffffff;
	return addr;
}

static unsigned prefix_length(struct random *random, int family)
{
	static const unsigned v4[] = {
		0, 1, 7, 8, 9, 12, 15, 16, 17, 20, 23, 24, 25, 28, 30, 31, 32, 32, 32
	};
	static const unsigned v6[] = { 0,  3,  15, 16, 17,  31,  32,  33,  47,  48,  49,  56,  63,
				       64, 65, 80, 96, 111, 112, 113, 120, 124, 127, 128, 128, 128 };

	if (random_percent(random, 20))
		return random_below(random, family == 4 ? 33 : 129);
	return family == 4 ? pick(random, v4) : pick(random, v6);
}

static u128 low_mask(int family, unsigned length)
{
	unsigned bits = family == 4 ? 32 - length : 128 - length;

	return bits == 128 ? ADDR_MAX6 : ((u128)1 << bits) - 1;
}

static void add_ends(struct model *model, int family, u128 first, u128 last)
{
	u128 max = family == 4 ? ADDR_MAX4 : ADDR_MAX6;

	add_point(model, family, first);
	add_point(model, family, last);
	if (first)
		add_point(model, family, first - 1);
	if (last < max)
		add_point(model, family, last + 1);
}

/* An address, a CIDR or (if allowed) a range, as text. */
static void some_addresses(struct random *random, struct model *model, bool ranges, struct words *words)
{
	int family = random_percent(random, 50) ? 4 : 6;
	struct addr first = anchor(random, family), last = first;
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX], text[MODEL_TEXT];
	unsigned form = random_below(random, ranges ? 4 : 3), length;

	switch (form) {
	case 0:
		addr_print(&first, text);
		break;
	case 1:
	case 2:
		length = prefix_length(random, family);
		first.value &= ~low_mask(family, length);
		last.value = first.value | low_mask(family, length);
		addr_print(&first, from);
		snprintf(text, sizeof(text), "%s/%u", from, length);
		break;
	default:
		last.value += random_below(random, random_percent(random, 50) ? 20 : 100000);
		addr_print(&first, from);
		addr_print(&last, to);
		snprintf(text, sizeof(text), "%s-%s", from, to);
		break;
	}
	add_ends(model, family, first.value, last.value);
	add_word(words, text);
}

/* --- Policies ---------------------------------------------------------------------------------------------------- */

static unsigned some_port(struct random *random)
{
	static const unsigned ports[] = { 0,   1,   22,   53,   67,   68,   80,    443,
					  546, 547, 1023, 1024, 8000, 8099, 65534, 65535 };

	return random_percent(random, 70) ? pick(random, ports) : random_below(random, 65536);
}

static void add_service(struct random *random, struct model *model, struct words *words)
{
	static const struct {
		const char *name;
		uint8_t number;
	} with_ports[] = { { "tcp", 6 }, { "tcp", 6 }, { "udp", 17 }, { "sctp", 132 } },
	  names[] = { { "icmp/echo-request", 8 }, { "icmpv6/echo-request", 128 }, { "icmp/echo-reply", 0 } };
	static const unsigned protocols[] = { 0, 1, 2, 6, 17, 47, 50, 58, 59, 89, 132, 255 };
	unsigned form = random_below(random, 12), first, last, i;
	char text[MODEL_TEXT];

	switch (form) {
	case 0:
	case 1:
	case 2:
		i = random_below(random, 4);
		first = some_port(random);
		snprintf(text, sizeof(text), "%s/%u", with_ports[i].name, first);
		add_port(model, with_ports[i].number, first);
		break;
	case 3:
	case 4:
	case 5:
		i = random_below(random, 4);
		first = some_port(random);
		last = some_port(random);
		if (first > last) {
			unsigned swapped = first;

			first = last;
			last = swapped;
		}
		snprintf(text, sizeof(text), "%s/%u-%u", with_ports[i].name, first, last);
		add_port(model, with_ports[i].number, first);
		add_port(model, with_ports[i].number, last);
		break;
	case 6:
		i = random_below(random, 4);
		snprintf(text, sizeof(text), "%s", with_ports[i].name);
		break;
	case 7:
		i = random_below(random, 3);
		snprintf(text, sizeof(text), "%s", names[i].name);
		add_port(model, i == 1 ? 58 : 1, names[i].number << 8);
		break;
	case 8:
		first = random_below(random, 2) ? random_below(random, 20) : 125 + random_below(random, 15);
		last = random_below(random, 3);
		snprintf(text, sizeof(text), random_below(random, 2) ? "icmp/%u/%u" : "icmp/%u", first, last);
		add_port(model, 1, first << 8 | last);
		break;
	case 9:
		first = random_below(random, 2) ? random_below(random, 6) : 125 + random_below(random, 15);
		last = random_below(random, 3);
		snprintf(text, sizeof(text), random_below(random, 2) ? "icmpv6/%u/%u" : "icmpv6/%u", first,
			 last);
		add_port(model, 58, first << 8 | last);
		break;
	case 10:
		first = pick(random, protocols);
		snprintf(text, sizeof(text), "proto/%u", first);
		add_port(model, first, 0);
		break;
	default:
		snprintf(text, sizeof(text), "%s",
			 random_below(random, 3) ? random_below(random, 2) ? "icmp" : "icmpv6" : "any");
		break;
	}
	add_word(words, text);
}

static void add_zone(struct random *random, struct model *model)
{
	struct model_zone zone = { 0 };
	size_t i = model->zone_count;

	snprintf(zone.name, sizeof(zone.name), "z%zu", i);
	if (i > 1 && random_percent(random, 25))
		for (unsigned n = 1 + random_below(random, 3); n; n--) {
			const char *member = model->zones[random_below(random, i)].name;
			bool there = false;

			for (size_t j = 0; j < zone.zones.count; j++)
				there |= !strcmp(zone.zones.v[j], member);
			if (!there)
				add_word(&zone.zones, member);
		}
	if (!zone.zones.count || random_percent(random, 30))
		for (unsigned n = 1 + random_below(random, 5); n; n--)
			some_addresses(random, model, true, &zone.addresses);
	if (random_percent(random, 30))
		for (unsigned n = 1 + random_below(random, 3); n; n--)
			some_addresses(random, model, true, &zone.except);
	*(APPEND(model->zones, model->zone_count)) = zone;
}

static void add_end(struct random *random, struct model *model, struct words *words)
{
	static const char *const built_in[] = { "any", "any", "any", "host", "world" };

	for (unsigned n = random_percent(random, 70) ? 1 : 1 + random_below(random, 3); n; n--) {
		unsigned form = random_below(random, 10);

		if (form < 6)
			add_word(words, model->zones[random_below(random, model->zone_count)].name);
		else if (form < 8)
			add_word(words, pick(random, built_in));
		else
			some_addresses(random, model, false, words);
	}
}

static struct model_rule new_rule(struct random *random, struct model *model)
{
	struct model_rule rule = { 0 };

	add_end(random, model, &rule.from);
	add_end(random, model, &rule.to);
	for (unsigned n = random_percent(random, 60) ? 1 : 1 + random_below(random, 4); n; n--) {
		if (model->service_count && random_percent(random, 30))
			add_word(&rule.service,
				 model->services[random_below(random, model->service_count)].id);
		else
			add_service(random, model, &rule.service);
	}
	return rule;
}

/* Rates at which the packets of a test, seconds apart, find buckets empty and filled again. */
static void add_limit(struct random *random, struct model_rule *rule)
{
	static const char *const rates[] = { "1/s", "1/m", "2/m", "7/m", "13/m", "1/h", "100/h", "999999/s" };
	int len = snprintf(rule->limit, sizeof(rule->limit), "rate: %s", pick(random, rates));

	if (random_percent(random, 80))
		len += snprintf(rule->limit + len, sizeof(rule->limit) - len, ", burst: %u", 1 + random_below(random, 4));
	if (random_percent(random, 60))
		snprintf(rule->limit + len, sizeof(rule->limit) - len, ", per: source");
}

/* With `tls`, which takes tcp alone. */
static void ask_tls(struct random *random, struct model *model, struct model_rule *rule)
{
	static const char *const asked[] = { "{require: true}", "{require: true, min: \"1.2\"}" };
	char text[MODEL_TEXT];

	rule->tls = pick(random, asked);
	rule->service.count = 0;
	for (unsigned n = 1 + random_below(random, 2); n; n--) {
		unsigned port = some_port(random);

		snprintf(text, sizeof(text), random_percent(random, 30) ? "tcp" : "tcp/%u", port);
		add_word(&rule->service, text);
		add_port(model, 6, port);
	}
}

/* Soon after conversations begin, or between two of the long steps that their time makes. */
static unsigned some_instant(struct random *random)
{
	unsigned begin = GENERATE_BEGIN + (random_percent(random, 50) ? 0 : random_below(random, 20) * 440000);

	return begin + random_below(random, 3000);
}

unsigned generate_time(struct random *random, const struct model *model)
{
	const struct model_rule *rule = model->rule_count ? &model->rules[random_below(random, model->rule_count)] : NULL;

	return rule && rule->until ? rule->until - 1 + random_below(random, 3) : random_below(random, 2 * GENERATE_BEGIN);
}

/* So that there are flows that end with it. */
static void match_much(struct model_rule *rule)
{
	rule->from.count = rule->to.count = rule->service.count = 0;
	add_word(&rule->from, "any");
	add_word(&rule->to, "any");
	add_word(&rule->service, "any");
	rule->action = "allow";
}

static void add_rules(struct random *random, struct model *model)
{
	static const char *const actions[] = { "allow", "allow", "allow", "drop", "drop", "pass" };
	unsigned rules = random_percent(random, 10) ? random_below(random, 60) : random_below(random, 12);

	for (unsigned i = 0; i < rules; i++) {
		struct model_rule rule = new_rule(random, model);

		snprintf(rule.id, sizeof(rule.id), "r%u", i);
		rule.action = pick(random, actions);
		rule.stage = random_percent(random, 12);
		if (random_percent(random, 15))
			rule.until = some_instant(random);
		if (rule.until && random_percent(random, 60))
			match_much(&rule);
		if (!strcmp(rule.action, "allow") && random_percent(random, 15))
			add_limit(random, &rule);
		if (!strcmp(rule.action, "allow") && random_percent(random, 25))
			ask_tls(random, model, &rule);
		if (rule.tls && random_percent(random, 20))
			rule.stage = true;
		if (model->tiers.count && random_percent(random, 80))
			snprintf(rule.tier, sizeof(rule.tier), "%.7s",
				 model->tiers.v[random_below(random, model->tiers.count)]);
		*(APPEND(model->rules, model->rule_count)) = rule;
	}
}

static void add_failsafe(struct random *random, struct model *model)
{
	unsigned entries = random_below(random, 4);

	model->has_failsafe = random_percent(random, 60);
	for (unsigned i = 0; model->has_failsafe && i < entries; i++) {
		struct model_rule entry = new_rule(random, model);

		if (random_percent(random, 50))
			snprintf(entry.id, sizeof(entry.id), "fs%u", i);
		*(APPEND(model->failsafe, model->failsafe_count)) = entry;
	}
}

/* Patterns overlap, so that a later entry overrides a former one. */
static void add_interface(struct random *random, struct model *model)
{
	static const char *const patterns[] = { "eth0", "eth1", "eth*", "veth-a", "veth-?", "v*", "[e-v]eth*", "*" };
	static const char *const built_in[] = { "any", "host", "world" };
	struct model_interface interface = { 0 };
	unsigned form = random_below(random, 10);

	for (unsigned n = 1 + random_below(random, 2); n; n--)
		add_word(&interface.match, pick(random, patterns));
	if (form < 6)
		add_word(&interface.source, model->zones[random_below(random, model->zone_count)].name);
	else if (form < 8)
		add_word(&interface.source, pick(random, built_in));
	else if (form < 9)
		some_addresses(random, model, false, &interface.source);
	*(APPEND(model->interfaces, model->interface_count)) = interface;
}

const char *generate_interface(struct random *random)
{
	static const char *const names[] = { "eth0", "eth1", "eth10", "veth-a", "veth-b", "lan" };

	return pick(random, names);
}

static void add_host(struct random *random, struct model *model)
{
	unsigned n = 1 + random_below(random, 3);

	model->has_host = random_percent(random, 60);
	if (random_percent(random, 15))
		n = 0; /* as at boot */
	for (; model->has_host && n; n--) {
		struct addr addr = anchor(random, random_percent(random, 50) ? 4 : 6);
		char text[ADDR_TEXT_MAX];

		if (random_percent(random, 10))
			addr.value = addr.family == 4 ? 0xa9fe0001 : (u128)0xfe80 << 112 | 1;
		addr_print(&addr, text);
		add_word(&model->host, text);
		add_ends(model, addr.family, addr.value, addr.value);
	}
}

/* Around a point of the model: mostly the address alone, with or without an end in the time in which conversations are. */
static void add_block(struct random *random, struct model *model)
{
	const struct addr *point = &model->points[random_below(random, model->point_count)];
	unsigned bits = point->family == 4 ? 32 : 128, length = random_percent(random, 60) ? bits : 1 + random_below(random, bits);
	struct addr first = { point->family, length == bits ? point->value : point->value >> (bits - length) << (bits - length) };
	char text[ADDR_TEXT_MAX], word[MODEL_TEXT];

	addr_print(&first, text);
	if (random_percent(random, 50))
		snprintf(word, sizeof(word), "%s/%u", text, length);
	else
		snprintf(word, sizeof(word), "%s/%u=%u", text, length, 1000000 + random_below(random, 5000));
	add_word(&model->blocks, word);
}

struct model *model_new(struct random *random)
{
	static const char *const yes_no[] = { NULL, "drop", "allow" },
				 *const logs[] = { NULL, "drops", "all", "none" },
				 *const tcps[] = { NULL, "loose", "strict" };
	struct model *model = calloc(1, sizeof(*model));

	if (!model)
		abort();
	model->action = random_percent(random, 70) ? "drop" : "allow";
	model->intra_zone = pick(random, yes_no);
	model->non_ip = pick(random, yes_no);
	model->tcp = pick(random, tcps);
	model->log = pick(random, logs);
	for (unsigned n = random_percent(random, 40) ? 1 + random_below(random, 3) : 0, i = 0; i < n; i++) {
		char name[16];

		snprintf(name, sizeof(name), "t%u", i);
		add_word(&model->tiers, name);
	}
	for (unsigned n = 1 + random_below(random, random_percent(random, 10) ? 24 : 8); n; n--)
		add_zone(random, model);
	for (unsigned n = random_below(random, 4), i = 0; i < n; i++) {
		struct model_rule service = { 0 };

		snprintf(service.id, sizeof(service.id), "s%u", i);
		for (unsigned forms = 1 + random_below(random, 3); forms; forms--)
			add_service(random, model, &service.service);
		*(APPEND(model->services, model->service_count)) = service;
	}
	if (random_percent(random, 30))
		model->dense_bytes = 4u << random_below(random, 5);
	for (unsigned n = random_percent(random, 40) ? 1 + random_below(random, 4) : 0; n; n--)
		add_interface(random, model);
	add_host(random, model);
	add_failsafe(random, model);
	add_rules(random, model);
	for (unsigned n = random_percent(random, 30) ? 1 + random_below(random, 4) : 0; n; n--)
		add_block(random, model);
	return model;
}

static void words_free(struct words *words)
{
	free(words->v);
}

static void rules_free(struct model_rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		words_free(&rules[i].from);
		words_free(&rules[i].to);
		words_free(&rules[i].service);
	}
	free(rules);
}

void model_free(struct model *model)
{
	if (!model)
		return;
	for (size_t i = 0; i < model->zone_count; i++) {
		words_free(&model->zones[i].addresses);
		words_free(&model->zones[i].except);
		words_free(&model->zones[i].zones);
	}
	free(model->zones);
	rules_free(model->services, model->service_count);
	rules_free(model->failsafe, model->failsafe_count);
	rules_free(model->rules, model->rule_count);
	for (size_t i = 0; i < model->interface_count; i++) {
		words_free(&model->interfaces[i].match);
		words_free(&model->interfaces[i].source);
	}
	free(model->interfaces);
	words_free(&model->tiers);
	words_free(&model->host);
	words_free(&model->blocks);
	free(model->points);
	free(model->ports);
	free(model);
}

/* --- Copy and drop: for shrinking -------------------------------------------------------------------------------- */

static void *copy_array(const void *array, size_t count, size_t size)
{
	void *copy = malloc(count * size + 1);

	if (!copy)
		abort();
	if (count)
		memcpy(copy, array, count * size);
	return copy;
}

static void copy_words(struct words *words)
{
	words->v = copy_array(words->v, words->count, sizeof(*words->v));
}

static struct model_rule *copy_rules(const struct model_rule *rules, size_t count)
{
	struct model_rule *copy = copy_array(rules, count, sizeof(*rules));

	for (size_t i = 0; i < count; i++) {
		copy_words(&copy[i].from);
		copy_words(&copy[i].to);
		copy_words(&copy[i].service);
	}
	return copy;
}

struct model *model_copy(const struct model *model)
{
	struct model *copy = copy_array(model, 1, sizeof(*model));

	copy->zones = copy_array(model->zones, model->zone_count, sizeof(*model->zones));
	for (size_t i = 0; i < model->zone_count; i++) {
		copy_words(&copy->zones[i].addresses);
		copy_words(&copy->zones[i].except);
		copy_words(&copy->zones[i].zones);
	}
	copy->services = copy_rules(model->services, model->service_count);
	copy->failsafe = copy_rules(model->failsafe, model->failsafe_count);
	copy->rules = copy_rules(model->rules, model->rule_count);
	copy->interfaces = copy_array(model->interfaces, model->interface_count, sizeof(*model->interfaces));
	for (size_t i = 0; i < model->interface_count; i++) {
		copy_words(&copy->interfaces[i].match);
		copy_words(&copy->interfaces[i].source);
	}
	copy_words(&copy->tiers);
	copy_words(&copy->host);
	copy_words(&copy->blocks);
	copy->points = copy_array(model->points, model->point_count, sizeof(*model->points));
	copy->ports = copy_array(model->ports, model->port_count, sizeof(*model->ports));
	return copy;
}

/* Counts part down over what there is; true once it was found and removed. */
static bool drop_word(struct words *words, size_t *part)
{
	if (*part >= words->count) {
		*part -= words->count;
		return false;
	}
	memmove(words->v + *part, words->v + *part + 1, (words->count - *part - 1) * sizeof(*words->v));
	words->count--;
	return true;
}

static bool drop_rule(struct model_rule *rules, size_t *count, size_t *part)
{
	if (*part >= *count) {
		*part -= *count;
		return false;
	}
	words_free(&rules[*part].from);
	words_free(&rules[*part].to);
	words_free(&rules[*part].service);
	memmove(rules + *part, rules + *part + 1, (*count - *part - 1) * sizeof(*rules));
	(*count)--;
	return true;
}

static void drop_name(struct words *words, const char *name)
{
	for (size_t i = words->count; i--;)
		if (!strcmp(words->v[i], name)) {
			size_t part = i;

			drop_word(words, &part);
		}
}

static void drop_zone(struct model *model, size_t index)
{
	char name[16];

	strcpy(name, model->zones[index].name);
	words_free(&model->zones[index].addresses);
	words_free(&model->zones[index].except);
	words_free(&model->zones[index].zones);
	model->zone_count--;
	memmove(model->zones + index, model->zones + index + 1,
		(model->zone_count - index) * sizeof(*model->zones));
	for (size_t i = 0; i < model->zone_count; i++)
		drop_name(&model->zones[i].zones, name);
	for (size_t i = 0; i < model->rule_count; i++) {
		drop_name(&model->rules[i].from, name);
		drop_name(&model->rules[i].to, name);
	}
	for (size_t i = 0; i < model->failsafe_count; i++) {
		drop_name(&model->failsafe[i].from, name);
		drop_name(&model->failsafe[i].to, name);
	}
	for (size_t i = 0; i < model->interface_count; i++)
		drop_name(&model->interfaces[i].source, name);
}

/* An entry, or a pattern or the source of one. */
static bool drop_interface(struct model *model, size_t *part)
{
	for (size_t i = 0; i < model->interface_count; i++) {
		struct model_interface *interface = &model->interfaces[i];

		if ((*part)-- == 0) {
			words_free(&interface->match);
			words_free(&interface->source);
			model->interface_count--;
			memmove(interface, interface + 1, (model->interface_count - i) * sizeof(*interface));
			return true;
		}
		if (drop_word(&interface->match, part) || drop_word(&interface->source, part))
			return true;
	}
	return false;
}

static bool drop_option(struct model *model, size_t *part)
{
	const char **options[] = { &model->intra_zone, &model->non_ip, &model->tcp, &model->log };

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (*options[i] && (*part)-- == 0) {
			*options[i] = NULL;
			return true;
		}
	if (model->tiers.count && (*part)-- == 0) {
		model->tiers.count = 0;
		for (size_t i = 0; i < model->rule_count; i++)
			model->rules[i].tier[0] = 0;
		return true;
	}
	if (model->has_host && (*part)-- == 0) {
		model->has_host = false;
		return true;
	}
	return false;
}

static bool drop_rule_words(struct model_rule *rules, size_t count, size_t *part)
{
	for (size_t i = 0; i < count; i++)
		if (drop_word(&rules[i].from, part) || drop_word(&rules[i].to, part) ||
		    drop_word(&rules[i].service, part))
			return true;
	return false;
}

bool model_drop(struct model *model, size_t part)
{
	if (drop_rule(model->rules, &model->rule_count, &part) ||
	    drop_rule(model->failsafe, &model->failsafe_count, &part) || drop_option(model, &part) ||
	    drop_interface(model, &part))
		return true;
	if (part < model->zone_count) {
		drop_zone(model, part);
		return true;
	}
	part -= model->zone_count;
	for (size_t i = 0; i < model->zone_count; i++)
		if (drop_word(&model->zones[i].addresses, &part) ||
		    drop_word(&model->zones[i].except, &part) || drop_word(&model->zones[i].zones, &part))
			return true;
	return drop_rule_words(model->rules, model->rule_count, &part) ||
	       drop_rule_words(model->failsafe, model->failsafe_count, &part) ||
	       drop_word(&model->host, &part) || drop_word(&model->blocks, &part);
}

/* --- YAML -------------------------------------------------------------------------------------------------------- */

static void write_words(FILE *out, const char *key, const struct words *words)
{
	fprintf(out, "%s[", key);
	for (size_t i = 0; i < words->count; i++)
		fprintf(out, "%s\"%s\"", i ? ", " : "", words->v[i]);
	fputs("]", out);
}

static void write_option(FILE *out, const char *key, const char *value)
{
	if (value)
		fprintf(out, "  %s: %s\n", key, value);
}

static void write_until(FILE *out, time_t until)
{
	char text[32];
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&until, &tm));
	fprintf(out, ", until: %s", text);
}

static void write_rule(FILE *out, const struct model_rule *rule)
{
	write_words(out, "  - {from: ", &rule->from);
	write_words(out, ", to: ", &rule->to);
	write_words(out, ", service: ", &rule->service);
	if (rule->id[0])
		fprintf(out, ", id: %s", rule->id);
	if (rule->action)
		fprintf(out, ", action: %s", rule->action);
	if (rule->tier[0])
		fprintf(out, ", tier: %s", rule->tier);
	if (rule->stage)
		fputs(", mode: stage", out);
	if (rule->limit[0])
		fprintf(out, ", limit: {%s}", rule->limit);
	if (rule->tls)
		fprintf(out, ", tls: %s", rule->tls);
	if (rule->until)
		write_until(out, rule->until);
	fputs("}\n", out);
}

static void write_zone(FILE *out, const struct model_zone *zone)
{
	fprintf(out, "  %s: ", zone->name);
	if (!zone->except.count && !zone->zones.count) {
		write_words(out, "", &zone->addresses);
	} else {
		fputs("{", out);
		if (zone->addresses.count || !zone->zones.count)
			write_words(out, "addresses: ", &zone->addresses);
		if (zone->zones.count)
			write_words(out, zone->addresses.count ? ", zones: " : "zones: ", &zone->zones);
		if (zone->except.count)
			write_words(out, ", except: ", &zone->except);
		fputs("}", out);
	}
	fputs("\n", out);
}

char *model_yaml(const struct model *model)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort();
	fprintf(out, "version: 1\ndefaults:\n  action: %s\n", model->action);
	write_option(out, "intra-zone", model->intra_zone);
	write_option(out, "non-ip", model->non_ip);
	write_option(out, "tcp", model->tcp);
	write_option(out, "log", model->log);
	if (model->tiers.count) {
		write_words(out, "tiers: ", &model->tiers);
		fputs("\n", out);
	}
	fputs(model->interface_count ? "interfaces:\n" : "", out);
	for (size_t i = 0; i < model->interface_count; i++) {
		write_words(out, "  - {match: ", &model->interfaces[i].match);
		if (model->interfaces[i].source.count)
			fprintf(out, ", source: \"%s\"", model->interfaces[i].source.v[0]);
		fputs("}\n", out);
	}
	fputs(model->zone_count ? "zones:\n" : "", out);
	for (size_t i = 0; i < model->zone_count; i++)
		write_zone(out, &model->zones[i]);
	fputs(model->service_count ? "services:\n" : "", out);
	for (size_t i = 0; i < model->service_count; i++) {
		fprintf(out, "  %s: ", model->services[i].id);
		write_words(out, "", &model->services[i].service);
		fputs("\n", out);
	}
	if (model->has_failsafe)
		fputs(model->failsafe_count ? "failsafe:\n" : "failsafe: []\n", out);
	for (size_t i = 0; model->has_failsafe && i < model->failsafe_count; i++)
		write_rule(out, &model->failsafe[i]);
	fputs(model->rule_count ? "rules:\n" : "rules: []\n", out);
	for (size_t i = 0; i < model->rule_count; i++)
		write_rule(out, &model->rules[i]);
	fclose(out);
	return text;
}

static char *join(const struct words *words)
{
	char *text = calloc(words->count + 1, MODEL_TEXT);

	if (!text)
		abort();
	for (size_t i = 0; i < words->count; i++) {
		strcat(text, i ? " " : "");
		strcat(text, words->v[i]);
	}
	return text;
}

char *model_host(const struct model *model)
{
	return model->has_host ? join(&model->host) : NULL;
}

char *model_blocks(const struct model *model)
{
	return model->blocks.count ? join(&model->blocks) : NULL;
}
