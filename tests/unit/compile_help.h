/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the compiler's tests share: small policies made in memory, and what they mean, found by looking at each rule
 * and each range in turn.
 */
#ifndef ZW_COMPILE_HELP_H
#define ZW_COMPILE_HELP_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compile/walk.h"
#include "policy/policy.h"

static inline uint64_t rnd(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed * 0x2545f4914f6cdd1dull >> 16;
}

/* A policy of the built-in zones alone. Everything is allocated; free it with made_free. */
static inline struct policy *made_new(void)
{
	struct policy *p = calloc(1, sizeof(*p));
	static const char *const builtin[] = { "any", "host", "world" };
	static const enum zone_kind kind[] = { ZONE_ANY, ZONE_HOST, ZONE_WORLD };

	p->zones = calloc(64, sizeof(*p->zones));
	p->zone_count = 3;
	for (int i = 0; i < 3; i++)
		p->zones[i] = (struct zone){ .name = strdup(builtin[i]), .kind = kind[i] };
	p->rules.v = calloc(64, sizeof(*p->rules.v));
	p->failsafe.v = calloc(64, sizeof(*p->failsafe.v));
	p->tier_count = 3;
	p->host_known = true;
	return p;
}

static inline unsigned made_zone(struct policy *p, const char *name, enum zone_kind kind)
{
	p->zones[p->zone_count] = (struct zone){ .name = strdup(name), .kind = kind };
	return p->zone_count++;
}

/* Adds a range to a zone's set. "10.0.0.0", "10.0.0.255" */
static inline void made_range(struct policy *p, unsigned zone, const char *first, const char *last)
{
	struct addr a, b;

	assert_int_equal(addr_parse(first, &a), 0);
	assert_int_equal(addr_parse(last, &b), 0);
	assert_int_equal(ranges_add(&p->zones[zone].set, a.family, a.value, b.value), 0);
	assert_int_equal(ranges_normalise(&p->zones[zone].set), 0);
}

static inline void made_list(struct zone_list *list, size_t count, const unsigned *zones)
{
	list->zone = calloc(count + 1, sizeof(*list->zone));
	memcpy(list->zone, zones, count * sizeof(*zones));
	list->count = count;
}

static inline struct selector made_ports(uint8_t protocol, uint16_t first, uint16_t last)
{
	return (struct selector){ .protocol = protocol, .first = first, .last = last };
}

#define ANY_SERVICE ((struct selector){ .any_protocol = true, .last = 65535 })

static inline struct rule *made_rule(struct rules *rules, const char *id, unsigned from, unsigned to,
				     struct selector service, enum action action)
{
	struct rule *rule = &rules->v[rules->count++];

	*rule = (struct rule){ .id = strdup(id), .action = action, .service_text = strdup("service") };
	made_list(&rule->from, 1, &from);
	made_list(&rule->to, 1, &to);
	rule->service.v = calloc(8, sizeof(*rule->service.v));
	rule->service.v[0] = service;
	rule->service.count = 1;
	return rule;
}

static inline void made_rules_free(struct rules *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		free(rules->v[i].id);
		free(rules->v[i].owner);
		free(rules->v[i].service_text);
		free(rules->v[i].from.zone);
		free(rules->v[i].to.zone);
		free(rules->v[i].service.v);
	}
	free(rules->v);
}

static inline void made_free(struct policy *p)
{
	for (size_t i = 0; i < p->zone_count; i++) {
		free(p->zones[i].name);
		ranges_clear(&p->zones[i].set);
	}
	free(p->zones);
	made_rules_free(&p->rules);
	made_rules_free(&p->failsafe);
	free(p);
}

static inline struct tables *made_tables(const struct policy *p, const struct compile_options *options)
{
	struct diag *diag = diag_new();
	struct tables *tables = NULL;

	if (compile_policy(p, options, diag, &tables))
		diag_print(diag, stderr, false);
	assert_non_null(tables);
	diag_free(diag);
	return tables;
}

static inline bool in_ranges(const struct range *v, size_t count, u128 value)
{
	for (size_t i = 0; i < count; i++)
		if (v[i].first <= value && value <= v[i].last)
			return true;
	return false;
}

static inline bool in_zone(const struct policy *p, unsigned zone, const struct addr *a)
{
	const struct zone *z = &p->zones[zone];

	if (z->kind == ZONE_ANY)
		return true;
	return a->family == 4 ? in_ranges(z->set.v4, z->set.v4_count, a->value)
			      : in_ranges(z->set.v6, z->set.v6_count, a->value);
}

static inline bool in_list(const struct policy *p, const struct zone_list *list, const struct addr *a)
{
	for (size_t i = 0; i < list->count; i++)
		if (in_zone(p, list->zone[i], a))
			return true;
	return false;
}

static inline bool matches(const struct policy *p, const struct rule *r, const struct addr *from,
			   const struct addr *to, uint8_t protocol, uint16_t port)
{
	if (!in_list(p, &r->from, from) || !in_list(p, &r->to, to))
		return false;
	for (size_t i = 0; i < r->service.count; i++) {
		const struct selector *s = &r->service.v[i];

		if (s->any_protocol || (s->protocol == protocol && s->first <= port && port <= s->last))
			return true;
	}
	return false;
}

/* Number of a rule in evaluation order: how many come before it, plus one. */
static inline uint32_t number_of(const struct policy *p, size_t rule)
{
	uint32_t number = 1;

	for (size_t i = 0; i < p->rules.count; i++)
		number += p->rules.v[i].tier < p->rules.v[rule].tier ||
			  (p->rules.v[i].tier == p->rules.v[rule].tier && i < rule);
	return number;
}

static inline bool share_zone(const struct policy *p, const struct addr *from, const struct addr *to)
{
	for (unsigned i = ZONE_INDEX_FIRST_DECLARED; i < p->zone_count; i++)
		if (p->zones[i].kind == ZONE_DECLARED && !p->zones[i].is_union && in_zone(p, i, from) &&
		    in_zone(p, i, to))
			return true;
	return false;
}

static inline uint32_t expect_log(const struct policy *p, enum rule_log log, bool allow)
{
	switch (log) {
	case LOG_NONE:
		return 0;
	case LOG_NEW:
		return ZW_CELL_LOG;
	case LOG_ALL:
		return ZW_CELL_LOG | ZW_CELL_LOG_ALL;
	default:
		return (allow ? p->log == LOG_EVERYTHING : p->log != LOG_NOTHING) ? ZW_CELL_LOG : 0;
	}
}

/* Design 4.3, word for word, at a time (Unix seconds); with all staged rules enforced, or with none. */
static inline uint32_t expect_cell_at(const struct policy *p, const struct addr *from, const struct addr *to,
				      uint8_t protocol, uint16_t port, int64_t now, bool staged)
{
	enum action action = p->default_action;
	uint32_t intra = 0;

	for (unsigned tier = 0; tier < p->tier_count; tier++) {
		for (size_t i = 0; i < p->rules.count; i++) {
			const struct rule *r = &p->rules.v[i];
			bool allow = r->action == ACTION_ALLOW;

			if (r->tier != tier || (r->mode == MODE_STAGE && !staged) || (r->expires && r->until <= now) ||
			    !matches(p, r, from, to, protocol, port))
				continue;
			if (r->action == ACTION_PASS)
				break;
			return number_of(p, i) | (allow ? ZW_CELL_ALLOW : 0) | expect_log(p, r->log, allow) |
			       (allow && r->limit.set ? ZW_CELL_LIMIT : 0) |
			       (allow && r->tls_require ? ZW_CELL_TLS : 0) |
			       (allow && r->tls_min_1_2 ? ZW_CELL_TLS_MIN_1_2 : 0) |
			       (r->expires ? ZW_CELL_EXPIRES : 0);
		}
	}
	if (share_zone(p, from, to)) {
		action = p->intra_zone;
		intra = action == ACTION_ALLOW ? ZW_CELL_INTRA : 0;
	}
	return intra | (action == ACTION_ALLOW ? ZW_CELL_ALLOW : 0) |
	       expect_log(p, LOG_UNSET, action == ACTION_ALLOW);
}

/* Before any rule ended. */
static inline uint32_t expect_cell(const struct policy *p, const struct addr *from, const struct addr *to,
				   uint8_t protocol, uint16_t port)
{
	return expect_cell_at(p, from, to, protocol, port, INT64_MIN, false);
}

/* The staged rule that decides with all of them enforced, as in struct zw_variant. */
static inline uint32_t expect_staged(const struct policy *p, const struct addr *from, const struct addr *to,
				     uint8_t protocol, uint16_t port, int64_t now)
{
	uint32_t cell = expect_cell_at(p, from, to, protocol, port, now, true);

	for (size_t i = 0; i < p->rules.count; i++)
		if (p->rules.v[i].mode == MODE_STAGE && number_of(p, i) == (cell & ZW_CELL_RULE))
			return cell & ZW_STAGED;
	return 0;
}

static inline uint32_t expect_failsafe(const struct policy *p, const struct addr *from, const struct addr *to,
				       uint8_t protocol, uint16_t port)
{
	for (size_t i = 0; i < p->failsafe.count; i++)
		if (matches(p, &p->failsafe.v[i], from, to, protocol, port))
			return (p->rules.count + i + 1) | ZW_CELL_ALLOW |
			       expect_log(p, p->failsafe.v[i].log, true);
	return 0;
}

#endif
