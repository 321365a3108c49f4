// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall explain: the decision about one first packet, as a person would tell it; or, between zones, whether anything
 * can pass. The verdict is the tables'; that the walk over the rules says the same is checked each time.
 */
#include <errno.h>
#include <fnmatch.h>
#include <netinet/in.h>
#include <stdarg.h>

#include "base/files.h"
#include "base/util.h"
#include "cmd/explained.h"
#include "cmd/running.h"
#include "cmd/service_words.h"
#include "cmd/sources.h"
#include "kernel/instance.h"
#include "policy/moments.h"
#include "policy/near.h"

#define DEFAULT_SPORT 40000

enum { OPTION_FROM = 256, OPTION_TO, OPTION_SERVICE, OPTION_SPORT, OPTION_INTERFACE, OPTION_HOST, OPTION_AT, OPTION_RUNNING };

static const struct option_help options[] = {
	{ { "from", required_argument, NULL, OPTION_FROM }, "ADDR|ZONE", "where the packet comes from" },
	{ { "to", required_argument, NULL, OPTION_TO }, "ADDR|ZONE", "where it goes" },
	{ { "service", required_argument, NULL, OPTION_SERVICE },
	  "SERVICE",
	  "as rules have it: tcp/443, a name, icmp/echo-request, any; or several, with commas" },
	{ { "sport", required_argument, NULL, OPTION_SPORT }, "PORT", "its source port (default: 40000)" },
	{ { "interface", required_argument, NULL, OPTION_INTERFACE },
	  "NAME",
	  "where it enters, to judge its source by (default: not said)" },
	{ { "host", required_argument, NULL, OPTION_HOST }, "ADDR,...",
	  "the addresses of the host that decides (default: not known)" },
	{ { "at", required_argument, NULL, OPTION_AT }, "TIME", "when, as rules have until (default: now)" },
	{ { "running", no_argument, NULL, OPTION_RUNNING }, NULL,
	  "under the policy that is applied now, by its tables and the kernel's program; no files (root)" },
	{ { NULL, 0, NULL, 0 }, NULL, NULL },
};

/* What is asked about. */
struct subject {
	bool is_running;
	struct sources sources; /* else */
	struct running running;
};

/* Says what is wrong with the command line. */
__attribute__((format(printf, 2, 3))) static int complain(const char *fix, const char *format, ...)
{
	va_list args;

	fputs("zonewall explain: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	if (fix)
		fprintf(stderr, "fix: %s\n", fix);
	return EXIT_USAGE;
}

static int out_of_memory(void)
{
	fprintf(stderr, "zonewall explain: out of memory\n");
	return EXIT_FAILED;
}

static void clear(struct explained *x)
{
	explanation_clear(&x->explanation);
	free(x->follows);
	reach_clear(&x->reach);
	question_clear(&x->question);
	tables_free(x->compiled);
	policy_free(x->policy);
	diag_free(x->diag);
}

/* --- Arguments --------------------------------------------------------------------------------------------------- */

static int read_sport(struct explained *x, const char *text)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || port > 65535)
		return complain("a number from 0 to 65535", "--sport: not a port: '%s'", text);
	x->packet.sport = port;
	return EXIT_DONE;
}

static int read_option(struct explained *x, struct subject *subject, int option)
{
	switch (option) {
	case OPTION_FROM:
		x->question.from = optarg;
		return EXIT_DONE;
	case OPTION_TO:
		x->question.to = optarg;
		return EXIT_DONE;
	case OPTION_SERVICE:
		x->question.service = optarg;
		return EXIT_DONE;
	case OPTION_SPORT:
		return read_sport(x, optarg);
	case OPTION_INTERFACE:
		x->packet.interface = optarg;
		return EXIT_DONE;
	case OPTION_HOST:
		return sources_read_hosts(&subject->sources, optarg);
	case OPTION_AT:
		return sources_read_at(&subject->sources, optarg);
	case OPTION_RUNNING:
		subject->is_running = true;
		return EXIT_DONE;
	default:
		return EXIT_USAGE;
	}
}

static int check_given(const struct explained *x)
{
	const struct {
		const char *option, *value, *fix;
	} needed[] = {
		{ "--from", x->question.from, "an address, a CIDR or a zone: --from 10.1.0.7" },
		{ "--to", x->question.to, "an address, a CIDR or a zone: --to db" },
		{ "--service", x->question.service, "as rules have it: --service tcp/443" },
	};

	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (!needed[i].value)
			return complain(needed[i].fix, "%s is needed", needed[i].option);
	return EXIT_DONE;
}

static int read_arguments(struct explained *x, struct subject *subject, int argc, char **argv)
{
	struct sources *sources = &subject->sources;
	int option, status;

	while ((option = command_getopt(&cmd_explain, argc, argv)) != -1) {
		status = read_option(x, subject, option);
		if (status)
			return status;
	}
	status = check_given(x);
	if (!status && subject->is_running && (sources->has_host || argc > optind))
		return complain("leave out --running, or the rest",
				"--running takes neither files nor --host: it is about this host, and what is applied here");
	if (!status && !subject->is_running)
		status = sources_read_words(sources, argc - optind, argv + optind);
	if (!status && ranges_normalise(&sources->host))
		return out_of_memory();
	x->has_at = sources->has_at;
	x->at = x->packet.time = sources_time(sources);
	return status;
}

/* --- The policy -------------------------------------------------------------------------------------------------- */

static int compile(struct explained *x, const struct sources *sources)
{
	const struct compile_options compile = { 0 };
	int err = policy_read_from(NULL, sources->files, sources->file_count, &x->question, x->diag, &x->policy);

	if (!err)
		err = policy_resolve(x->policy, sources->has_host ? &sources->host : NULL);
	if (!err)
		err = compile_policy(x->policy, &compile, x->diag, &x->compiled);
	x->tables = x->compiled;
	return err;
}

/* The policy for people, from the files that were kept; the tables as they are in the kernel. */
static int take_running(struct explained *x, const struct running *running)
{
	size_t count;
	const char *const *paths = files_named(running->files, &count);
	int err = policy_read_from(running->files, paths, count, &x->question, x->diag, &x->policy);

	x->generation = running->generation->number;
	x->tables = &running->tables;
	return err ? err : policy_resolve(x->policy, &running->host);
}

static int load(const struct globals *globals, struct explained *x, struct subject *subject)
{
	int err, status = subject->is_running ? running_open(globals, &subject->running) : EXIT_DONE;

	if (status)
		return status;
	x->diag = diag_new();
	if (!x->diag)
		return out_of_memory();
	err = subject->is_running ? take_running(x, &subject->running) : compile(x, &subject->sources);
	diag_print(x->diag, stderr, globals->colour && isatty(STDERR_FILENO));
	if (err == -ENOMEM)
		return out_of_memory();
	if (!err)
		return EXIT_DONE;
	/* If nothing but the question is wrong, the policy has no errors. */
	return diag_errors(x->diag) == x->question.errors ? EXIT_USAGE : EXIT_POLICY;
}

/* --- What is asked ----------------------------------------------------------------------------------------------- */

/* The one address that an end is, written as such. */
static bool is_address(const struct zone *zone, struct addr *ret_addr)
{
	const struct ranges *set = &zone->set;
	int family = set->v4_count ? 4 : 6;
	const struct range *range = family == 4 ? set->v4 : set->v6;

	if (zone->kind != ZONE_LITERAL || set->v4_count + set->v6_count != 1 || range->first != range->last)
		return false;
	*ret_addr = (struct addr){ family, range->first };
	return true;
}

/* ICMP is of IPv4 only, ICMPv6 of IPv6 only. */
static bool is_of_family(const struct selector *s, int family)
{
	return s->any_protocol || s->protocol != (family == 4 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

/* Is the selector one kind of packet? An ICMP type without a code is its code 0, as in tests. */
static bool is_one(const struct selector *s)
{
	bool icmp = s->protocol == IPPROTO_ICMP || s->protocol == IPPROTO_ICMPV6;
	bool ports = s->protocol == IPPROTO_TCP || s->protocol == IPPROTO_UDP || s->protocol == IPPROTO_SCTP;

	if (s->any_protocol)
		return false;
	if (icmp && s->last - s->first == 255 && !(s->first & 255))
		return true;
	return (!icmp && !ports) || s->first == s->last;
}

/* Between two addresses only what their family has is asked for. If that is one packet, it is taken. */
static int take_service(struct explained *x)
{
	struct selectors *selectors = &x->question.selectors;
	int family = x->packet.from.family;
	size_t kept = 0;

	for (size_t i = 0; i < selectors->count; i++)
		if (is_of_family(&selectors->v[i], family))
			selectors->v[kept++] = selectors->v[i];
	if (!kept)
		return complain(NULL, "service '%s' is not of IPv%d, which the addresses are", x->question.service, family);
	selectors->count = kept;
	x->is_packet = kept == 1 && is_one(&selectors->v[0]);
	x->packet.protocol = selectors->v[0].protocol;
	x->packet.port = selectors->v[0].first;
	return EXIT_DONE;
}

static int take_question(struct explained *x)
{
	const struct zone *from = &x->policy->zones[x->question.from_zone], *to = &x->policy->zones[x->question.to_zone];
	struct first_packet *p = &x->packet;

	if (!x->policy->host_known && (from->kind == ZONE_HOST || to->kind == ZONE_HOST))
		return complain("--host ADDR, once for each", "the host's addresses are not known");
	if (!is_address(from, &p->from) || !is_address(to, &p->to))
		return EXIT_DONE;
	if (p->from.family != p->to.family)
		return complain(NULL, "'%s' and '%s' are of different address families: no packet has both", from->name,
				to->name);
	/* What this host sends leaves it, unless it is asked what happens where such a packet enters. */
	p->egress = !p->interface && ranges_contain(&x->policy->zones[ZONE_INDEX_HOST].set, &p->from);
	return take_service(x);
}

/* --- Notes ------------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void note(struct explained *x, const char *format, ...)
{
	va_list args;

	if (x->note_count == NOTES_MAX)
		return;
	va_start(args, format);
	vsnprintf(x->note[x->note_count++], sizeof(x->note[0]), format, args);
	va_end(args);
}

static void note_interface(struct explained *x)
{
	const char *name = x->packet.interface;
	struct near near = near_begin(name);
	const char *candidate = NULL;

	for (size_t i = 0; i < x->policy->interface_count; i++) {
		const struct interface_match *match = &x->policy->interfaces[i];

		for (size_t j = 0; j < match->pattern_count; j++) {
			if (!fnmatch(match->pattern[j], name, 0))
				return;
			near_try(&near, match->pattern[j], 0);
			if (near_found(&near) && !near.best)
				candidate = match->pattern[j];
			near.best = 1;
		}
	}
	note(x, "no entry of interfaces matches '%.15s'%s%.15s%s", name, candidate ? ": did you mean '" : "",
	     candidate ? candidate : "", candidate ? "'?" : "");
}

static bool uses_host(const struct zone_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->zone[i] == ZONE_INDEX_HOST || list->zone[i] == ZONE_INDEX_WORLD)
			return true;
	return false;
}

static bool any_uses_host(const struct rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		if (uses_host(&rules->v[i].from) || uses_host(&rules->v[i].to))
			return true;
	return false;
}

static void note_conditions(struct explained *x)
{
	const struct reach_outcome *shown[SHOWN_MAX];
	size_t count = shown_outcomes(&x->reach, true, shown);

	for (size_t i = 0; i < count && i < SHOWN_MAX; i++) {
		const struct rule *rule = explained_rule(x, shown[i]->rule);

		if (!rule || !(rule->limit.set || rule->tls_require))
			continue;
		note(x, "rule '%s' counts as if its conditions were met", rule->id);
		return;
	}
}

static bool lists_meet(const struct policy *policy, const struct zone_list *list, unsigned zone)
{
	for (size_t i = 0; i < list->count; i++)
		if (ranges_meet(&policy->zones[list->zone[i]].set, &policy->zones[zone].set))
			return true;
	return false;
}

/* Is some packet that is asked about one of the rule's? */
static bool concerns(const struct explained *x, const struct rule *rule)
{
	const struct selectors *asked = &x->question.selectors;

	return lists_meet(x->policy, &rule->from, x->question.from_zone) &&
	       lists_meet(x->policy, &rule->to, x->question.to_zone) &&
	       (service_common(asked, &rule->service) || service_common(&rule->service, asked)); /* either may be any */
}

/* Of sets there is no telling what follows without asking anew. */
static void note_end(struct explained *x)
{
	const struct rule *first = NULL;
	struct buffer until = { 0 };

	for (size_t i = 0; i < x->policy->rules.count && !x->is_packet; i++) {
		const struct rule *rule = &x->policy->rules.v[i];

		if (rule->mode == MODE_ENFORCE && rule->expires && !rule_has_ended(rule, x->at) && concerns(x, rule) &&
		    (!first || rule->until < first->until))
			first = rule;
	}
	if (!first)
		return;
	put_instant(&until, first->until);
	if (!until.failed)
		note(x, "rule '%s' ends at %s: --at asks about then", first->id, until.data);
	buffer_free(&until);
}

static void take_notes(struct explained *x)
{
	if (x->packet.interface)
		note_interface(x);
	if (!x->policy->host_known && (any_uses_host(&x->policy->rules) || any_uses_host(&x->policy->failsafe)))
		note(x, "the host's addresses are not known, so nothing is from or to host (--host ADDR)");
	note_conditions(x);
	note_end(x);
	if (x->generation)
		note(x, "generation %u, which decides now; the kernel's program says the same", x->generation);
	if (x->reach.some_essential && (x->reach.some_allowed || x->reach.some_dropped))
		note(x, "essential packets pass whatever the policy says, and do not count here");
}

/* --- The whole ----------------------------------------------------------------------------------------------------- */

static int answer(const struct globals *globals, struct explained *x)
{
	int status = explained_answer(x), err;

	if (status)
		return status;
	take_notes(x);
	if (x->generation)
		explained_note_blocks(x, globals->instance);
	err = globals->json ? explained_print_json(x) : explained_print(x, globals->colour);
	return err ? out_of_memory() : EXIT_DONE;
}

static void clear_subject(struct subject *subject)
{
	sources_clear(&subject->sources);
	running_close(&subject->running);
}

static int run(const struct globals *globals, int argc, char **argv)
{
	_cleanup_(clear_subject) struct subject subject = { .sources.command = "explain" };
	_cleanup_(clear) struct explained x = { .packet.sport = DEFAULT_SPORT };
	int status = read_arguments(&x, &subject, argc, argv);

	if (!status)
		status = load(globals, &x, &subject);
	if (!status)
		status = take_question(&x);
	return status ? status : answer(globals, &x);
}

const struct command cmd_explain = {
	.name = "explain",
	.arguments = "FILE...|--running",
	.summary = "why a packet passes or not; whether anything can between zones",
	.options = options,
	.run = run,
};
