// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/terms.h"

#include "base/util.h"
#include "simulate/joint.h"

enum {
	TERM_ALLOW,
	TERM_LOG,
	TERM_LIMIT, /* from here: of the limit */
	TERM_RULE,
	TERM_RATE_HIGH,
	TERM_RATE_LOW,
	TERM_BURST,
	TERM_PER,
	TERM_BAN,
	TERM_TLS, /* from here: of the TLS check */
	TERM_MIN,
	TERM_COUNT
};

/* Rules with the same id have the same number, whichever generation they are of. */
static uint32_t bucket_of(const struct terms *terms, enum diff_side side, uint32_t number)
{
	const struct rule_name *name = names_rule(terms->sources[side].names, number);
	uint32_t before = name ? names_find_rule(terms->sources[DIFF_OLD].names, name->id) : 0;

	return before ? before : 0x80000000 | number;
}

static void put_limit(const struct rule *rule, uint32_t term[TERM_COUNT])
{
	if (!rule)
		return;
	term[TERM_RATE_HIGH] = rule->limit.per_hour >> 32;
	term[TERM_RATE_LOW] = rule->limit.per_hour;
	term[TERM_BURST] = rule->limit.burst;
	term[TERM_PER] = rule->limit.per_source;
	term[TERM_BAN] = rule->limit.ban_s;
}

static int number_of(struct terms *terms, enum diff_side side, uint32_t cell, const struct rule *rule,
		     uint32_t *ret_number)
{
	uint32_t term[TERM_COUNT] = { [TERM_ALLOW] = !!(cell & ZW_CELL_ALLOW) };

	if (terms->with_log) /* a drop is always told whole */
		term[TERM_LOG] = cell & (cell & ZW_CELL_ALLOW ? ZW_CELL_LOG | ZW_CELL_LOG_ALL : ZW_CELL_LOG);
	if (cell & ZW_CELL_LIMIT) {
		term[TERM_LIMIT] = 1;
		term[TERM_RULE] = bucket_of(terms, side, cell & ZW_CELL_RULE);
		put_limit(rule, term);
	}
	if (cell & ZW_CELL_TLS) {
		term[TERM_TLS] = 1;
		term[TERM_MIN] = rule && rule->tls_min_1_2;
	}
	return list_number(&terms->all, term, TERM_COUNT, ret_number);
}

static unsigned plain_index(uint32_t cell)
{
	return !!(cell & ZW_CELL_ALLOW) << 2 | !!(cell & ZW_CELL_LOG) << 1 | !!(cell & ZW_CELL_LOG_ALL);
}

/* The terms of a cell with a limit or a TLS check depend on its rule. */
int terms_of(struct terms *terms, enum diff_side side, uint32_t cell, uint32_t *ret_number)
{
	uint32_t number = cell & ZW_CELL_RULE, *known = &terms->plain[plain_index(cell)];
	const struct rule *rule = NULL;
	int err = 0;

	if (cell & (ZW_CELL_LIMIT | ZW_CELL_TLS) && number <= terms->rule_count[side]) {
		known = &terms->of_rule[side][number];
		rule = terms->rule[side][number];
	}
	if (!*known) {
		err = number_of(terms, side, cell, rule, known);
		++*known;
	}
	*ret_number = *known - 1;
	return err;
}

/* Which rule of the policy each number is. */
static int number_rules(struct terms *terms, enum diff_side side)
{
	const struct policy *policy = terms->sources[side].policy;
	uint32_t count = terms->sources[side].layout->rule_count, number = 1;
	_cleanup_free_ uint32_t *order = NULL;

	terms->rule_count[side] = count;
	terms->of_rule[side] = array_new(count + (size_t)1, sizeof(*terms->of_rule[side]));
	terms->rule[side] = array_new(count + (size_t)1, sizeof(*terms->rule[side]));
	if (!terms->of_rule[side] || !terms->rule[side] || rules_order(policy, &order))
		return -ENOMEM;
	for (size_t i = 0; i < policy->rules.count && number <= count; i++)
		terms->rule[side][number++] = &policy->rules.v[order[i]];
	for (size_t i = 0; i < policy->failsafe.count && number <= count; i++)
		terms->rule[side][number++] = &policy->failsafe.v[i];
	return 0;
}

int terms_new(const struct diff_source sources[DIFF_SIDES], struct terms *terms)
{
	int err = 0;

	terms->sources = sources;
	/* If what is logged by default changes, that is a setting; then it is not told again of each region. */
	terms->with_log = sources[DIFF_OLD].policy->log == sources[DIFF_NEW].policy->log;
	for (int i = 0; i < DIFF_SIDES && !err; i++)
		err = number_rules(terms, i);
	return err;
}

void terms_clear(struct terms *terms)
{
	for (int i = 0; i < DIFF_SIDES; i++) {
		free(terms->rule[i]);
		free(terms->of_rule[i]);
	}
	sets_clear(&terms->all);
}

const struct rule *terms_rule(const struct terms *terms, enum diff_side side, uint32_t number)
{
	return number <= terms->rule_count[side] ? terms->rule[side][number] : NULL;
}

struct term terms_get(const struct terms *terms, uint32_t number)
{
	size_t n;
	const uint32_t *term = sets_get(&terms->all, number, &n);

	return (struct term){ .log = term[TERM_LOG],
			      .has_limit = term[TERM_LIMIT],
			      .has_tls = term[TERM_TLS] };
}

bool terms_widen(const struct terms *terms, uint32_t old, uint32_t new)
{
	size_t n;
	const uint32_t *before = sets_get(&terms->all, old, &n), *after = sets_get(&terms->all, new, &n);

	for (int i = TERM_LIMIT; i < TERM_TLS; i++)
		if (before[TERM_LIMIT] && before[i] != after[i])
			return true;
	return before[TERM_TLS] > after[TERM_TLS] || before[TERM_MIN] > after[TERM_MIN];
}
