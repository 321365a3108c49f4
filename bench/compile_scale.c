// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the compiler does at the size of design section 13: 100,000 rules of which a tenth name hosts and CIDRs,
 * 1,000,000 prefixes, 1,024 zones, in three shapes:
 *
 *   dense    hosts of one /8 (IPv6: of one /104), each in any zone
 *   routing  lengths 16 to 32, most 24 (IPv6: 32 to 128, most 48), a /16 (/32) and all in it in one zone
 *   feed     hosts anywhere, each in any zone
 *
 * Each shape is made and compiled in a process of its own, so that peak memory is its own. Prints a line a shape:
 * seconds to compile (and with warnings), MiB of the policy and at the peak, and what the tables hold.
 *
 *   compile_scale [-r RULES] [-p PREFIXES] [-z ZONES] [-c CIDR_BITS] [-s] [SHAPE...]
 *
 * -c: rules' CIDRs leave so many bits open (default 4). -s: prefixes of `routing` are in any zone, however they nest.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "compile/tables.h"
#include "policy/policy.h"

struct shape {
	const char *name;
	int family;
};

static const struct shape shapes[] = {
	{ "dense", 4 }, { "routing", 4 }, { "feed", 4 }, { "dense", 6 }, { "routing", 6 }, { "feed", 6 },
};

static size_t rule_count = 100000, prefix_count = 1000000, zone_count = 1024;
static unsigned cidr_bits = 4;
static bool scattered;

static uint64_t seed = 0x5eed;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dull >> 16;
}

static void *need(void *memory)
{
	if (!memory) {
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	return memory;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static size_t peak_mib(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss >> 10;
}

static u128 wide(void)
{
	return (u128)rnd() << 80 ^ (u128)rnd() << 40 ^ rnd();
}

/* An address of the shape, and how many bits its prefix has. Dense hosts of different numbers are different. */
static u128 random_prefix(const struct shape *shape, size_t number, int *ret_len)
{
	int bits = shape->family == 4 ? 32 : 128;

	*ret_len = bits;
	if (shape->name[0] == 'd')
		return (shape->family == 4 ? (u128)10 << 24 : (u128)0x20010db8 << 96) |
		       (number * 0x9e3779b1 & 0xffffff);
	if (shape->name[0] == 'r')
		*ret_len = rnd() % 10 < 6       ? (shape->family == 4 ? 24 : 48)
			   : shape->family == 4 ? 16 + rnd() % 17
						: 32 + rnd() % 97;
	/* 1.0.0.0 to 223.255.255.255, 2000::/3 */
	if (shape->family == 4)
		return ((u128)(1 + rnd() % 223) << 24) | (rnd() & 0xffffff);
	return (wide() & ~((u128)7 << 125)) | (u128)1 << 125;
}

static unsigned zone_of(const struct shape *shape, u128 address)
{
	uint64_t site = address >> (shape->family == 4 ? 16 : 96);

	if (shape->name[0] != 'r' || scattered)
		return ZONE_INDEX_FIRST_DECLARED + rnd() % zone_count;
	return ZONE_INDEX_FIRST_DECLARED + (site * 0x9e3779b97f4a7c15ull >> 32) % zone_count;
}

static void add(struct policy *p, unsigned zone, const struct shape *shape, u128 address, int len)
{
	int open = (shape->family == 4 ? 32 : 128) - len;
	u128 mask = open == 128 ? ~(u128)0 : ((u128)1 << open) - 1;

	if (ranges_add(&p->zones[zone].set, shape->family, address & ~mask, address | mask))
		need(NULL);
}

static void make_zones(struct policy *p, const struct shape *shape)
{
	static const char *const builtin[] = { "any", "host", "world" };
	char name[32];
	int len;

	p->zones = need(calloc(3 + zone_count + rule_count, sizeof(*p->zones)));
	for (p->zone_count = 0; p->zone_count < 3 + zone_count; p->zone_count++) {
		struct zone *zone = &p->zones[p->zone_count];

		snprintf(name, sizeof(name), "zone-%zu", p->zone_count);
		zone->kind = p->zone_count < 3 ? (enum zone_kind)(ZONE_ANY + p->zone_count) : ZONE_DECLARED;
		zone->name = need(strdup(p->zone_count < 3 ? builtin[p->zone_count] : name));
	}
	for (size_t i = 0; i < prefix_count; i++) {
		u128 address = random_prefix(shape, i, &len);

		add(p, zone_of(shape, address), shape, address, len);
	}
	add(p, ZONE_INDEX_HOST, shape, random_prefix(shape, prefix_count, &len),
	    shape->family == 4 ? 32 : 128);
}

/* A host or a CIDR written in a rule. */
static unsigned make_literal(struct policy *p, const struct shape *shape)
{
	int len;
	u128 address = random_prefix(shape, rnd(), &len);
	struct zone *zone = &p->zones[p->zone_count];

	zone->kind = ZONE_LITERAL;
	zone->name = need(strdup("literal"));
	add(p, p->zone_count, shape, address, (shape->family == 4 ? 32 : 128) - (rnd() & 1 ? cidr_bits : 0));
	return p->zone_count++;
}

static void set_end(struct zone_list *list, unsigned zone)
{
	list->zone = need(malloc(sizeof(*list->zone)));
	list->zone[0] = zone;
	list->count = 1;
}

static void make_rules(struct policy *p, const struct shape *shape)
{
	char id[32];

	p->rules.v = need(calloc(rule_count, sizeof(*p->rules.v)));
	p->tier_count = 2;
	for (size_t i = 0; i < rule_count; i++) {
		struct rule *rule = &p->rules.v[i];
		unsigned from = ZONE_INDEX_FIRST_DECLARED + rnd() % zone_count;
		unsigned to = ZONE_INDEX_FIRST_DECLARED + rnd() % zone_count;
		unsigned kind = rnd() % 2000;

		if (kind < 100)
			from = make_literal(p, shape);
		else if (kind < 200)
			to = make_literal(p, shape);
		else if (kind < 202)
			from = ZONE_INDEX_ANY;
		else if (kind < 204)
			to = ZONE_INDEX_ANY;
		set_end(&rule->from, from);
		set_end(&rule->to, to);
		snprintf(id, sizeof(id), "rule-%zu", i);
		rule->id = need(strdup(id));
		rule->service_text = need(strdup("service"));
		rule->tier = rnd() % 10 != 0;
		rule->action = rnd() % 4 ? ACTION_ALLOW : rnd() % 2 ? ACTION_DROP : ACTION_PASS;
		rule->service.count = 1;
		rule->service.v = need(calloc(1, sizeof(*rule->service.v)));
		rule->service.v[0].protocol = rnd() % 4 ? 6 : 17;
		rule->service.v[0].first = 1000 + rnd() % 200;
		rule->service.v[0].last = rule->service.v[0].first + (rnd() % 4 ? 0 : rnd() % 100);
	}
	p->rules.count = rule_count;
}

static struct policy *make_policy(const struct shape *shape)
{
	struct policy *p = need(calloc(1, sizeof(*p)));

	make_zones(p, shape);
	make_rules(p, shape);
	for (size_t i = 0; i < p->zone_count; i++)
		if (ranges_normalise(&p->zones[i].set))
			need(NULL);
	p->host_known = true;
	return p;
}

static double compile(const struct policy *p, bool analyse, struct tables **ret_tables)
{
	struct compile_options options = { .analyse = analyse };
	struct diag *diag = need(diag_new());
	double began = now();

	if (compile_policy(p, &options, diag, ret_tables)) {
		diag_print(diag, stderr, false);
		exit(1);
	}
	diag_free(diag);
	return now() - began;
}

static void print_stats(const struct tables *t)
{
	printf("%9zu %7zu %7zu %5zu %7zu %9zu %6zu %6zu %6.1f  %u\n", t->stats.atoms, t->stats.source_classes,
	       t->stats.destination_classes, t->stats.port_classes, t->stats.rows, t->stats.pairs,
	       t->stats.lines4 * 64 >> 20, t->stats.lines6 * 64 >> 20, t->len / 1048576.0,
	       t->stats.reads4 > t->stats.reads6 ? t->stats.reads4 : t->stats.reads6);
}

static void measure(const struct shape *shape)
{
	struct policy *p = make_policy(shape);
	size_t before = peak_mib(), peak;
	struct tables *t;
	double plain = compile(p, false, &t), warned;

	peak = peak_mib();
	tables_free(t);
	warned = compile(p, true, &t);
	printf("%-8s v%d %6.2f %6.2f %6zu %6zu", shape->name, shape->family, plain, warned, before, peak);
	print_stats(t);
}

static bool is_wanted(const struct shape *shape, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(*names, shape->name))
			return true;
	return false;
}

static int run(char **names)
{
	int failed = 0;

	printf("%-11s %6s %6s %6s %6s%9s %7s %7s %5s %7s %9s %6s %6s %6s %s\n", "shape", "s", "+warn",
	       "policy", "peak", "atoms", "from", "to", "ports", "rows", "pairs", "MiB v4", "MiB v6", "MiB",
	       "reads");
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		int status = 0;
		pid_t child;

		if (!is_wanted(&shapes[i], names))
			continue;
		fflush(stdout);
		child = fork();
		if (!child) {
			measure(&shapes[i]);
			fflush(stdout);
			_exit(0);
		}
		if (child < 0 || waitpid(child, &status, 0) < 0 || status)
			failed = 1;
	}
	return failed;
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "r:p:z:c:s")) != -1) {
		switch (option) {
		case 'r':
			rule_count = strtoul(optarg, NULL, 10);
			break;
		case 'p':
			prefix_count = strtoul(optarg, NULL, 10);
			break;
		case 'z':
			zone_count = strtoul(optarg, NULL, 10);
			break;
		case 'c':
			cidr_bits = strtoul(optarg, NULL, 10);
			break;
		case 's':
			scattered = true;
			break;
		default:
			return 2;
		}
	}
	return run(argv + optind);
}
