// SPDX-License-Identifier: GPL-2.0-only
/* Which end of a connection opened it, by what policy allows. */
#include <netinet/in.h>

#include "compile_help.h"
#include "simulate/opener.h"

struct row {
	const char *what;
	uint8_t protocol;
	const char *first;
	uint16_t first_port;
	const char *second;
	uint16_t second_port;
	enum opener want;
};

/* clients may reach servers on tcp/443 and udp/53, servers clients on tcp/9000; failsafe: ops may reach servers on tcp/22. */
static const struct row rows[] = {
	{ "policy allows the first", IPPROTO_TCP, "10.1.0.1", 40000, "10.2.0.1", 443, OPENER_FIRST },
	{ "policy allows the second", IPPROTO_TCP, "10.2.0.1", 443, "10.1.0.1", 40000, OPENER_SECOND },
	{ "policy allows neither", IPPROTO_TCP, "10.1.0.1", 40000, "10.2.0.1", 444, OPENER_NEITHER },
	{ "policy allows both: the first", IPPROTO_TCP, "10.1.0.1", 9000, "10.2.0.1", 443, OPENER_FIRST },
	{ "and the other way round", IPPROTO_TCP, "10.2.0.1", 443, "10.1.0.1", 9000, OPENER_FIRST },
	{ "failsafe allows the second", IPPROTO_TCP, "10.2.0.1", 22, "10.3.0.1", 40000, OPENER_SECOND },
	{ "failsafe comes before policy", IPPROTO_TCP, "10.2.0.1", 22, "10.1.0.9", 9000, OPENER_SECOND },
	{ "another protocol", IPPROTO_UDP, "10.2.0.1", 443, "10.1.0.1", 40000, OPENER_NEITHER },
	{ "UDP", IPPROTO_UDP, "10.2.0.1", 53, "10.1.0.1", 40000, OPENER_SECOND },
	{ "a protocol without ports", IPPROTO_GRE, "10.2.0.1", 0, "10.1.0.1", 0, OPENER_SECOND },
	{ "IPv6", IPPROTO_TCP, "fd00:2::1", 443, "fd00:1::1", 40000, OPENER_SECOND },
};

static void add(struct rules *rules, const char *id, unsigned from, unsigned to, struct selector service)
{
	made_rule(rules, id, from, to, service, ACTION_ALLOW);
}

static struct tables *make_tables(void)
{
	const struct compile_options options = { 0 };
	struct policy *p = made_new();
	unsigned clients = made_zone(p, "clients", ZONE_DECLARED), servers = made_zone(p, "servers", ZONE_DECLARED);
	unsigned ops = made_zone(p, "ops", ZONE_DECLARED);
	struct tables *tables;

	made_range(p, clients, "10.1.0.0", "10.1.0.255");
	made_range(p, clients, "fd00:1::", "fd00:1::ffff");
	made_range(p, servers, "10.2.0.0", "10.2.0.255");
	made_range(p, servers, "fd00:2::", "fd00:2::ffff");
	made_range(p, ops, "10.3.0.0", "10.3.0.255");
	made_range(p, ops, "10.1.0.9", "10.1.0.9");
	add(&p->rules, "web", clients, servers, made_ports(IPPROTO_TCP, 443, 443));
	add(&p->rules, "dns", clients, servers, made_ports(IPPROTO_UDP, 53, 53));
	add(&p->rules, "gre", clients, servers, made_ports(IPPROTO_GRE, 0, 65535));
	add(&p->rules, "call", servers, clients, made_ports(IPPROTO_TCP, 9000, 9000));
	add(&p->failsafe, "ssh", ops, servers, made_ports(IPPROTO_TCP, 22, 22));
	tables = made_tables(p, &options);
	made_free(p);
	return tables;
}

static struct end end_of(const char *address, uint16_t port, int *ret_family)
{
	struct end end = { .port = htobe16(port) };
	struct addr addr;

	assert_int_equal(addr_parse(address, &addr), 0);
	addr_to_bytes(&addr, end.address);
	*ret_family = addr.family;
	return end;
}

static void the_end_that_policy_allows(void **state)
{
	struct tables *tables = make_tables();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		int family;
		struct end first = end_of(r->first, r->first_port, &family);
		struct end second = end_of(r->second, r->second_port, &family);

		print_message("# %s\n", r->what);
		assert_int_equal(tables_opener(tables->bytes, &tables->layout, family, r->protocol, &first, &second),
				 r->want);
	}
	tables_free(tables);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_end_that_policy_allows) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
