// SPDX-License-Identifier: GPL-2.0-only
/* What becomes of an open connection under another generation. Beside it: unit/generations.c, by the programs' own code. */
#include <netinet/in.h>

#include "compile_help.h"
#include "simulate/fate.h"

struct row {
	const char *what;
	uint8_t protocol;
	const char *source;
	uint16_t sport;
	const char *destination;
	uint16_t dport, port;
	bool passes;
	enum zw_reason reason;
	uint32_t rule;
	uint32_t cell; /* of its flow */
};

#define ECHO_REQUEST (8 << 8)
#define ECHO_REQUEST6 (128 << 8)
enum { WEB = 1, NO_BACK, PINGS, PRIVATE, MODERN, SSH, ECHO, HALF, RESCUE }; /* as they are numbered */

/*
 * clients may reach servers on tcp/443, by TLS on tcp/8443 and by TLS 1.2 on tcp/9443 and ping them in IPv6, servers may not reach clients on tcp/9000; failsafe: ops may
 * reach servers on tcp/22, and between them any ICMP passes, either way; from clients to servers only echo requests.
 */
static const struct row rows[] = {
	{ "policy allows it", IPPROTO_TCP, "10.1.0.1", 40000, "10.2.0.1", 443, 443, true, ZW_ALLOW_RULE, WEB, 0 },
	{ "a rule drops it", IPPROTO_TCP, "10.2.0.1", 40000, "10.1.0.1", 9000, 9000, false, ZW_DROP_RULE, NO_BACK, 0 },
	{ "nothing allows it", IPPROTO_TCP, "10.1.0.1", 40000, "10.2.0.1", 444, 444, false, ZW_DROP_DEFAULT, 0, 0 },
	{ "the other side may not open it", IPPROTO_TCP, "10.2.0.1", 443, "10.1.0.1", 40000, 40000, false, ZW_DROP_DEFAULT, 0, 0 },
	{ "failsafe allows it", IPPROTO_TCP, "10.3.0.1", 40000, "10.2.0.1", 22, 22, true, ZW_ALLOW_FAILSAFE, SSH, 0 },
	{ "failsafe allows its answers", IPPROTO_TCP, "10.2.0.1", 22, "10.3.0.1", 40000, 40000, true, ZW_ALLOW_FAILSAFE, SSH, 0 },
	{ "failsafe allows another protocol", IPPROTO_UDP, "10.3.0.1", 40000, "10.2.0.1", 22, 22, false, ZW_DROP_DEFAULT, 0, 0 },
	{ "failsafe allows a ping and its answer", IPPROTO_ICMP, "10.3.0.1", 7, "10.2.0.1", 7, ECHO_REQUEST, true,
	  ZW_ALLOW_FAILSAFE, ECHO, 0 },
	{ "failsafe allows a ping, and not its answer", IPPROTO_ICMP, "10.1.0.1", 7, "10.2.0.1", 7, ECHO_REQUEST, false,
	  ZW_DROP_DEFAULT, 0, 0 },
	{ "policy allows a ping", IPPROTO_ICMPV6, "fd00:1::1", 7, "fd00:2::1", 7, ECHO_REQUEST6, true, ZW_ALLOW_RULE, PINGS, 0 },
	{ "IPv6", IPPROTO_TCP, "fd00:1::1", 40000, "fd00:2::1", 443, 443, true, ZW_ALLOW_RULE, WEB, 0 },
	{ "IPv6, and nothing allows it", IPPROTO_TCP, "fd00:2::1", 40000, "fd00:1::1", 443, 443, false, ZW_DROP_DEFAULT, 0, 0 },
	{ "it began with TLS", IPPROTO_TCP, "10.1.0.1", 40000, "10.2.0.1", 8443, 8443, true, ZW_ALLOW_RULE, PRIVATE, ZW_TLS_CHECKED },
	{ "it has not begun", IPPROTO_TCP, "10.1.0.1", 40000, "10.2.0.1", 8443, 8443, true, ZW_ALLOW_RULE, PRIVATE, ZW_TLS_WAITING },
	{ "nobody knows how it began", IPPROTO_TCP, "10.1.0.1", 40000, "10.2.0.1", 8443, 8443, false, ZW_DROP_REVOKED, PRIVATE, 0 },
	{ "it began with an old TLS", IPPROTO_TCP, "10.1.0.1", 40000, "10.2.0.1", 9443, 9443, false, ZW_DROP_REVOKED, MODERN,
	  ZW_TLS_CHECKED },
	{ "it began with TLS 1.2", IPPROTO_TCP, "10.1.0.1", 40000, "10.2.0.1", 9443, 9443, true, ZW_ALLOW_RULE, MODERN,
	  ZW_TLS_CHECKED_1_2 },
	{ "nobody knows, and failsafe allows it", IPPROTO_TCP, "10.1.0.1", 40000, "10.2.0.9", 8443, 8443, true, ZW_ALLOW_FAILSAFE,
	  RESCUE, 0 },
};

static struct tables *make_tables(void)
{
	const struct compile_options options = { 0 };
	struct policy *p = made_new();
	unsigned clients = made_zone(p, "clients", ZONE_DECLARED), servers = made_zone(p, "servers", ZONE_DECLARED);
	unsigned ops = made_zone(p, "ops", ZONE_DECLARED), spare = made_zone(p, "spare", ZONE_DECLARED);
	struct tables *tables;
	struct rule *modern;

	made_range(p, clients, "10.1.0.0", "10.1.0.255");
	made_range(p, clients, "fd00:1::", "fd00:1::ffff");
	made_range(p, servers, "10.2.0.0", "10.2.0.255");
	made_range(p, servers, "fd00:2::", "fd00:2::ffff");
	made_range(p, ops, "10.3.0.0", "10.3.0.255");
	made_range(p, spare, "10.2.0.9", "10.2.0.9");
	made_rule(&p->rules, "web", clients, servers, made_ports(IPPROTO_TCP, 443, 443), ACTION_ALLOW);
	made_rule(&p->rules, "no-back", servers, clients, made_ports(IPPROTO_TCP, 9000, 9000), ACTION_DROP);
	made_rule(&p->rules, "pings", clients, servers, made_ports(IPPROTO_ICMPV6, ECHO_REQUEST6, ECHO_REQUEST6), ACTION_ALLOW);
	made_rule(&p->rules, "private", clients, servers, made_ports(IPPROTO_TCP, 8443, 8443), ACTION_ALLOW)->tls_require = true;
	modern = made_rule(&p->rules, "modern", clients, servers, made_ports(IPPROTO_TCP, 9443, 9443), ACTION_ALLOW);
	modern->tls_require = modern->tls_min_1_2 = true;
	made_rule(&p->failsafe, "ssh", ops, servers, made_ports(IPPROTO_TCP, 22, 22), ACTION_ALLOW);
	made_rule(&p->failsafe, "echo", ops, servers, made_ports(IPPROTO_ICMP, 0, 65535), ACTION_ALLOW);
	made_rule(&p->failsafe, "half", clients, servers, made_ports(IPPROTO_ICMP, ECHO_REQUEST, ECHO_REQUEST), ACTION_ALLOW);
	made_rule(&p->failsafe, "rescue", clients, spare, made_ports(IPPROTO_TCP, 8443, 8443), ACTION_ALLOW);
	tables = made_tables(p, &options);
	made_free(p);
	return tables;
}

static int read_end(const char *text, uint32_t *ret_address)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	addr_to_bytes(&addr, ret_address);
	return addr.family;
}

static void each_connection_by_its_first_packet(void **state)
{
	struct tables *tables = make_tables();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct connection c = { .protocol = r->protocol, .sport = htobe16(r->sport), .dport = htobe16(r->dport),
					.port = r->port, .cell = r->cell };
		struct fate fate;

		print_message("# %s\n", r->what);
		c.family = read_end(r->source, c.source);
		assert_int_equal(read_end(r->destination, c.destination), c.family);
		fate = fate_of(tables->bytes, &tables->layout, &c, 0);
		assert_int_equal(fate.passes, r->passes);
		assert_int_equal(fate.reason, r->reason);
		assert_int_equal(fate.rule, r->rule);
	}
	tables_free(tables);
}

/* --- What staged rules would make of it --------------------------------------------------------------------------------- */

enum { TRY_HTTP = 1, TRY_TLS, NO_WEB, NO_SSH, HTTPS }; /* as they are numbered */

static const struct staged_row {
	const char *what;
	const char *source;
	uint16_t port;
	bool passes;
	uint32_t staged; /* that would make the other verdict */
	uint32_t cell; /* of its flow */
} staged_rows[] = {
	{ "a staged rule would allow it", "10.1.0.1", 80, false, TRY_HTTP | ZW_CELL_ALLOW, 0 },
	{ "a staged rule would drop it", "10.1.0.1", 443, true, NO_WEB, 0 },
	{ "it passes by failsafe, whatever a staged rule would", "10.1.0.1", 22, true, 0, 0 },
	{ "a staged rule would drop it, too", "10.1.0.1", 9000, false, 0, 0 },
	{ "no staged rule matches", "10.3.0.1", 443, true, 0, 0 },
	{ "a staged rule would ask for TLS, and it began with it", "10.1.0.1", 8443, true, 0, ZW_TLS_CHECKED },
	{ "a staged rule would ask for TLS, and nobody knows", "10.1.0.1", 8443, true, TRY_TLS, 0 },
};

/* clients and ops may reach servers on tcp/443 to 8443. Staged: clients on tcp/80, too, and by TLS on 8443, but on nothing else. */
static struct tables *make_staged(void)
{
	const struct compile_options options = { 0 };
	struct policy *p = made_new();
	unsigned clients = made_zone(p, "clients", ZONE_DECLARED), servers = made_zone(p, "servers", ZONE_DECLARED);
	struct tables *tables;
	struct rule *tls;

	made_range(p, clients, "10.1.0.0", "10.1.0.255");
	made_range(p, servers, "10.2.0.0", "10.2.0.255");
	made_rule(&p->rules, "try-http", clients, servers, made_ports(IPPROTO_TCP, 80, 80), ACTION_ALLOW)->mode = MODE_STAGE;
	tls = made_rule(&p->rules, "try-tls", clients, servers, made_ports(IPPROTO_TCP, 8443, 8443), ACTION_ALLOW);
	tls->mode = MODE_STAGE;
	tls->tls_require = true;
	made_rule(&p->rules, "no-web", clients, servers, made_ports(IPPROTO_TCP, 0, 65535), ACTION_DROP)->mode = MODE_STAGE;
	made_rule(&p->rules, "no-ssh", clients, servers, made_ports(IPPROTO_TCP, 22, 22), ACTION_DROP);
	made_rule(&p->rules, "https", ZONE_INDEX_ANY, servers, made_ports(IPPROTO_TCP, 443, 8443), ACTION_ALLOW);
	made_rule(&p->failsafe, "ssh", clients, servers, made_ports(IPPROTO_TCP, 22, 22), ACTION_ALLOW);
	tables = made_tables(p, &options);
	made_free(p);
	return tables;
}

static void what_a_staged_rule_would_change(void **state)
{
	struct tables *tables = make_staged();

	(void)state;
	for (size_t i = 0; i < sizeof(staged_rows) / sizeof(staged_rows[0]); i++) {
		const struct staged_row *r = &staged_rows[i];
		struct connection c = { .family = 4, .protocol = IPPROTO_TCP, .sport = htobe16(40000), .dport = htobe16(r->port),
					.port = r->port, .cell = r->cell };
		struct fate fate;

		print_message("# %s\n", r->what);
		read_end(r->source, c.source);
		read_end("10.2.0.1", c.destination);
		fate = fate_of(tables->bytes, &tables->layout, &c, 0);
		assert_int_equal(fate.passes, r->passes);
		assert_int_equal(fate.staged, r->staged);
	}
	tables_free(tables);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_connection_by_its_first_packet),
		cmocka_unit_test(what_a_staged_rule_would_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
