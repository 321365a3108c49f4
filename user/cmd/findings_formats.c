// SPDX-License-Identifier: GPL-2.0-only
/* Outcomes for machines: JSON, TAP version 13, JUnit XML. */
#include <json-c/json.h>
#include <netinet/in.h>

#include "cmd/findings.h"
#include "cmd/moment_words.h"

static const char *const kind_names[] = { "test", "never", "always" };

/* A part's text as a JSON string, which is a string of YAML, too. */
static void put_quoted(const struct buffer *part, struct buffer *text)
{
	buffer_json_string(text, part->data ? part->data : "");
	text->failed = text->failed || part->failed;
}

typedef void part(const struct findings *findings, const struct outcome *outcome, struct buffer *text);

static void put_part(const struct findings *f, const struct outcome *outcome, part *part, struct buffer *text)
{
	struct buffer buffer = { 0 };

	part(f, outcome, &buffer);
	put_quoted(&buffer, text);
	buffer_free(&buffer);
}

/* --- JSON ----------------------------------------------------------------------------------------------------------- */

static void put_protocol(uint8_t protocol, struct buffer *text)
{
	switch (protocol) {
	case IPPROTO_TCP:
		buffer_put(text, "\"tcp\"");
		break;
	case IPPROTO_UDP:
		buffer_put(text, "\"udp\"");
		break;
	case IPPROTO_SCTP:
		buffer_put(text, "\"sctp\"");
		break;
	case IPPROTO_ICMP:
		buffer_put(text, "\"icmp\"");
		break;
	case IPPROTO_ICMPV6:
		buffer_put(text, "\"icmpv6\"");
		break;
	default:
		buffer_number(text, protocol);
	}
}

/* As a line of `zonewall simulate` has it: one from an address of the host leaves. */
static void put_packet(const struct findings *f, const struct space_packet *packet, struct buffer *text)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

	addr_print(&packet->from, from);
	addr_print(&packet->to, to);
	buffer_printf(text, "{\"from\":\"%s\",\"to\":\"%s\",\"proto\":", from, to);
	put_protocol(packet->protocol, text);
	if (packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6)
		buffer_printf(text, ",\"icmp\":[%u,%u]", packet->port >> 8, packet->port & 0xff);
	else if (packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP || packet->protocol == IPPROTO_SCTP)
		buffer_printf(text, ",\"sport\":%u,\"dport\":%u", packet->sport, packet->port);
	if (ranges_contain(&f->policy->zones[ZONE_INDEX_HOST].set, &packet->from))
		buffer_put(text, ",\"hook\":\"egress\"");
	buffer_put(text, "}");
}

static void put_zones(const struct names *names, uint32_t atom, struct buffer *text)
{
	const char *const *zones;
	size_t count = atom == ZW_NO_ATOM ? 0 : names_zones(names, atom, &zones);

	buffer_put(text, "[");
	for (size_t i = 0; i < count; i++)
		buffer_printf(text, "%s\"%s\"", i ? "," : "", zones[i]);
	buffer_put(text, "]");
}

/* How a member of an object is written. */
struct style {
	const char *open, *close, *separator; /* around a key, between two members */
};

static const struct style json_style = { "\"", "\":", "," }, yaml_style = { "", ": ", "\n  " };

static void put_key(const struct style *style, const char *key, struct buffer *text)
{
	buffer_printf(text, "%s%s%s%s", style->separator, style->open, key, style->close);
}

/* What became of the packet: members that follow others. */
static void put_decision(const struct findings *f, const struct outcome *outcome, const struct style *style, struct buffer *text)
{
	const struct rule_name *rule = outcome_rule(f->tables, outcome);

	put_key(style, "verdict", text);
	buffer_json_string(text, outcome->decision.allow ? "allow" : "drop");
	put_key(style, "reason", text);
	buffer_json_string(text, reason_name(outcome->decision.reason));
	put_key(style, "rule", text);
	buffer_json_or_null(text, rule ? rule->id : NULL);
	put_key(style, "rule_place", text);
	buffer_json_or_null(text, rule ? rule->place : NULL);
	put_key(style, "owner", text);
	buffer_json_or_null(text, rule ? rule->owner : NULL);
	put_key(style, "from_zones", text);
	put_zones(f->tables->names, outcome->decision.atom[0], text);
	put_key(style, "to_zones", text);
	put_zones(f->tables->names, outcome->decision.atom[1], text);
}

static const char *result_name(const struct outcome *outcome)
{
	return outcome->result == OUTCOME_HOLDS ? "pass" : outcome->result == OUTCOME_HOST ? "error" : "fail";
}

/* Of a failure that is one at some times only. */
static void put_time(const char *key, int64_t time, struct buffer *text)
{
	struct buffer instant = { 0 };

	if (time != TIME_BEGIN && time != TIME_END)
		put_instant(&instant, time);
	put_key(&json_style, key, text);
	buffer_json_or_null(text, instant.data);
	text->failed |= instant.failed;
	buffer_free(&instant);
}

static void put_result(const struct findings *f, const struct outcome *outcome, struct buffer *text)
{
	const struct rule *region = outcome_region(f->policy, outcome);

	buffer_printf(text, "{\"kind\":\"%s\",\"id\":", kind_names[outcome->kind]);
	buffer_json_or_null(text, region ? region->id : NULL);
	buffer_put(text, ",\"name\":");
	put_part(f, outcome, finding_name, text);
	buffer_put(text, ",\"place\":");
	put_part(f, outcome, finding_place, text);
	buffer_printf(text, ",\"result\":\"%s\",\"message\":", result_name(outcome));
	put_part(f, outcome, finding_message, text);
	put_time("begins", outcome->moment.begin, text);
	put_time("ends", outcome->moment.end, text);
	if (outcome_has_packet(outcome)) {
		buffer_put(text, ",\"packet\":");
		put_packet(f, &outcome->packet, text);
		put_decision(f, outcome, &json_style, text);
	}
	buffer_put(text, "}");
}

static void put_diagnostics(const struct diag *diag, struct buffer *text)
{
	struct json_object *array = diag_json(diag);
	const char *json = json_object_to_json_string_ext(array, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (json)
		buffer_put(text, json);
	else
		text->failed = true;
	json_object_put(array);
}

static size_t count_errors(const struct outcomes *outcomes)
{
	size_t count = 0;

	for (size_t i = 0; i < outcomes->count; i++)
		count += outcomes->v[i].result == OUTCOME_HOST;
	return count;
}

void findings_json(const struct findings *f, struct buffer *text)
{
	const struct outcomes *outcomes = f->outcomes;

	buffer_printf(text, "{\"schema\":\"zonewall.test/1\",\"ok\":%s,\"count\":%zu,\"failed\":%zu,\"errors\":0,",
		      outcomes->failed ? "false" : "true", outcomes->count, outcomes->failed);
	buffer_put(text, "\"results\":[");
	for (size_t i = 0; i < outcomes->count; i++) {
		buffer_put(text, i ? "," : "");
		put_result(f, &outcomes->v[i], text);
	}
	buffer_put(text, "],\"diagnostics\":");
	put_diagnostics(f->diag, text);
	buffer_put(text, "}\n");
}

void findings_json_errors(const struct diag *diag, struct buffer *text)
{
	buffer_printf(text, "{\"schema\":\"zonewall.test/1\",\"ok\":false,\"count\":0,\"failed\":0,\"errors\":%zu,",
		      diag_errors(diag));
	buffer_put(text, "\"results\":[],\"diagnostics\":");
	put_diagnostics(diag, text);
	buffer_put(text, "}\n");
}

/* --- TAP ------------------------------------------------------------------------------------------------------------- */

/* Explains what does not hold: a YAML block, of JSON's strings and lists. */
static void put_yaml(const struct findings *f, const struct outcome *outcome, struct buffer *text)
{
	buffer_put(text, "  ---\n  message: ");
	put_part(f, outcome, finding_message, text);
	buffer_put(text, "\n  place: ");
	put_part(f, outcome, finding_place, text);
	if (outcome_has_packet(outcome)) {
		buffer_put(text, "\n  packet: ");
		put_part(f, outcome, finding_packet, text);
		put_decision(f, outcome, &yaml_style, text);
	}
	buffer_put(text, "\n  ...\n");
}

/* Names hold no '#', which would begin a directive, and no line ends: they are made of ids, addresses and services. */
void findings_tap(const struct findings *f, struct buffer *text)
{
	const struct outcomes *outcomes = f->outcomes;

	buffer_printf(text, "TAP version 13\n1..%zu%s\n", outcomes->count,
		      outcomes->count ? "" : " # SKIP the policy has no tests, never or always");
	for (size_t i = 0; i < outcomes->count; i++) {
		const struct outcome *outcome = &outcomes->v[i];

		buffer_printf(text, "%sok %zu - ", outcome->result == OUTCOME_HOLDS ? "" : "not ", i + 1);
		finding_name(f, outcome, text);
		buffer_put(text, "\n");
		if (outcome->result != OUTCOME_HOLDS)
			put_yaml(f, outcome, text);
	}
}

/* --- JUnit ----------------------------------------------------------------------------------------------------------- */

static void put_xml_part(const struct findings *f, const struct outcome *outcome, part *part, struct buffer *text)
{
	struct buffer buffer = { 0 };

	part(f, outcome, &buffer);
	buffer_xml(text, buffer.data ? buffer.data : "");
	text->failed = text->failed || buffer.failed;
	buffer_free(&buffer);
}

static void put_failure(const struct findings *f, const struct outcome *outcome, struct buffer *text)
{
	const char *element = outcome->result == OUTCOME_HOST ? "error" : "failure";

	buffer_printf(text, ">\n      <%s message=\"", element);
	put_xml_part(f, outcome, finding_message, text);
	buffer_put(text, "\">");
	put_xml_part(f, outcome, finding_place, text);
	if (outcome_has_packet(outcome)) {
		buffer_put(text, "\npacket: ");
		put_xml_part(f, outcome, finding_packet, text);
		buffer_printf(text, "\n%s by: ", outcome->decision.allow ? "allowed" : "dropped");
		put_xml_part(f, outcome, finding_decider, text);
	}
	buffer_printf(text, "</%s>\n    </testcase>\n", element);
}

static void open_suite(size_t tests, size_t failures, size_t errors, struct buffer *text)
{
	buffer_put(text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
	buffer_printf(text, "  <testsuite name=\"zonewall\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"0\">\n",
		      tests, failures, errors);
}

static void close_suite(struct buffer *text)
{
	buffer_put(text, "  </testsuite>\n</testsuites>\n");
}

void findings_junit(const struct findings *f, struct buffer *text)
{
	const struct outcomes *outcomes = f->outcomes;
	size_t errors = count_errors(outcomes);

	open_suite(outcomes->count, outcomes->failed - errors, errors, text);
	for (size_t i = 0; i < outcomes->count; i++) {
		buffer_printf(text, "    <testcase classname=\"zonewall.%s\" name=\"", kind_names[outcomes->v[i].kind]);
		put_xml_part(f, &outcomes->v[i], finding_name, text);
		buffer_put(text, "\"");
		if (outcomes->v[i].result == OUTCOME_HOLDS)
			buffer_put(text, "/>\n");
		else
			put_failure(f, &outcomes->v[i], text);
	}
	close_suite(text);
}

void findings_junit_errors(const char *messages, struct buffer *text)
{
	open_suite(1, 0, 1, text);
	buffer_put(text, "    <testcase classname=\"zonewall\" name=\"the policy is read\">\n"
			 "      <error message=\"the policy has errors\">");
	buffer_xml(text, messages);
	buffer_put(text, "</error>\n    </testcase>\n");
	close_suite(text);
}
