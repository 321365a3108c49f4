// SPDX-License-Identifier: GPL-2.0-only
/*
 * A policy written out (user/policy/canonical.h) means what it meant: random ones, and one with a bit of everything,
 * are read again and give the same tables, byte for byte; and written out again, the same text.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "base/yaml_print.h"
#include "compile/tables.h"
#include "generate.h"
#include "policy/canonical.h"
#include "test.h"

/* Sanitizers make each many times slower: then a part of them is enough. */
#ifdef __SANITIZE_ADDRESS__
#define POLICIES 60
#else
#define POLICIES 400
#endif

static char path[] = "/tmp/zonewall-canonical-XXXXXX";

/* What a text means, and how it is written out. */
struct meaning {
	struct policy *policy;
	struct tables *tables;
	char *text;
};

static void forget(struct meaning *m)
{
	tables_free(m->tables);
	policy_free(m->policy);
	free(m->text);
}

static bool write_file(const char *text)
{
	FILE *file = fopen(path, "w");

	if (!file)
		return false;
	fputs(text, file);
	return !fclose(file);
}

static char *write_out(const struct policy *policy)
{
	struct json_object *object = policy_canonical(policy);
	char *text = NULL;
	size_t len;
	FILE *memory = open_memstream(&text, &len);

	yaml_print(object, memory);
	fclose(memory);
	json_object_put(object);
	return text;
}

static bool understand(const char *text, struct meaning *ret)
{
	const struct compile_options options = { 0 };
	const char *const files[] = { path };
	struct diag *diag = diag_new();
	bool good;

	*ret = (struct meaning){ 0 };
	good = write_file(text) && !policy_read(files, 1, diag, &ret->policy) && !policy_resolve(ret->policy, NULL) &&
	       !compile_policy(ret->policy, &options, diag, &ret->tables);
	if (!good)
		diag_print(diag, stdout, false);
	else
		ret->text = write_out(ret->policy);
	diag_free(diag);
	return good;
}

static bool is_same_rules(const struct names *a, const struct names *b)
{
	if (names_rule_count(a) != names_rule_count(b))
		return false;
	for (uint32_t i = 1; i <= names_rule_count(a); i++)
		if (strcmp(names_rule(a, i)->id, names_rule(b, i)->id) ||
		    strcmp(names_rule(a, i)->owner, names_rule(b, i)->owner))
			return false;
	return true;
}

/* NULL, or what differs. */
static const char *compare(const char *text)
{
	struct meaning first, second = { 0 };
	const char *wrong = NULL;

	if (!understand(text, &first))
		wrong = "it cannot be read";
	else if (!understand(first.text, &second))
		wrong = "what is written out cannot be read";
	else if (strcmp(first.text, second.text))
		wrong = "written out again it is another text";
	else if (first.tables->len != second.tables->len ||
		 memcmp(&first.tables->layout, &second.tables->layout, sizeof(first.tables->layout)) ||
		 memcmp(first.tables->bytes, second.tables->bytes, first.tables->len))
		wrong = "the tables differ";
	else if (!is_same_rules(first.tables->names, second.tables->names))
		wrong = "ids or owners differ";
	forget(&first);
	forget(&second);
	return wrong;
}

static void random_policies(void)
{
	unsigned failures = 0;

	for (uint64_t seed = 1; seed <= POLICIES; seed++) {
		struct random random = { seed };
		struct model *model = model_new(&random);
		char *text = model_yaml(model);
		const char *wrong = compare(text);

		if (wrong && failures++ < 3)
			printf("# seed %llu: %s\n%s\n", (unsigned long long)seed, wrong, text);
		free(text);
		model_free(model);
	}
	ok(!failures, "%u random policies, written out, mean what they meant", POLICIES);
}

/* Strings that a reader of YAML could take for something else, as an owner. */
static void strings_stay_what_they_are(void)
{
	static const char *const owners[] = { "payments", "yes", "No", "null", "1.2", "0x1f", "2026-12-31", "12:30", "a: b",
					      "# not a comment", " space ", "it's", "a \"quoted\" word", "back\\slash",
					      "tab\there", "gr\303\274n", "[list]", "{map}", "*", "&a", "!tag", "-", "@x",
					      "10.1.0.0/24", "tcp/443", "1e3" };

	for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
		struct json_object *quoted = json_object_new_string(owners[i]);
		struct meaning m = { 0 };
		char text[512];
		const char *wrong;

		snprintf(text, sizeof(text),
			 "version: 1\ndefaults: {action: drop}\nrules:\n"
			 "  - {id: a, from: any, to: any, service: any, action: allow, owner: %s}\n",
			 json_object_to_json_string_ext(quoted, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(quoted);
		wrong = compare(text);
		ok(!wrong && understand(text, &m) && !strcmp(names_rule(m.tables->names, 1)->owner, owners[i]),
		   "the owner '%s'%s%s", strchr(owners[i], '\t') ? "with a tab" : *owners[i] == '#' ? "with a mark" : owners[i],
		   wrong ? ": " : "", wrong ? wrong : "");
		forget(&m);
	}
}

static const char everything[] =
	"version: 1\n"
	"defaults: {action: allow, intra-zone: drop, log: none, non-ip: allow, tcp: strict, flows: 1024}\n"
	"tiers: [first, second]\n"
	"interfaces:\n"
	"  - {match: [eth0, \"w[0-9]*\"], xdp: off}\n"
	"  - {match: [veth-a], source: all}\n"
	"zones:\n"
	"  a: [0.0.0.0/0, \"::/0\"]\n"
	"  b: [10.0.0.0-10.0.0.255, 10.0.1.0/24, 10.0.2.0, \"fd00::1-fd00::7\", \"fd00::8/125\"]\n"
	"  all: {zones: [b, none], except: [10.0.1.7, \"fd00::2-fd00::3\"], addresses: [255.255.255.255]}\n"
	"  none: []\n"
	"services:\n"
	"  ports: [tcp/0, tcp/1-9, tcp/65535, udp, sctp/7]\n"
	"  types: [icmp/3/1, icmp/3/2, icmp/4, icmp/5, icmpv6/255/255]\n"
	"failsafe: []\n"
	"rules:\n"
	"  - {id: one, tier: second, from: [b, 192.0.2.7, any], to: host, service: [ports, types], action: allow, log: all}\n"
	"  - {id: two, tier: first, from: world, to: [all, \"2001:db8::/32\"], service: [proto/0, proto/255], action: pass}\n"
	"  - {id: three, from: any, to: none, service: any, action: drop, mode: stage, owner: x}\n";

int main(void)
{
	const char *wrong;
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	wrong = compare(everything);
	ok(!wrong, "a policy with a bit of everything%s%s", wrong ? ": " : "", wrong ? wrong : "");
	random_policies();
	strings_stay_what_they_are();
	unlink(path);
	return done();
}
