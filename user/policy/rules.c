// SPDX-License-Identifier: GPL-2.0-only
/* The keys `rules`, `failsafe`, `never` and `always`. */
#include "policy/moments.h"
#include "policy/schema.h"

static const char *const actions[] = { "drop", "allow", "pass", NULL };
static const char *const modes[] = { "enforce", "stage", NULL };
static const char *const logs[] = { "none", "new", "all", NULL };

/* A rule that is being read, and the keys that some actions do not take. */
struct draft {
	struct rule rule;
	bool has_action, bad_service;
	const struct node *limit, *tls, *log, *service;
};

static void free_rule(struct rule *rule)
{
	free(rule->id);
	free(rule->from.zone);
	free(rule->to.zone);
	free(rule->service.v);
	free(rule->service_text);
	free(rule->owner);
}

static void read_id(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct draft *draft = into;

	(void)key;
	if (!want_text(reader, value, "a name") || !name_check(reader, value, "a rule"))
		return;
	draft->rule.id = strdup(value->text);
	draft->rule.place = value->place;
	if (!failed(reader, draft->rule.id ? 0 : -ENOMEM))
		define(reader, &reader->ids_given, value, draft->rule.id, "id");
}

static void read_tier(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct draft *draft = into;
	unsigned tier;

	(void)key;
	if (!want_text(reader, value, "the name of a tier"))
		return;
	if (index_find(&reader->tiers.index, value->text, &tier))
		draft->rule.tier = tier;
	else
		report_undefined(reader, value, &reader->tiers, "tier", NULL);
}

static void read_from(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	(void)key;
	read_zone_list(reader, value, &((struct draft *)into)->rule.from);
}

static void read_to(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	(void)key;
	read_zone_list(reader, value, &((struct draft *)into)->rule.to);
}

static void read_service_key(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct draft *draft = into;

	(void)key;
	draft->service = value;
	draft->bad_service = !read_service(reader, value, &draft->rule.service, &draft->rule.service_text);
}

static void read_action(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct draft *draft = into;
	int action = want_word(reader, value, actions);

	(void)key;
	draft->has_action = action >= 0;
	draft->rule.action = action < 0 ? ACTION_DROP : (enum action)action;
}

static void read_mode(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	(void)key;
	if (want_word(reader, value, modes) == MODE_STAGE)
		((struct draft *)into)->rule.mode = MODE_STAGE;
}

static void read_log(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct draft *draft = into;
	int log = want_word(reader, value, logs);

	draft->log = key;
	if (log >= 0)
		draft->rule.log = LOG_NONE + log;
}

static void read_limit(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct draft *draft = into;

	draft->limit = key;
	read_limit_map(reader, value, &draft->rule.limit);
}

static void read_require(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	static const char *const words[] = { "true", NULL };

	(void)key;
	((struct rule *)into)->tls_require = !want_word(reader, value, words);
}

static void read_min(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	static const char *const words[] = { "1.2", NULL };

	(void)key;
	((struct rule *)into)->tls_min_1_2 = !want_word(reader, value, words);
}

static const struct schema tls_schema = {
	"tls",
	(const struct field[]){
		{ "require", true, read_require },
		{ "min", false, read_min },
		{ 0 },
	},
};

static void read_tls(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct draft *draft = into;

	draft->tls = key;
	schema_read(reader, &tls_schema, value, &draft->rule);
}

static void read_until(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct draft *draft = into;

	(void)key;
	if (!want_text(reader, value, "an instant (2026-12-31T00:00:00Z)"))
		return;
	if (instant_read(value->text, &draft->rule.until))
		diag_error(reader->diag, &value->place, "write date, time and zone: 2026-12-31T00:00:00Z",
			   "'%.60s' is not an instant", value->text);
	else
		draft->rule.expires = true;
}

static void read_owner(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct draft *draft = into;

	(void)key;
	if (!want_text(reader, value, "a text"))
		return;
	draft->rule.owner = strdup(value->text);
	failed(reader, draft->rule.owner ? 0 : -ENOMEM);
}

static const struct schema rule_schema = {
	"a rule",
	(const struct field[]){
		{ "id", true, read_id },
		{ "tier", false, read_tier },
		{ "from", true, read_from },
		{ "to", true, read_to },
		{ "service", true, read_service_key },
		{ "action", true, read_action },
		{ "mode", false, read_mode },
		{ "log", false, read_log },
		{ "limit", false, read_limit },
		{ "tls", false, read_tls },
		{ "until", false, read_until },
		{ "owner", false, read_owner },
		{ 0 },
	},
};

/* An entry of failsafe, never or always: ends and a service, nothing else. */
static const struct field region_fields[] = {
	{ "id", false, read_id },
	{ "from", true, read_from },
	{ "to", true, read_to },
	{ "service", true, read_service_key },
	{ 0 },
};
static const struct schema failsafe_schema = { "an entry of failsafe", region_fields };
static const struct schema never_schema = { "an entry of never", region_fields };
static const struct schema always_schema = { "an entry of always", region_fields };

static void refuse_key(struct reader *reader, const struct draft *draft, const struct node *key)
{
	if (key)
		diag_error(reader->diag, &key->place, NULL, "'%s' is only for rules that allow; this one %ss", key->text,
			   draft->rule.action == ACTION_PASS ? "passe" : "drop");
}

static bool is_tcp_only(const struct selectors *service)
{
	for (size_t i = 0; i < service->count; i++)
		if (service->v[i].any_protocol || service->v[i].protocol != 6)
			return false;
	return true;
}

/* Keys that do not go together. */
static void check_rule(struct reader *reader, const struct draft *draft)
{
	const struct rule *rule = &draft->rule;

	if (draft->has_action && rule->action != ACTION_ALLOW) {
		refuse_key(reader, draft, draft->limit);
		refuse_key(reader, draft, draft->tls);
	}
	if (draft->has_action && rule->action == ACTION_PASS && draft->log)
		diag_error(reader->diag, &draft->log->place, NULL, "'log' is not for rules that pass: they decide nothing");
	if (draft->tls && draft->service && !draft->bad_service && !is_tcp_only(&rule->service))
		diag_error(reader->diag, &draft->service->place, "name only tcp services, or split the rule",
			   "a rule with 'tls' takes tcp services only");
}

/* Takes ownership of the rule. The first one too many is still taken: the index of ids has its name. */
static void append(struct reader *reader, struct rules *rules, struct rule *rule, const struct place *place)
{
	size_t all = reader->policy->rules.count + reader->policy->failsafe.count;

	if (all >= RULES_MAX && !reader->rules_full) {
		diag_error(reader->diag, place, NULL, "the policy has more than %u rules and failsafe entries", RULES_MAX);
		reader->rules_full = true;
	}
	if (failed(reader, array_grow(&rules->v, rules->count, sizeof(*rules->v)))) {
		free_rule(rule);
		return;
	}
	rules->v[rules->count++] = *rule;
}

/* Names an entry without an id after its list and its place in it. */
static void give_id(struct reader *reader, struct draft *draft, const char *list, size_t number, const struct node *node)
{
	struct node name = *node;

	if (draft->rule.id)
		return;
	if (asprintf(&draft->rule.id, "%s-%zu", list, number) < 0) {
		draft->rule.id = NULL;
		reader->out_of_memory = true;
		return;
	}
	draft->rule.place = node->place;
	name.text = draft->rule.id;
	define(reader, &reader->ids_given, &name, draft->rule.id, "id");
}

static void read_one(struct reader *reader, const struct schema *schema, const struct node *node, const char *list,
		     struct rules *rules)
{
	struct draft draft = { .rule = { .tier = reader->policy->tier_count - 1, .place = node->place } };

	if (list)
		draft.rule.action = ACTION_ALLOW;
	if (!schema_read(reader, schema, node, &draft)) {
		free_rule(&draft.rule);
		return;
	}
	if (list)
		give_id(reader, &draft, list, rules->count + 1, node);
	check_rule(reader, &draft);
	append(reader, rules, &draft.rule, &node->place);
}

static void read_list(struct reader *reader, const struct schema *schema, const struct node *value, const char *list,
		      struct rules *rules)
{
	if (!want_list(reader, value, list ? "a list of entries" : "a list of rules"))
		return;
	node_for_each(node, value)
		if (!reader->out_of_memory && !reader->rules_full)
			read_one(reader, schema, node, list, rules);
}

void read_rules(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	(void)key;
	(void)into;
	read_list(reader, &rule_schema, value, NULL, &reader->policy->rules);
}

void read_failsafe(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	(void)into;
	reader->has_failsafe = true;
	if (value->kind == NODE_LIST)
		reader->failsafe_at = key->place;
	read_list(reader, &failsafe_schema, value, "failsafe", &reader->policy->failsafe);
}

void read_never(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	(void)key;
	(void)into;
	read_list(reader, &never_schema, value, "never", &reader->policy->never);
}

void read_always(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	(void)key;
	(void)into;
	read_list(reader, &always_schema, value, "always", &reader->policy->always);
}

static struct zone_list one_zone(unsigned zone)
{
	struct zone_list list = { malloc(sizeof(*list.zone)), 1 };

	if (list.zone)
		*list.zone = zone;
	return list;
}

/* Absent: [{from: any, to: host, service: tcp/22}] */
void add_default_failsafe(struct reader *reader)
{
	struct draft draft = { .rule = {
		.tier = reader->policy->tier_count - 1,
		.action = ACTION_ALLOW,
		.from = one_zone(ZONE_INDEX_ANY),
		.to = one_zone(ZONE_INDEX_HOST),
		.service = { malloc(sizeof(struct selector)), 1 },
		.service_text = strdup("tcp/22"),
	} };
	struct rule *rule = &draft.rule;
	struct node node = { .place = { .file = 0 } };

	if (!rule->from.zone || !rule->to.zone || !rule->service.v || !rule->service_text) {
		reader->out_of_memory = true;
		free_rule(rule);
		return;
	}
	rule->service.v[0] = (struct selector){ .protocol = 6, .first = 22, .last = 22 };
	reader->policy->failsafe_is_default = true;
	give_id(reader, &draft, "failsafe", 1, &node);
	append(reader, &reader->policy->failsafe, rule, &node.place);
}
