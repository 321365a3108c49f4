// SPDX-License-Identifier: GPL-2.0-only
/*
 * diff against the oracle. Pairs of random policies over a universe where every packet is tried (universe.h), and over the
 * whole address space, where packets are drawn inside the regions, outside, and around every end: a packet changes its
 * verdict exactly in the regions that say so, is in one region at most, and is decided in each generation by what the region
 * names. On other terms it is exactly where another limit or TLS check stands before it, or failsafe behind it in one generation
 * alone. A pair the other
 * way round has the regions of the other kind; a policy and itself have none.
 *
 *   random_diff [--seed N] [--pairs N] [--ages N] [--large N] [--samples N]
 *
 * The pair number i of seed s is the only pair of seed s + i.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "first.h"
#include "policy/moments.h"
#include "scene.h"
#include "simulate/diff.h"
#include "test.h"
#include "universe.h"

struct pair {
	struct scene scene[DIFF_SIDES];
	struct diff diff;
	bool *has_packet; /* each region: some packet was in it */
};

static unsigned long asked, changed[DIFF_KINDS], regions, empty;

/* --- Is a packet in a region? ------------------------------------------------------------------------------------------ */

static bool in_zone(const struct scene *scene, const char *name, const struct addr *addr)
{
	int zone = policy_find_zone(scene->policy, name);

	if (zone < 0)
		return false;
	return oracle_in_zone(scene->oracle, zone, addr);
}

static bool in_term(const struct pair *pair, const struct diff_term *term, const struct addr *addr)
{
	if (!term->zone)
		return addr->family == term->family && term->range.first <= addr->value &&
		       addr->value <= term->range.last;
	if (!strcmp(term->zone, "any"))
		return true;
	if (!strcmp(term->zone, "0.0.0.0/0") || !strcmp(term->zone, "::/0"))
		return addr->family == (*term->zone == '0' ? 4 : 6);
	if (term->side != DIFF_SIDES)
		return in_zone(&pair->scene[term->side], term->zone, addr);
	return in_zone(&pair->scene[DIFF_OLD], term->zone, addr) ||
	       in_zone(&pair->scene[DIFF_NEW], term->zone, addr);
}

static bool in_terms(const struct pair *pair, const struct diff_term *terms, size_t count,
		     const struct addr *addr)
{
	for (size_t i = 0; i < count; i++)
		if (in_term(pair, &terms[i], addr))
			return true;
	return false;
}

static bool in_set(const struct pair *pair, const struct diff_set *set, const struct addr *addr)
{
	return in_terms(pair, set->of, set->of_count, addr) &&
	       !in_terms(pair, set->except, set->except_count, addr);
}

static bool has_ports(uint8_t protocol)
{
	return protocol == P_TCP || protocol == P_UDP || protocol == P_SCTP || protocol == P_ICMP ||
	       protocol == P_ICMPV6;
}

static bool in_selectors(const struct selectors *service, uint8_t protocol, uint16_t port)
{
	for (size_t i = 0; i < service->count; i++) {
		const struct selector *s = &service->v[i];

		if (s->any_protocol || (s->protocol == protocol && s->first <= port && port <= s->last))
			return true;
	}
	return false;
}

static bool in_service(const struct diff_service *service, uint8_t protocol, uint16_t sport, uint16_t port)
{
	if ((service->sport_first || service->sport_last != 65535) &&
	    ((protocol != P_UDP && protocol != P_SCTP) || sport < service->sport_first ||
	     sport > service->sport_last))
		return false;
	return in_selectors(&service->places, protocol, port);
}

/* --- One packet -------------------------------------------------------------------------------------------------------- */

struct asking {
	struct addr from, to;
	uint8_t protocol;
	uint16_t sport, port;
};

static bool in_list(const struct scene *scene, const struct zone_list *list, const struct addr *addr)
{
	for (size_t i = 0; i < list->count; i++)
		if (oracle_in_zone(scene->oracle, list->zone[i], addr))
			return true;
	return false;
}

/* Does an entry of failsafe match the packet as it is? */
static bool has_failsafe(const struct scene *scene, const struct asking *packet)
{
	for (size_t i = 0; i < scene->policy->failsafe.count; i++) {
		const struct rule *entry = &scene->policy->failsafe.v[i];

		if (in_list(scene, &entry->from, &packet->from) && in_list(scene, &entry->to, &packet->to) &&
		    in_selectors(&entry->service, packet->protocol, packet->port))
			return true;
	}
	return false;
}

/* The rule that decides; NULL: none does, or failsafe. */
static const struct rule *deciding(const struct scene *scene, const struct oracle_answer *answer)
{
	if (answer->reason != ZW_ALLOW_RULE && answer->reason != ZW_DROP_RULE)
		return NULL;
	for (size_t i = 0; i < scene->policy->rules.count; i++)
		if (!strcmp(scene->policy->rules.v[i].id, answer->rule))
			return &scene->policy->rules.v[i];
	return NULL;
}

/* What of a first packet is told (design section 4): nothing of one that failsafe saves. */
static enum rule_log log_of(const struct scene *scene, const struct oracle_answer *answer)
{
	const struct rule *rule = deciding(scene, answer);
	enum rule_log always = answer->allow ? LOG_NEW : LOG_ALL;

	if (answer->reason == ZW_ALLOW_FAILSAFE)
		return LOG_NONE;
	if (rule && rule->log != LOG_UNSET)
		return rule->log == LOG_NONE || answer->allow ? rule->log : always;
	return scene->policy->log == LOG_EVERYTHING || (scene->policy->log == LOG_DROPS && !answer->allow)
		       ? always
		       : LOG_NONE;
}

/* What stands before and behind a verdict. */
struct terms {
	bool failsafe;
	const struct rule *limited, *checked; /* by whose bucket, by whose TLS check; NULL: nothing */
	enum rule_log log;
};

static struct terms terms_of(const struct scene *scene, const struct asking *packet, const struct oracle_answer *answer,
			     bool with_log)
{
	struct terms terms = { .failsafe = has_failsafe(scene, packet), .log = with_log ? log_of(scene, answer) : LOG_UNSET };
	const struct rule *rule = terms.failsafe ? NULL : deciding(scene, answer);

	terms.limited = rule && rule->limit.set ? rule : NULL;
	terms.checked = rule && rule->tls_require ? rule : NULL;
	return terms;
}

/* A limit's bucket belongs to its rule. */
static bool is_same_limit(const struct rule *a, const struct rule *b)
{
	return !a || !b ? a == b
			: !strcmp(a->id, b->id) && a->limit.per_hour == b->limit.per_hour &&
				  a->limit.burst == b->limit.burst && a->limit.per_source == b->limit.per_source;
}

static bool is_same_check(const struct rule *a, const struct rule *b)
{
	return !a || !b ? a == b : a->tls_min_1_2 == b->tls_min_1_2;
}

/* The kind of region that the packet is to be in; DIFF_KINDS: none. */
static enum diff_kind expect(const struct pair *pair, const struct asking *packet,
			     const struct oracle_answer answers[DIFF_SIDES])
{
	bool with_log = pair->scene[0].policy->log == pair->scene[1].policy->log;
	struct terms terms[DIFF_SIDES];

	if (answers[DIFF_OLD].allow != answers[DIFF_NEW].allow)
		return answers[DIFF_NEW].allow ? DIFF_WIDENED : DIFF_NARROWED;
	for (int i = 0; i < DIFF_SIDES; i++)
		terms[i] = terms_of(&pair->scene[i], packet, &answers[i], with_log);
	return terms[0].failsafe != terms[1].failsafe || terms[0].log != terms[1].log ||
			       !is_same_limit(terms[0].limited, terms[1].limited) ||
			       !is_same_check(terms[0].checked, terms[1].checked)
		       ? DIFF_TERMS
		       : DIFF_KINDS;
}

static bool is_cause(const struct diff_cause *cause, const struct oracle_answer *answer)
{
	return cause->reason == answer->reason &&
	       !strcmp(cause->rule ? cause->rule->id : "", answer->rule ? answer->rule : "");
}

static bool complain(const struct asking *packet, const char *what, unsigned found, enum diff_kind want)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

	addr_print(&packet->from, from);
	addr_print(&packet->to, to);
	note("%s to %s, protocol %u, ports %u to %u: %s (%u regions, wanted kind %d)", from, to,
	     packet->protocol, packet->sport, packet->port, what, found, want);
	return false;
}

/* in_from, in_to: of each region, or NULL to work it out. */
static bool check_answers(struct pair *pair, const struct asking *packet,
			  const struct oracle_answer answers[DIFF_SIDES], const bool *in_from,
			  const bool *in_to)
{
	enum diff_kind want = expect(pair, packet, answers);
	unsigned found = 0;

	asked++;
	for (size_t i = 0; i < pair->diff.region_count; i++) {
		const struct diff_region *region = &pair->diff.regions[i];

		if (!(in_from ? in_from[i] : in_set(pair, &region->from, &packet->from)) ||
		    !(in_to ? in_to[i] : in_set(pair, &region->to, &packet->to)) ||
		    !in_service(&region->service, packet->protocol, packet->sport, packet->port))
			continue;
		found++;
		pair->has_packet[i] = true;
		if (region->kind != want)
			return complain(packet, "a region of another kind", found, want);
		if (!is_cause(&region->cause[DIFF_OLD], &answers[DIFF_OLD]) ||
		    !is_cause(&region->cause[DIFF_NEW], &answers[DIFF_NEW]))
			return complain(packet, "something else decides", found, want);
	}
	if (want != DIFF_KINDS)
		changed[want]++;
	return found == (want != DIFF_KINDS) || complain(packet, "not in one region", found, want);
}

/* --- Every packet of the universe ---------------------------------------------------------------------------------------- */

static void ask(const struct pair *pair, const struct probe *probe, struct oracle_answer answers[DIFF_SIDES])
{
	const struct oracle_frame frame = { .data = probe->data,
					    .len = probe->len,
					    .egress = !probe->enters };

	for (int i = 0; i < DIFF_SIDES; i++)
		oracle_decide(pair->scene[i].oracle, &frame, &answers[i]);
}

static bool are_used(const struct pair *pair)
{
	for (size_t i = 0; i < pair->diff.region_count; i++)
		if (!pair->has_packet[i]) {
			note("region %zu has no packet", i);
			return false;
		}
	return true;
}

static bool try_all(struct pair *pair)
{
	size_t count = pair->diff.region_count;
	bool *in[2] = { calloc(universe.address_count * count + 1, sizeof(bool)),
			calloc(universe.address_count * count + 1, sizeof(bool)) };
	bool good = in[0] && in[1];

	for (size_t a = 0; a < universe.address_count; a++)
		for (size_t i = 0; i < count; i++) {
			in[0][a * count + i] =
				in_set(pair, &pair->diff.regions[i].from, &universe.address[a].addr);
			in[1][a * count + i] =
				in_set(pair, &pair->diff.regions[i].to, &universe.address[a].addr);
		}
	for (size_t i = 0; i < universe.probe_count && good; i++) {
		const struct probe *p = &universe.probe[i];
		const struct asking packet = { universe.address[p->from].addr, universe.address[p->to].addr,
					       p->protocol, p->sport, p->port };
		struct oracle_answer answers[DIFF_SIDES];

		ask(pair, p, answers);
		good = check_answers(pair, &packet, answers, in[0] + p->from * count, in[1] + p->to * count);
	}
	free(in[0]);
	free(in[1]);
	return good && are_used(pair);
}

/* --- Packets drawn from all addresses -------------------------------------------------------------------------------------- */

static bool try_packet(struct pair *pair, const struct asking *packet)
{
	struct oracle_answer answers[DIFF_SIDES];
	struct packet built;
	bool enters;

	universe_build(&packet->from, &packet->to, packet->protocol, packet->sport, packet->port, &built,
		       &enters);
	for (int i = 0; i < DIFF_SIDES; i++) {
		const struct oracle_frame frame = { .data = built.data, .len = built.len, .egress = !enters };

		oracle_decide(pair->scene[i].oracle, &frame, &answers[i]);
		if (answers[i].reason != ZW_ALLOW_RULE && answers[i].reason != ZW_ALLOW_DEFAULT &&
		    answers[i].reason != ZW_ALLOW_INTRA_ZONE && answers[i].reason != ZW_ALLOW_FAILSAFE &&
		    answers[i].reason != ZW_DROP_RULE && answers[i].reason != ZW_DROP_DEFAULT)
			return true; /* not a matter of the policy */
	}
	return check_answers(pair, packet, answers, NULL, NULL);
}

/* An end of a range, beside it, or somewhere in it. */
static u128 draw_value(struct random *random, int family, const struct range *range)
{
	u128 size = range->last - range->first, max = family == 4 ? ADDR_MAX4 : ADDR_MAX6;

	switch (random_below(random, 5)) {
	case 0:
		return range->first;
	case 1:
		return range->last;
	case 2:
		return range->first ? range->first - 1 : 0;
	case 3:
		return range->last < max ? range->last + 1 : max;
	default:
		size = size + 1 ? size + 1 : size;
		return range->first + ((u128)random_next(random) << 64 | random_next(random)) % size;
	}
}

/* An address of a term of a set, or just beside one. */
static bool draw_from(struct random *random, const struct pair *pair, const struct diff_set *set, int family,
		      struct addr *ret_addr)
{
	const struct diff_term *term = &set->of[random_below(random, set->of_count)];
	const struct scene *scene =
		&pair->scene[term->side == DIFF_SIDES ? random_below(random, 2) : (unsigned)term->side];
	const char *name = term->zone && strchr(term->zone, '/') ? "any" : term->zone;
	const struct range *range = &term->range;
	const struct ranges *all;
	int zone;

	*ret_addr = (struct addr){ .family = family };
	if (name) {
		zone = policy_find_zone(scene->policy, name);
		if (zone < 0)
			return false;
		all = &scene->policy->zones[zone].set;
		if (!(family == 4 ? all->v4_count : all->v6_count))
			return false;
		range = family == 4 ? &all->v4[random_below(random, all->v4_count)]
				    : &all->v6[random_below(random, all->v6_count)];
	} else if (term->family != family) {
		return false;
	}
	ret_addr->value = draw_value(random, family, range);
	return true;
}

static uint16_t draw_port(struct random *random, uint16_t first, uint16_t last)
{
	if (random_percent(random, 60))
		return first + random_below(random, last - first + 1u);
	return random_percent(random, 50) ? first - 1 : last + 1;
}

static bool draw_inside(struct random *random, const struct pair *pair, struct asking *ret_packet)
{
	static const uint8_t protocols[] = { P_TCP, P_UDP, P_SCTP, P_ICMP, P_ICMPV6, 47 };
	const struct diff_region *region = &pair->diff.regions[random_below(random, pair->diff.region_count)];
	const struct diff_service *service = &region->service;
	int family = random_percent(random, 50) ? 4 : 6;

	if (!draw_from(random, pair, &region->from, family, &ret_packet->from) ||
	    !draw_from(random, pair, &region->to, family, &ret_packet->to))
		return false;
	ret_packet->protocol = protocols[random_below(random, sizeof(protocols))];
	ret_packet->port = random_next(random);
	ret_packet->sport = draw_port(random, service->sport_first, service->sport_last);
	if (random_percent(random, 90)) {
		const struct selector *place =
			&service->places.v[random_below(random, service->places.count)];

		ret_packet->protocol = place->protocol;
		ret_packet->port = draw_port(random, place->first, place->last);
	}
	return true;
}

static void draw_outside(struct random *random, const struct model *model, struct asking *ret_packet)
{
	struct first_packet packet;

	first_draw(random, model, &packet);
	*ret_packet = (struct asking){ packet.from, packet.to, packet.protocol, packet.sport, packet.port };
}

static bool sample(struct random *random, struct pair *pair, const struct model *model, unsigned long samples)
{
	struct asking packet;
	bool good = true;

	for (unsigned long i = 0; i < samples && good; i++) {
		if (i % 2 && pair->diff.region_count) {
			if (!draw_inside(random, pair, &packet))
				continue;
		} else {
			draw_outside(random, model, &packet);
		}
		if (!has_ports(packet.protocol))
			packet.port = 0;
		packet.sport += !packet.sport; /* 0 is 40000 for packet.h */
		good = try_packet(pair, &packet);
	}
	return good;
}

/* --- Pairs ---------------------------------------------------------------------------------------------------------------- */

static struct diff_source source_of(const struct scene *scene)
{
	return (struct diff_source){ scene->tables->bytes, &scene->tables->layout, scene->tables->names,
				     scene->policy, TIME_BEGIN };
}

static bool find(const struct scene *old, const struct scene *new, struct diff *ret_diff)
{
	const struct diff_source sources[DIFF_SIDES] = { source_of(old), source_of(new) };

	return !diff_find(sources, ret_diff);
}

/* A policy and itself; the pair the other way round. */
static bool check_laws(const struct pair *pair)
{
	struct diff none, back;
	bool good = find(&pair->scene[DIFF_NEW], &pair->scene[DIFF_NEW], &none);

	if (!good || !diff_is_empty(&none)) {
		note("a policy differs from itself: %zu regions, %zu settings", none.region_count,
		     none.setting_count);
		return false;
	}
	diff_clear(&none);
	if (!find(&pair->scene[DIFF_NEW], &pair->scene[DIFF_OLD], &back))
		return false;
	good = !back.of_kind[DIFF_WIDENED] == !pair->diff.of_kind[DIFF_NARROWED] &&
	       !back.of_kind[DIFF_NARROWED] == !pair->diff.of_kind[DIFF_WIDENED] &&
	       !back.of_kind[DIFF_TERMS] == !pair->diff.of_kind[DIFF_TERMS] &&
	       back.setting_count == pair->diff.setting_count;
	if (!good)
		note("the other way round: %zu, %zu, %zu regions of each kind", back.of_kind[0],
		     back.of_kind[1], back.of_kind[2]);
	diff_clear(&back);
	return good;
}

static bool open_pair(struct random *random, char *const texts[DIFF_SIDES], const char *host,
		      struct pair *pair)
{
	for (int i = 0; i < DIFF_SIDES; i++) {
		const struct scene_options options = {
			.host = host,
			.dense_bytes = random_percent(random, 50) ? 4u << random_below(random, 5) : 0,
		};

		if (scene_open(texts[i], &options, &pair->scene[i]))
			return false;
	}
	if (!find(&pair->scene[DIFF_OLD], &pair->scene[DIFF_NEW], &pair->diff))
		return false;
	pair->has_packet = calloc(pair->diff.region_count + 1, sizeof(*pair->has_packet));
	regions += pair->diff.region_count;
	empty += !pair->diff.region_count;
	return pair->has_packet;
}

static void close_pair(struct pair *pair)
{
	free(pair->has_packet);
	diff_clear(&pair->diff);
	scene_close(&pair->scene[DIFF_OLD]);
	scene_close(&pair->scene[DIFF_NEW]);
}

static void show_texts(char *const texts[DIFF_SIDES])
{
	for (int i = 0; i < DIFF_SIDES; i++)
		for (char *line = strtok(texts[i], "\n"); line; line = strtok(NULL, "\n"))
			note("%s %s", i ? "new" : "old", line);
}

/* --- Policies that differ in little ------------------------------------------------------------------------------------- */

#define LINES_MAX 128

struct lines {
	char *v[LINES_MAX];
	size_t count;
	char *text; /* which they are parts of */
};

static void cut_lines(const char *text, struct lines *lines)
{
	*lines = (struct lines){ .text = strdup(text) };
	for (char *line = strtok(lines->text, "\n"); line && lines->count < LINES_MAX;
	     line = strtok(NULL, "\n"))
		lines->v[lines->count++] = line;
}

/* The index of a random line that begins so; SIZE_MAX: there is none. */
static size_t draw_line(struct random *random, const struct lines *lines, const char *begin,
			unsigned *ret_count)
{
	size_t found = SIZE_MAX;

	*ret_count = 0;
	for (size_t i = 0; i < lines->count; i++)
		if (!strncmp(lines->v[i], begin, strlen(begin)) && !random_below(random, ++*ret_count))
			found = i;
	return found;
}

/* One rule or zone less, or another, or two in another order, or another default. */
static char *mutate(struct random *random, const char *text)
{
	char *result = NULL, *other = NULL;
	unsigned rules, zones, deed = random_below(random, 8);
	size_t len, other_len;
	struct lines lines;
	FILE *out = open_memstream(&result, &len), *line = open_memstream(&other, &other_len);

	cut_lines(text, &lines);
	size_t rule = draw_line(random, &lines, "  - {id: r", &rules),
	       zone = draw_line(random, &lines, "  z", &zones);

	if (deed < 6 && rule == SIZE_MAX)
		deed = 6;
	if (deed == 6 && zone == SIZE_MAX)
		deed = 7;
	if (deed < 4)
		universe_rule(random, line, deed < 2 ? 99 : lines.v[rule][10] - '0', 1, zones);
	else if (deed == 6)
		fprintf(line, "  z%c: {addresses: [10.0.0.%u/31, \"fd00::%u/127\"]}\n", lines.v[zone][3],
			random_below(random, 4) * 2, random_below(random, 4) * 2);
	fclose(line);
	if (deed == 5 && rules > 1 && !strncmp(lines.v[rule - 1], "  - {id: r", 10)) {
		char *before = lines.v[rule - 1];

		lines.v[rule - 1] = lines.v[rule];
		lines.v[rule] = before;
	}
	for (size_t i = 0; i < lines.count; i++) {
		if (deed == 7 && !strncmp(lines.v[i], "defaults:", 9))
			fputs("defaults: {action: allow}\n", out);
		else if ((deed < 4 && i == rule) || (deed == 6 && i == zone))
			fputs(other, out);
		else if (deed != 4 || i != rule)
			fprintf(out, "%s\n", lines.v[i]);
		else if (rules == 1)
			fputs("  []\n", out); /* `rules:` needs a list */
	}
	fclose(out);
	free(other);
	free(lines.text);
	return result;
}

static bool check_small(uint64_t seed)
{
	struct random random = { seed * 0xd1342543de82ef95ull };
	char *texts[DIFF_SIDES] = { universe_policy(&random), NULL }, host[128];
	struct pair pair = { 0 };
	bool good;

	texts[DIFF_NEW] =
		random_percent(&random, 70) ? mutate(&random, texts[DIFF_OLD]) : universe_policy(&random);
	universe_host(&random, host);
	good = open_pair(&random, texts, random_percent(&random, 80) ? host : NULL, &pair) &&
	       try_all(&pair) && check_laws(&pair);
	if (!good) {
		note("seed %llu, host '%s'", (unsigned long long)seed, host);
		show_texts(texts);
	}
	close_pair(&pair);
	free(texts[0]);
	free(texts[1]);
	return good;
}

/* --- Rules that end ------------------------------------------------------------------------------------------------------ */

/* What changes from an instant on (-1: before all). */
static bool find_at(const struct scene whole[DIFF_SIDES], int instant, struct diff *ret_diff)
{
	struct diff_source sources[DIFF_SIDES];

	for (int i = 0; i < DIFF_SIDES; i++) {
		sources[i] = source_of(&whole[i]);
		sources[i].time = instant < 0 ? TIME_BEGIN : universe_instants[instant];
	}
	return !diff_find(sources, ret_diff);
}

/* The oracle has the policies as their text is from then on. */
static bool check_age(struct random *random, const struct scene whole[DIFF_SIDES], char *const texts[DIFF_SIDES], int instant,
		      const char *host)
{
	char *then[DIFF_SIDES] = { universe_at(texts[DIFF_OLD], instant), universe_at(texts[DIFF_NEW], instant) };
	struct pair pair = { 0 };
	struct diff diff = { 0 };
	bool good = open_pair(random, then, host, &pair) && find_at(whole, instant, &diff);

	if (good) {
		free(pair.has_packet);
		diff_clear(&pair.diff);
		pair.diff = diff;
		pair.has_packet = calloc(diff.region_count + 1, sizeof(*pair.has_packet));
		good = pair.has_packet && try_all(&pair);
	}
	if (!good)
		note("instant %d", instant);
	close_pair(&pair);
	free(then[DIFF_OLD]);
	free(then[DIFF_NEW]);
	return good;
}

static bool check_ages(uint64_t seed)
{
	struct random random = { seed * 0xd1342543de82ef95ull + 2 };
	struct scene whole[DIFF_SIDES] = { 0 };
	char *texts[DIFF_SIDES], host[128];
	bool good = true;

	universe_rules_end = true;
	texts[DIFF_OLD] = universe_policy(&random);
	texts[DIFF_NEW] = mutate(&random, texts[DIFF_OLD]);
	universe_rules_end = false;
	universe_host(&random, host);
	for (int i = 0; i < DIFF_SIDES && good; i++)
		good = !scene_open(texts[i], &(struct scene_options){ .host = host }, &whole[i]);
	for (int instant = -1; instant < UNIVERSE_INSTANTS && good; instant++)
		good = check_age(&random, whole, texts, instant, host);
	if (!good) {
		note("seed %llu, host '%s'", (unsigned long long)seed, host);
		show_texts(texts);
	}
	for (int i = 0; i < DIFF_SIDES; i++) {
		scene_close(&whole[i]);
		free(texts[i]);
	}
	return good;
}

static bool check_large(uint64_t seed, unsigned long samples)
{
	struct random random = { seed * 0xd1342543de82ef95ull + 1 };
	struct model *model = model_new(&random),
		     *other = random_percent(&random, 30) ? model_new(&random) : model_copy(model);
	char *host = model_host(model), *texts[DIFF_SIDES];
	struct pair pair = { 0 };
	bool good;

	for (unsigned n = 1 + random_below(&random, 8); n; n--)
		model_drop(other, random_below(&random, 40));
	texts[DIFF_OLD] = model_yaml(random_percent(&random, 50) ? model : other);
	texts[DIFF_NEW] = model_yaml(random_percent(&random, 90) ? other : model);
	good = open_pair(&random, texts, host, &pair);
	/* Of a host that has no address failsafe lets in more than the policies mean. */
	if (good && !policy_host_is_nowhere(pair.scene[DIFF_OLD].policy))
		good = sample(&random, &pair, model, samples) && check_laws(&pair);
	if (!good) {
		note("seed %llu, host '%s'", (unsigned long long)seed, host ? host : "not known");
		show_texts(texts);
	}
	close_pair(&pair);
	model_free(model);
	model_free(other);
	free(host);
	free(texts[0]);
	free(texts[1]);
	return good;
}

static void report(unsigned long pairs)
{
	note("%lu packets: %lu widened, %lu narrowed, %lu on other terms; %lu regions, %lu of %lu pairs "
	     "without",
	     asked, changed[DIFF_WIDENED], changed[DIFF_NARROWED], changed[DIFF_TERMS], regions, empty,
	     pairs);
	asked = changed[0] = changed[1] = changed[2] = regions = empty = 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "pairs", required_argument, NULL, 'p' },
		{ "ages", required_argument, NULL, 'a' },
		{ "large", required_argument, NULL, 'l' },
		{ "samples", required_argument, NULL, 'n' },
		{ 0 },
	};
	unsigned long seed = 1, pairs = 40, ages = 10, large = 40, samples = 2000, failed = 0;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return 2;
		*(option == 's'   ? &seed
		  : option == 'p' ? &pairs
		  : option == 'a' ? &ages
		  : option == 'l' ? &large
				  : &samples) = strtoul(optarg, NULL, 10);
	}
	universe_make();
	for (unsigned long i = 0; i < pairs && failed < 5; i++)
		failed += !check_small(seed + i);
	ok(!failed,
	   "of %zu packets exactly those change of which diff says so, under each of %lu pairs of policies",
	   universe.probe_count, pairs);
	report(pairs);
	failed = 0;
	for (unsigned long i = 0; i < ages && failed < 5; i++)
		failed += !check_ages(seed + i);
	ok(!failed, "the same before and after each instant at which rules end, under each of %lu pairs", ages);
	report(ages * (UNIVERSE_INSTANTS + 1));
	failed = 0;
	for (unsigned long i = 0; i < large && failed < 5; i++)
		failed += !check_large(seed + i, samples);
	ok(!failed, "and of %lu packets drawn from all addresses, under each of %lu pairs", samples, large);
	report(large);
	return done();
}
