// SPDX-License-Identifier: GPL-2.0-only
/*
 * Addresses, CIDRs, ranges, instants and services as people write them: what is understood, printed, and read again means the
 * same; what is not has a reason.
 *
 * Input: up to three lines: an end, another end, a service, as `explain` takes them; each line goes to every reader.
 */
#include <time.h>

#include "base/util.h"
#include "policy/address.h"
#include "policy/moments.h"
#include "policy/policy.h"
#include "policy/reader.h"

#define LINES 3
#define LINE_MAX 400
#define PARTS 8

static char path[] = "/tmp/zonewall-fuzz-XXXXXX";
static const char policy_text[] =
	"version: 1\ndefaults: {action: drop}\nzones:\n  web: [10.1.0.0/24]\n  all: {zones: [web], addresses: [\"fd00::/8\"]}\n"
	"services:\n  https: tcp/443\n  some: [https, udp/53, icmp/echo-request]\n";
static FILE *nowhere;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int fd = mkstemp(path);

	(void)argc;
	(void)argv;
	nowhere = fopen("/dev/null", "w");
	if (!nowhere || fd < 0 || write(fd, policy_text, sizeof(policy_text) - 1) != sizeof(policy_text) - 1)
		abort();
	close(fd);
	return 0;
}

static __attribute__((destructor)) void leave(void)
{
	unlink(path);
}

static void want(bool good)
{
	if (!good)
		abort();
}

static void check_addr(const char *text)
{
	char printed[ADDR_TEXT_MAX], again[ADDR_TEXT_MAX];
	uint8_t bytes[16];
	struct addr addr, other;

	if (addr_parse(text, &addr))
		return;
	want(address_is_meant(text));
	addr_print(&addr, printed);
	want(!addr_parse(printed, &other) && other.family == addr.family && other.value == addr.value);
	addr_print(&other, again);
	want(!strcmp(printed, again) && strlen(printed) <= strlen("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"));
	addr_to_bytes(&addr, bytes);
	other = addr_from_bytes(addr.family, bytes);
	want(other.value == addr.value);
}

/* What the text of a CIDR or a range says, read in another way. */
static void check_meaning(const char *text, const struct address_range *range)
{
	char part[LINE_MAX], *cut;
	struct addr first, last;
	u128 rest = 0;

	strcpy(part, text);
	cut = strpbrk(part, "/-");
	if (cut)
		*cut++ = 0;
	want(!addr_parse(part, &first) && range->family == first.family && range->first == first.value);
	if (cut && text[cut - part - 1] == '-') {
		want(!addr_parse(cut, &last) && range->last == last.value);
		return;
	}
	for (int bit = cut ? atoi(cut) : 128; bit < (first.family == 4 ? 32 : 128); bit++)
		rest = rest << 1 | 1;
	want(range->last == (range->first | rest) && !(range->first & rest));
}

/* The fewest bits that all of a range has in common; -1 if it is no CIDR. */
static int prefix_length(const struct address_range *range)
{
	int bits = range->family == 4 ? 32 : 128, len = bits;
	u128 first = range->first, last = range->last;

	while (len && (first & 1) == 0 && (last & 1) == 1) {
		first >>= 1;
		last >>= 1;
		len--;
	}
	return first == last ? len : -1;
}

static void read_again(const char *text, const struct address_range *range)
{
	struct address_problem problem;
	struct address_range again;

	want(!address_read(text, &again, &problem) && again.family == range->family && again.first == range->first &&
	     again.last == range->last);
}

static void check_address(const char *text)
{
	struct address_problem problem = { 0 };
	struct address_range range;
	char first[ADDR_TEXT_MAX], last[ADDR_TEXT_MAX], printed[2 * ADDR_TEXT_MAX + 1];
	int len;

	if (address_read(text, &range, &problem)) {
		want(*problem.what && strlen(problem.what) < ADDRESS_TEXT_MAX && strlen(problem.fix) < ADDRESS_TEXT_MAX);
		return;
	}
	want(address_is_meant(text) && range.first <= range.last && (range.family == 6 || range.last <= ADDR_MAX4));
	check_meaning(text, &range);
	addr_print(&(struct addr){ range.family, range.first }, first);
	addr_print(&(struct addr){ range.family, range.last }, last);
	snprintf(printed, sizeof(printed), "%s-%s", first, last);
	read_again(printed, &range);
	len = prefix_length(&range);
	if (len < 0)
		return;
	snprintf(printed, sizeof(printed), "%s/%d", first, len);
	read_again(printed, &range);
}

static void check_instant(const char *text)
{
	char printed[32];
	int64_t seconds, again;
	time_t time;
	struct tm tm;

	if (instant_read(text, &seconds))
		return;
	time = seconds;
	want(gmtime_r(&time, &tm) != NULL);
	if (tm.tm_year < 70 || tm.tm_year > 9999 - 1900) /* by an offset, to where the text has no digits for it */
		return;
	want(strftime(printed, sizeof(printed), "%Y-%m-%dT%H:%M:%SZ", &tm));
	want(!instant_read(printed, &again) && again == seconds);
}

static int ask(struct question *question)
{
	const char *files[] = { path };
	struct diag *diag = diag_new();
	struct policy *policy = NULL;
	int err = policy_read_from(NULL, files, 1, question, diag, &policy);

	want((err == 0) == (policy != NULL) && (err == 0) == (diag_errors(diag) == 0));
	want(!err || question->errors);
	if (!err)
		want(question->from_zone < policy->zone_count && question->to_zone < policy->zone_count &&
		     !policy_resolve(policy, NULL));
	diag_print(diag, nowhere, false);
	policy_free(policy);
	diag_free(diag);
	return err;
}

/* A literal form of a service that means this; false: there is none. */
static bool print_selector(const struct selector *s, char *text, size_t size)
{
	static const struct {
		uint8_t protocol;
		const char *name;
	} names[] = { { 6, "tcp" }, { 17, "udp" }, { 132, "sctp" }, { 1, "icmp" }, { 58, "icmpv6" } };
	const char *name = NULL;

	want(s->first <= s->last);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].protocol == s->protocol)
			name = names[i].name;
	if (s->any_protocol)
		snprintf(text, size, "any");
	else if (!name || (s->first == 0 && s->last == 65535))
		snprintf(text, size, "proto/%u", s->protocol);
	else if (*name != 'i')
		snprintf(text, size, "%s/%u-%u", name, s->first, s->last);
	else if (s->first == s->last)
		snprintf(text, size, "%s/%u/%u", name, s->first >> 8, s->first & 255);
	else if (s->last - s->first == 255)
		snprintf(text, size, "%s/%u", name, s->first >> 8);
	else
		return false; /* types that touch were made one */
	return true;
}

static bool is_same(const struct selectors *a, const struct selectors *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (a->v[i].any_protocol != b->v[i].any_protocol || a->v[i].protocol != b->v[i].protocol ||
		    a->v[i].first != b->v[i].first || a->v[i].last != b->v[i].last)
			return false;
	return a->count == b->count;
}

/* Numbers have one form, so a service of one part that names ports is, letter for letter, what its numbers say. */
static void check_ports(const char *text, const struct selector *s)
{
	char one[64], range[64];
	size_t slash = strcspn(text, "/");

	if (strchr(text, ',') || !text[slash] || (s->protocol != 6 && s->protocol != 17 && s->protocol != 132))
		return;
	snprintf(one, sizeof(one), "%.*s/%u", (int)slash, text, s->first);
	snprintf(range, sizeof(range), "%.*s/%u-%u", (int)slash, text, s->first, s->last);
	want(!strncmp(text, "proto/", 6) || !strcmp(text, range) || (s->first == s->last && !strcmp(text, one)));
}

/* Its parts, printed with commas between them, are the service. */
static void check_service(const struct selectors *service)
{
	char text[PARTS * 24];
	struct question question = { .from = "any", .to = "any", .service = text };
	size_t len = 0;

	if (!service->count || service->count > PARTS)
		return;
	for (size_t i = 0; i < service->count; i++) {
		if (i)
			text[len++] = ',';
		if (!print_selector(&service->v[i], text + len, sizeof(text) - len))
			return;
		len += strlen(text + len);
	}
	want(!ask(&question) && is_same(service, &question.selectors));
	question_clear(&question);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char line[LINES][LINE_MAX] = { "any", "any", "any" };
	struct question question = { .from = line[0], .to = line[1], .service = line[2] };

	if (memchr(data, 0, size))
		return 0;
	for (int i = 0; i < LINES && size; i++) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t len = end ? (size_t)(end - data) : size;

		if (len >= LINE_MAX)
			return 0;
		memcpy(line[i], data, len);
		line[i][len] = 0;
		data += len + !!end;
		size -= len + !!end;
		check_addr(line[i]);
		check_address(line[i]);
		check_instant(line[i]);
	}
	if (!ask(&question)) {
		check_service(&question.selectors);
		if (question.selectors.count == 1)
			check_ports(question.service, question.selectors.v);
	}
	question_clear(&question);
	return 0;
}
