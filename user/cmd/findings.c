// SPDX-License-Identifier: GPL-2.0-only
/* Outcomes for people, and the parts that all formats share. */
#include "cmd/findings.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <time.h>

#include "cmd/command.h"
#include "cmd/moment_words.h"

static const char *verdict_name(bool allow)
{
	return allow ? "allow" : "drop";
}

static void put_service(const struct space_packet *packet, struct buffer *text)
{
	switch (packet->protocol) {
	case IPPROTO_TCP:
		buffer_printf(text, "tcp/%u", packet->port);
		break;
	case IPPROTO_UDP:
		buffer_printf(text, "udp/%u", packet->port);
		break;
	case IPPROTO_SCTP:
		buffer_printf(text, "sctp/%u", packet->port);
		break;
	case IPPROTO_ICMP:
		buffer_printf(text, "icmp/%u/%u", packet->port >> 8, packet->port & 0xff);
		break;
	case IPPROTO_ICMPV6:
		buffer_printf(text, "icmpv6/%u/%u", packet->port >> 8, packet->port & 0xff);
		break;
	default:
		buffer_printf(text, "proto/%u", packet->protocol);
	}
}

static void put_address(const struct addr *addr, struct buffer *text)
{
	char address[ADDR_TEXT_MAX];

	addr_print(addr, address);
	buffer_put(text, address);
}

void finding_name(const struct findings *f, const struct outcome *outcome, struct buffer *text)
{
	const struct rule *region = outcome_region(f->policy, outcome);
	const struct test *test;

	if (region) {
		buffer_printf(text, "%s '%s'", outcome->kind == OUTCOME_NEVER ? "never" : "always", region->id);
		return;
	}
	test = &f->policy->tests[outcome->index];
	buffer_put(text, "test ");
	put_address(&test->from, text);
	buffer_put(text, " -> ");
	put_address(&test->to, text);
	buffer_put(text, ", ");
	put_service(&outcome->packet, text);
	buffer_printf(text, ": %s%s%s", verdict_name(test->expect == EXPECT_ALLOW), test->by ? " by " : "",
		      test->by ? test->by : "");
}

void finding_place(const struct findings *f, const struct outcome *outcome, struct buffer *text)
{
	const struct place *place = outcome_place(f->policy, outcome);
	const char *file = diag_file_name(f->diag, place->file);

	buffer_plain(text, file ? file : "?");
	buffer_printf(text, ":%u:%u", place->line, place->column);
}

static void put_depends(const struct outcome *outcome, struct buffer *text)
{
	buffer_put(text, "the answer depends on the addresses of the host, which are not known");
	if (outcome->depends)
		buffer_printf(text, ": '%s' names host or world; give --host ADDR", outcome->depends->id);
	else
		buffer_put(text, ": it names host or world; give --host ADDR");
}

void finding_message(const struct findings *f, const struct outcome *outcome, struct buffer *text)
{
	const char *verdict = outcome->decision.allow ? "allowed" : "dropped";

	switch (outcome->result) {
	case OUTCOME_HOLDS:
		buffer_put(text, "it holds");
		break;
	case OUTCOME_VERDICT:
		buffer_printf(text, "the packet is %s", verdict);
		break;
	case OUTCOME_BY:
		buffer_printf(text, "the packet is %s, but not by '%s'", verdict, f->policy->tests[outcome->index].by);
		break;
	case OUTCOME_COUNTEREXAMPLE:
		buffer_printf(text, "a packet is %s", verdict);
		put_moment(text, &outcome->moment);
		break;
	case OUTCOME_EMPTY:
		buffer_put(text, "no packet is in this region");
		break;
	case OUTCOME_HOST:
		put_depends(outcome, text);
		break;
	}
}

/* " (db, data)" */
static void put_zones(const struct names *names, uint32_t atom, struct buffer *text)
{
	const char *const *zones;
	size_t count = atom == ZW_NO_ATOM ? 0 : names_zones(names, atom, &zones);

	for (size_t i = 0; i < count; i++)
		buffer_printf(text, "%s%s", i ? ", " : " (", zones[i]);
	buffer_put(text, count ? ")" : "");
}

void finding_packet(const struct findings *f, const struct outcome *outcome, struct buffer *text)
{
	const struct space_packet *packet = &outcome->packet;

	put_address(&packet->from, text);
	put_zones(f->tables->names, outcome->decision.atom[0], text);
	buffer_put(text, " -> ");
	put_address(&packet->to, text);
	put_zones(f->tables->names, outcome->decision.atom[1], text);
	buffer_put(text, ", ");
	put_service(packet, text);
	if (packet->sport && packet->sport != 40000)
		buffer_printf(text, " from port %u", packet->sport);
}

static void put_rule(const struct rule_name *rule, struct buffer *text)
{
	buffer_printf(text, "%s '%s'", rule->is_failsafe ? "failsafe entry" : "rule", rule->id);
	if (*rule->place) {
		buffer_put(text, " (");
		buffer_plain(text, rule->place);
		buffer_put(text, ")");
	}
	if (*rule->owner) {
		buffer_put(text, ", owner: ");
		buffer_plain(text, rule->owner);
	}
}

void finding_decider(const struct findings *f, const struct outcome *outcome, struct buffer *text)
{
	const struct rule_name *rule = outcome_rule(f->tables, outcome);

	if (rule)
		put_rule(rule, text);
	else
		buffer_put(text, reason_name(outcome->decision.reason));
}

static void put_finding(const struct findings *f, const struct outcome *outcome, struct buffer *text)
{
	finding_place(f, outcome, text);
	buffer_put(text, ": failed: ");
	finding_name(f, outcome, text);
	buffer_put(text, ": ");
	finding_message(f, outcome, text);
	if (outcome_has_packet(outcome)) {
		buffer_put(text, "\n  packet: ");
		finding_packet(f, outcome, text);
		buffer_printf(text, "\n  %s by: ", outcome->decision.allow ? "allowed" : "dropped");
		finding_decider(f, outcome, text);
	}
	buffer_put(text, "\n");
}

void findings_count(const struct outcomes *outcomes, struct buffer *text)
{
	buffer_printf(text, "%zu of %zu tests, never and always do%s not hold", outcomes->failed, outcomes->count,
		      outcomes->failed == 1 ? "es" : "");
}

static void put_failures(const struct findings *f, struct buffer *text)
{
	for (size_t i = 0; i < f->outcomes->count; i++)
		if (f->outcomes->v[i].result != OUTCOME_HOLDS)
			put_finding(f, &f->outcomes->v[i], text);
}

void findings_text(const struct findings *f, struct buffer *text)
{
	put_failures(f, text);
	buffer_printf(text, "%zu test%s, %zu never, %zu always: ", f->policy->test_count, f->policy->test_count == 1 ? "" : "s",
		      f->policy->never.count, f->policy->always.count);
	if (!f->outcomes->count)
		buffer_put(text, "nothing to test\n");
	else if (!f->outcomes->failed)
		buffer_put(text, "all hold\n");
	else
		buffer_printf(text, "%zu do%s not hold\n", f->outcomes->failed, f->outcomes->failed == 1 ? "es" : "");
}

/* Prints what does not hold, and what follows from it. Returns an exit status. */
static int tell(const struct findings *f, const char *consequence)
{
	struct buffer text = { 0 };

	if (!f->outcomes->failed)
		return EXIT_DONE;
	put_failures(f, &text);
	buffer_printf(&text, "zonewall: %s: ", consequence);
	findings_count(f->outcomes, &text);
	if (text.failed)
		fprintf(stderr, "zonewall: %s: out of memory\n", consequence);
	else
		fprintf(stderr, "%s\n", text.data);
	buffer_free(&text);
	return EXIT_FAILED;
}

static int check(const struct policy *policy, const struct tables *tables, const struct diag *diag, const char *consequence)
{
	struct outcomes outcomes = { 0 };
	const struct findings findings = { policy, tables, diag, &outcomes };
	int err = prove(policy, tables, time(NULL), &outcomes), status = EXIT_FAILED;

	if (err)
		fprintf(stderr, "zonewall: %s: cannot run the policy's tests: %s\n", consequence, strerror(-err));
	else
		status = tell(&findings, consequence);
	outcomes_clear(&outcomes);
	return status;
}

int findings_check(const struct policy *policy, const struct tables *tables, const struct diag *diag)
{
	return check(policy, tables, diag, "nothing was changed");
}

void findings_warn(const struct policy *policy, const struct tables *tables, const struct diag *diag)
{
	check(policy, tables, diag, "warning: published all the same, since the host's addresses changed");
}
