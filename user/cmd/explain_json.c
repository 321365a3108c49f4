// SPDX-License-Identifier: GPL-2.0-only
/*
 * An explanation as JSON: a contract. Keys are there always; what has no value is null.
 *
 * at (null: now); kind "packet": from, to, service, protocol, port, icmp, sport, direction, interface; verdict, reason, rule, why;
 * from_zones, to_zones; source; tiers; intra_zone, default; policy; failsafe; staged; later (what decides as rules end);
 * misses, more_misses; notes.
 * kind "zones": from, to, service, sport, interface; answer (yes, no, partly, none); allowed, more_allowed, dropped,
 * more_dropped; notes.
 */
#include <errno.h>
#include <json-c/json.h>
#include <netinet/in.h>

#include "base/util.h"
#include "cmd/explained.h"

#define EXPLAIN_SCHEMA "zonewall.explain/1"

static void add_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, text ? json_object_new_string(text) : NULL);
}

static void add_number(struct json_object *object, const char *key, uint64_t number)
{
	json_object_object_add(object, key, json_object_new_uint64(number));
}

/* The buffer's text, which is freed. */
static void add_buffer(struct json_object *object, const char *key, struct buffer *buffer)
{
	add_text(object, key, buffer->len ? buffer->data : NULL);
	buffer_free(buffer);
}

static void add_addr(struct json_object *object, const char *key, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	addr_print(addr, text);
	add_text(object, key, text);
}

static struct json_object *json_rule(const struct explained *x, const struct rule *rule)
{
	struct json_object *object;
	struct buffer text = { 0 };

	if (!rule)
		return NULL;
	object = json_object_new_object();
	add_text(object, "id", rule->id);
	put_place(&text, x, &rule->place);
	add_buffer(object, "place", &text);
	add_text(object, "owner", rule->owner);
	add_text(object, "action", action_name(rule->action));
	put_conditions(&text, rule, x->at);
	add_buffer(object, "provided", &text);
	return object;
}

static void add_rule(struct json_object *object, const char *key, const struct explained *x, const struct rule *rule)
{
	json_object_object_add(object, key, json_rule(x, rule));
}

static struct json_object *json_zones(const struct explained *x, const unsigned *zones, size_t count)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		json_object_array_add(array, json_object_new_string(x->policy->zones[zones[i]].name));
	return array;
}

static struct json_object *json_zones_of(const struct explained *x, const struct addr *addr)
{
	_cleanup_free_ unsigned *zones = array_new(x->policy->zone_count, sizeof(*zones));

	return zones ? json_zones(x, zones, explain_zones(x->policy, addr, zones)) : NULL;
}

static bool is_icmp(const struct first_packet *p)
{
	return p->protocol == IPPROTO_ICMP || p->protocol == IPPROTO_ICMPV6;
}

static bool has_ports(const struct first_packet *p)
{
	return p->protocol == IPPROTO_TCP || p->protocol == IPPROTO_UDP || p->protocol == IPPROTO_SCTP;
}

static struct json_object *json_icmp(const struct first_packet *p)
{
	struct json_object *array = json_object_new_array();

	json_object_array_add(array, json_object_new_int(p->port >> 8));
	json_object_array_add(array, json_object_new_int(p->port & 255));
	return array;
}

static void add_packet(struct json_object *object, const struct first_packet *p)
{
	struct buffer text = { 0 };

	add_addr(object, "from", &p->from);
	add_addr(object, "to", &p->to);
	put_packet_service(&text, p);
	add_buffer(object, "service", &text);
	add_number(object, "protocol", p->protocol);
	json_object_object_add(object, "port", has_ports(p) ? json_object_new_int(p->port) : NULL);
	json_object_object_add(object, "icmp", is_icmp(p) ? json_icmp(p) : NULL);
	json_object_object_add(object, "sport", has_ports(p) ? json_object_new_int(p->sport) : NULL);
	add_text(object, "direction", p->egress ? "egress" : "ingress");
	add_text(object, "interface", p->interface);
}

static void add_verdict(struct json_object *object, const struct explained *x, enum zw_reason reason,
			const struct rule *rule)
{
	add_text(object, "verdict", ZW_REASON_IS_DROP(reason) ? "drop" : "allow");
	add_text(object, "reason", reason_name(reason));
	add_rule(object, "rule", x, rule);
}

static struct json_object *json_source(const struct explained *x, const struct interface_match *source)
{
	struct json_object *object;
	struct buffer text = { 0 };

	if (!source)
		return NULL;
	object = json_object_new_object();
	add_text(object, "zone", x->policy->zones[source->source].name);
	put_place(&text, x, &source->place);
	add_buffer(object, "place", &text);
	return object;
}

static struct json_object *json_tiers(const struct explained *x, const struct explanation *e)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < e->tier_count; i++) {
		struct json_object *tier = json_object_new_object();

		add_text(tier, "tier", x->policy->tiers[e->tiers[i].tier]);
		add_rule(tier, "rule", x, e->tiers[i].rule);
		add_rule(tier, "staged", x, e->tiers[i].staged);
		add_rule(tier, "ended", x, e->tiers[i].ended);
		json_object_array_add(array, tier);
	}
	return array;
}

static void add_after_tiers(struct json_object *object, const struct explained *x, const struct explanation *e)
{
	struct json_object *intra = e->after_tiers ? json_object_new_object() : NULL;

	if (intra) {
		add_text(intra, "zone", e->shared ? e->shared->name : NULL);
		add_text(intra, "action", action_name(x->policy->intra_zone));
	}
	json_object_object_add(object, "intra_zone", intra);
	add_text(object, "default", e->after_tiers ? action_name(x->policy->default_action) : NULL);
}

static void add_policy(struct json_object *object, const struct explained *x, const struct explanation *e)
{
	struct json_object *policy = NULL, *failsafe = NULL;

	if (e->policy_reason) {
		policy = json_object_new_object();
		add_verdict(policy, x, e->policy_reason, e->policy_rule);
	}
	if (e->reason == ZW_ALLOW_FAILSAFE) {
		failsafe = json_rule(x, e->rule);
		json_object_object_add(failsafe, "reversed", json_object_new_boolean(e->reversed));
	}
	json_object_object_add(object, "policy", policy);
	json_object_object_add(object, "failsafe", failsafe);
	add_rule(object, "staged", x, e->staged);
}

/* {"field":"from","rule":["gateway"],"packet":["guest"]} */
static void add_end_difference(struct json_object *array, const struct explained *x, const char *field,
			       const struct zone_list *list, const struct addr *addr)
{
	struct json_object *object = json_object_new_object();

	add_text(object, "field", field);
	json_object_object_add(object, "rule", json_zones(x, list->zone, list->count));
	json_object_object_add(object, "packet", json_zones_of(x, addr));
	json_object_array_add(array, object);
}

static void add_service_difference(struct json_object *array, const struct explained *x, const struct rule *rule)
{
	struct json_object *object = json_object_new_object();
	struct buffer text = { 0 };

	add_text(object, "field", "service");
	put_rule_service(&text, rule);
	add_buffer(object, "rule", &text);
	put_packet_service(&text, &x->packet);
	add_buffer(object, "packet", &text);
	json_object_array_add(array, object);
}

static struct json_object *json_miss(const struct explained *x, const struct miss *miss)
{
	struct json_object *object = json_object_new_object(), *differs = json_object_new_array();

	add_rule(object, "rule", x, miss->rule);
	if (miss->from)
		add_end_difference(differs, x, "from", &miss->rule->from, &x->packet.from);
	if (miss->to)
		add_end_difference(differs, x, "to", &miss->rule->to, &x->packet.to);
	if (miss->service)
		add_service_difference(differs, x, miss->rule);
	json_object_object_add(object, "differs", differs);
	add_rule(object, "passed_by", x, miss->passed);
	return object;
}

static void add_misses(struct json_object *object, const struct explained *x, const struct explanation *e)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < e->miss_count; i++)
		json_object_array_add(array, json_miss(x, &e->miss[i]));
	json_object_object_add(object, "misses", array);
	add_number(object, "more_misses", e->more_misses);
}

static void add_instant(struct json_object *object, const char *key, int64_t seconds)
{
	struct buffer text = { 0 };

	put_instant(&text, seconds);
	add_buffer(object, key, &text);
}

/* [{"from":"2031-01-01T00:00:00Z","verdict":"drop","reason":"default","rule":null}] */
static void add_follows(struct json_object *object, const struct explained *x)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < x->follows_count; i++) {
		struct json_object *entry = json_object_new_object();

		add_instant(entry, "from", x->follows[i].from);
		add_verdict(entry, x, x->follows[i].reason, x->follows[i].rule);
		json_object_array_add(array, entry);
	}
	json_object_object_add(object, "later", array);
}

static void add_explanation(struct json_object *object, const struct explained *x)
{
	const struct explanation *e = &x->explanation;

	add_text(object, "kind", "packet");
	add_packet(object, &x->packet);
	add_verdict(object, x, e->reason, e->rule);
	add_text(object, "why", e->why);
	json_object_object_add(object, "from_zones", json_zones_of(x, &x->packet.from));
	json_object_object_add(object, "to_zones", json_zones_of(x, &x->packet.to));
	json_object_object_add(object, "source", json_source(x, e->source));
	json_object_object_add(object, "tiers", json_tiers(x, e));
	add_after_tiers(object, x, e);
	add_policy(object, x, e);
	add_follows(object, x);
	add_misses(object, x, e);
}

static struct json_object *json_outcome(const struct explained *x, const struct reach_outcome *outcome)
{
	struct json_object *object = json_object_new_object(), *example = json_object_new_object();

	add_text(object, "reason", reason_name(outcome->reason));
	add_rule(object, "rule", x, explained_rule(x, outcome->rule));
	add_packet(example, &outcome->example);
	json_object_object_add(object, "example", example);
	return object;
}

static void add_outcomes(struct json_object *object, const struct explained *x, bool allow, const char *key,
			 const char *more_key)
{
	struct json_object *array = json_object_new_array();
	const struct reach_outcome *shown[SHOWN_MAX];
	size_t count = shown_outcomes(&x->reach, allow, shown);

	for (size_t i = 0; i < count && i < SHOWN_MAX; i++)
		json_object_array_add(array, json_outcome(x, shown[i]));
	json_object_object_add(object, key, array);
	add_number(object, more_key, count > SHOWN_MAX ? count - SHOWN_MAX : 0);
}

static void add_answer(struct json_object *object, const struct explained *x)
{
	static const char *const answers[] = { "none", "no", "partly", "yes" };

	add_text(object, "kind", "zones");
	add_text(object, "from", x->question.from);
	add_text(object, "to", x->question.to);
	add_text(object, "service", x->question.service);
	add_number(object, "sport", x->packet.sport);
	add_text(object, "interface", x->packet.interface);
	add_text(object, "answer", answers[reach_answer(&x->reach)]);
	add_outcomes(object, x, true, "allowed", "more_allowed");
	add_outcomes(object, x, false, "dropped", "more_dropped");
}

int explained_print_json(const struct explained *explained)
{
	struct json_object *object = json_object_new_object(), *notes = json_object_new_array();

	if (!object || !notes) {
		json_object_put(object);
		json_object_put(notes);
		return -ENOMEM;
	}
	add_text(object, "schema", EXPLAIN_SCHEMA);
	if (explained->generation)
		json_object_object_add(object, "generation", json_object_new_int64(explained->generation));
	if (explained->has_at)
		add_instant(object, "at", explained->at);
	else
		json_object_object_add(object, "at", NULL);
	if (explained->is_packet)
		add_explanation(object, explained);
	else
		add_answer(object, explained);
	for (size_t i = 0; i < explained->note_count; i++)
		json_object_array_add(notes, json_object_new_string(explained->note[i]));
	json_object_object_add(object, "notes", notes);
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
	return 0;
}
