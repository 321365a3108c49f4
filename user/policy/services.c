// SPDX-License-Identifier: GPL-2.0-only
/* The key `services`, and services where they are named or written out. */
#include "policy/icmp.h"
#include "policy/near.h"
#include "policy/schema.h"

#define TEXT_MAX 200

enum { PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ICMPV6 = 58, PROTO_SCTP = 132 };

static const struct protocol {
	const char *name;
	uint8_t number;
	int icmp; /* version, or 0: it has ports */
} protocols[] = {
	{ "tcp", PROTO_TCP, 0 },     { "udp", PROTO_UDP, 0 },	      { "sctp", PROTO_SCTP, 0 },
	{ "icmp", PROTO_ICMP, 4 },   { "icmpv6", PROTO_ICMPV6, 6 },
};

static const char *const literal_words[] = { "tcp", "udp", "sctp", "icmp", "icmpv6", "any", NULL };

/* Reports why the text is no service; `why` follows the text. */
static int fail(struct reader *reader, const struct node *node, const char *fix, const char *why)
{
	diag_error(reader->diag, &node->place, fix, "'%.60s' %s", node->text, why);
	return -EINVAL;
}

static int read_ports(struct reader *reader, const struct node *node, char *ports, struct selector *selector)
{
	char *dash = strchr(ports, '-'), fix[FIX_MAX];
	uint64_t first, last;

	if (dash)
		*dash = 0;
	if (number_read(ports, 65535, &first) || (dash && number_read(dash + 1, 65535, &last)))
		return fail(reader, node, "write tcp/443, or tcp/8000-8099 for a range",
			    "is not a service: its port is not a number from 0 to 65535");
	if (!dash)
		last = first;
	if (first > last) {
		snprintf(fix, sizeof(fix), "write %.*s/%u-%u", (int)strcspn(node->text, "/"), node->text, (unsigned)last,
			 (unsigned)first);
		return fail(reader, node, fix, "is an empty range of ports");
	}
	selector->first = first;
	selector->last = last;
	return 0;
}

static int unknown_icmp(struct reader *reader, const struct node *node, int version, int type, const char *name)
{
	const char *near = icmp_suggest(version, type, name);
	char fix[FIX_MAX];

	if (near)
		snprintf(fix, sizeof(fix), "did you mean '%s'?", near);
	return fail(reader, node, near ? fix : "a number from 0 to 255 always does",
		    type < 0 ? "names an unknown ICMP type" : "names an unknown code of its ICMP type");
}

static int read_icmp(struct reader *reader, const struct node *node, int version, char *type_text,
		     struct selector *selector)
{
	char *code_text = strchr(type_text, '/');
	uint64_t type, code;
	int found;

	if (code_text)
		*code_text++ = 0;
	if (number_read(type_text, 255, &type)) {
		found = icmp_find_type(version, type_text);
		if (found < 0)
			return unknown_icmp(reader, node, version, -1, type_text);
		type = found;
	}
	selector->first = type << 8;
	selector->last = type << 8 | 255;
	if (!code_text)
		return 0;
	if (number_read(code_text, 255, &code)) {
		found = icmp_find_code(version, type, code_text);
		if (found < 0)
			return unknown_icmp(reader, node, version, type, code_text);
		code = found;
	}
	selector->first = selector->last = type << 8 | code;
	return 0;
}

/* Is it a literal form, well written or not? Everything else is a name. */
static bool is_literal(const char *text)
{
	if (strchr(text, '/'))
		return true;
	for (size_t i = 0; literal_words[i]; i++)
		if (!strcmp(text, literal_words[i]))
			return true;
	return false;
}

static int unknown_protocol(struct reader *reader, const struct node *node, const char *protocol)
{
	struct near near = near_begin(protocol);
	char fix[FIX_MAX];

	for (size_t i = 0; literal_words[i]; i++)
		near_try(&near, literal_words[i], i);
	if (near_found(&near) && near.distance < strlen(protocol) && near.distance < 3)
		snprintf(fix, sizeof(fix), "did you mean '%s%s'?", literal_words[near.best],
			 node->text + strlen(protocol));
	else
		snprintf(fix, sizeof(fix), "forms are tcp/P, udp/P-Q, sctp/P, icmp/TYPE, icmpv6/TYPE, proto/N, any");
	return fail(reader, node, fix, "is not a service: its protocol is unknown");
}

static int read_literal(struct reader *reader, const struct node *node, struct selector *ret)
{
	char text[TEXT_MAX], *rest;
	uint64_t number;

	*ret = (struct selector){ .last = 65535 };
	if (strlen(node->text) >= sizeof(text))
		return fail(reader, node, NULL, "is not a service");
	strcpy(text, node->text);
	rest = strchr(text, '/');
	if (rest)
		*rest++ = 0;
	if (!rest && !strcmp(text, "any")) {
		ret->any_protocol = true;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		if (strcmp(text, protocols[i].name))
			continue;
		ret->protocol = protocols[i].number;
		if (!rest)
			return 0;
		return protocols[i].icmp ? read_icmp(reader, node, protocols[i].icmp, rest, ret) :
					   read_ports(reader, node, rest, ret);
	}
	if (strcmp(text, "proto"))
		return unknown_protocol(reader, node, text);
	if (!rest || number_read(rest, 255, &number))
		return fail(reader, node, "write proto/N, N from 0 to 255", "is not a service: its protocol is not a number");
	ret->protocol = number;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct selector *x = a, *y = b;

	if (x->any_protocol != y->any_protocol)
		return x->any_protocol ? -1 : 1;
	if (x->protocol != y->protocol)
		return x->protocol < y->protocol ? -1 : 1;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->last < y->last ? -1 : x->last > y->last;
}

/* Sorted, and what overlaps or touches made one: lists that name lists cannot grow without end. */
static void normalise(struct selectors *selectors)
{
	struct selector *v = selectors->v;
	size_t kept = 0;

	if (!selectors->count)
		return;
	qsort(v, selectors->count, sizeof(*v), compare);
	for (size_t i = 1; i < selectors->count && !v[0].any_protocol; i++) {
		if (v[i].protocol == v[kept].protocol && v[i].first <= v[kept].last + 1) {
			if (v[i].last > v[kept].last)
				v[kept].last = v[i].last;
		} else {
			v[++kept] = v[i];
		}
	}
	selectors->count = kept + 1;
}

static bool append(struct reader *reader, struct selectors *to, const struct selector *v, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (failed(reader, array_grow(&to->v, to->count, sizeof(*to->v))))
			return false;
		to->v[to->count++] = v[i];
	}
	return true;
}

/* Counts the parts of a service against the limit of all, and drops them beyond it. */
static void take_parts(struct reader *reader, const struct node *value, struct selectors *selectors)
{
	reader->parts += selectors->count;
	if (reader->parts > PARTS_MAX && !reader->parts_full) {
		diag_error(reader->diag, &value->place, "use fewer and wider ranges of ports",
			   "the services of all rules have more than %u ranges of ports", PARTS_MAX);
		reader->parts_full = true;
	}
	if (reader->parts_full)
		selectors->count = 0;
}

static bool resolve(struct reader *reader, unsigned number, const struct node *from, unsigned depth);

/* One entry of a service: a literal or a name. */
static bool read_part(struct reader *reader, const struct node *node, struct selectors *into, unsigned depth)
{
	struct selector selector;
	unsigned number;

	if (!want_text(reader, node, "a service"))
		return false;
	if (is_literal(node->text))
		return !read_literal(reader, node, &selector) && append(reader, into, &selector, 1);
	if (!index_find(&reader->services.index, node->text, &number)) {
		report_undefined(reader, node, &reader->services, "service", literal_words);
		return false;
	}
	if (!resolve(reader, number, node, depth + 1))
		return false;
	return append(reader, into, reader->service[number].selectors.v, reader->service[number].selectors.count);
}

static bool read_parts(struct reader *reader, const struct node *value, struct selectors *into, unsigned depth)
{
	bool good = true;

	if (value->kind != NODE_LIST) {
		good = read_part(reader, value, into, depth);
	} else {
		if (!value->count)
			diag_warning(reader->diag, &value->place, NULL, "the list is empty: it matches nothing");
		node_for_each(node, value) {
			good &= read_part(reader, node, into, depth);
			/* Merged before it grows large, so that a list of lists costs what it says, not what it repeats. */
			if (into->count > 2 * SERVICE_PARTS_MAX)
				normalise(into);
			if (into->count > 2 * SERVICE_PARTS_MAX)
				break;
		}
	}
	normalise(into);
	if (into->count <= SERVICE_PARTS_MAX)
		return good;
	diag_error(reader->diag, &value->place, NULL, "a service has more than %u ranges of ports", SERVICE_PARTS_MAX);
	into->count = 0;
	return false;
}

/* Reads a declared service once. Returns whether it is good; `from` is where it was named. */
static bool resolve(struct reader *reader, unsigned number, const struct node *from, unsigned depth)
{
	struct service *service = &reader->service[number];
	struct selectors selectors = { 0 };

	if (service->state == SERVICE_READ)
		return !service->bad;
	if (service->state == SERVICE_READING || depth > SERVICE_DEPTH) {
		diag_error(reader->diag, &from->place, NULL,
			   depth > SERVICE_DEPTH ? "service '%s' names services nested too deep" :
						   "service '%s' contains itself",
			   reader->services.v[number].name);
		return false;
	}
	service->state = SERVICE_READING;
	service->bad = !read_parts(reader, reader->services.v[number].node->next, &selectors, depth);
	take_parts(reader, reader->services.v[number].node->next, &selectors);
	service->state = SERVICE_READ;
	service->selectors = selectors;
	return !service->bad;
}

void declare_services(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	(void)key;
	(void)into;
	if (value->kind != NODE_MAP) {
		if (value->kind != NODE_BAD)
			diag_error(reader->diag, &value->place, NULL, "expected a map of services by their names");
		return;
	}
	node_for_each_key(service, value) {
		if (is_literal(service->text) && strcmp(service->text, "any") && !strchr(service->text, '/')) {
			diag_error(reader->diag, &service->place, NULL,
				   "'%s' cannot be the name of a service: it is a protocol", service->text);
			continue;
		}
		/* A name that may not be is known all the same, so that what uses it is not another mistake. */
		if (name_check(reader, service, "a service") || strcmp(service->text, "any"))
			define(reader, &reader->services, service, service->text, "service");
	}
}

void read_services(struct reader *reader)
{
	reader->service = array_new(reader->services.count, sizeof(*reader->service));
	if (!reader->service) {
		reader->out_of_memory = true;
		return;
	}
	for (size_t i = 0; i < reader->services.count && !reader->out_of_memory; i++)
		resolve(reader, i, reader->services.v[i].node, 0);
}

void keep_services(struct reader *reader)
{
	struct policy *policy = reader->policy;

	policy->services = array_new(reader->services.count, sizeof(*policy->services));
	for (size_t i = 0; i < reader->services.count && policy->services; i++) {
		struct named_service *service = &policy->services[policy->service_count++];

		service->name = strdup(reader->services.v[i].name);
		service->selectors = reader->service[i].selectors;
		reader->service[i].selectors = (struct selectors){ 0 };
		reader->out_of_memory |= !service->name;
	}
	reader->out_of_memory |= !policy->services;
}

/* "https" or "tcp/443, udp/53" */
static char *print(const struct node *value)
{
	size_t size = 1, at = 0;
	char *text;

	if (value->kind == NODE_SCALAR)
		return strdup(value->text);
	if (value->kind == NODE_LIST)
		node_for_each(node, value)
			size += (node->kind == NODE_SCALAR ? strlen(node->text) : 0) + 2;
	text = malloc(size);
	if (!text)
		return NULL;
	*text = 0;
	if (value->kind == NODE_LIST)
		node_for_each(node, value)
			if (node->kind == NODE_SCALAR)
				at += sprintf(text + at, "%s%s", at ? ", " : "", node->text);
	return text;
}

bool read_service(struct reader *reader, const struct node *value, struct selectors *ret_selectors, char **ret_text)
{
	bool good = read_parts(reader, value, ret_selectors, 0);

	take_parts(reader, value, ret_selectors);
	if (ret_text) {
		*ret_text = print(value);
		reader->out_of_memory |= !*ret_text;
	}
	return good;
}
