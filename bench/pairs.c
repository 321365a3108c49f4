// SPDX-License-Identifier: GPL-2.0-only
#include "bench/pairs.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <sys/socket.h>

#include <linux/types.h>

#include "base/util.h"
#include "bench/published.h"

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "error: bench: %s failed\n", what);
	exit(1);
}

int pairs_host(int family, uint32_t i, uint8_t ret_address[16])
{
	uint32_t word[4];

	if (family == 4)
		word[0] = plan_address4(PLAN_DENSE, i);
	else
		plan_address6(PLAN_DENSE, i, word);
	for (int at = 0; at < (family == 4 ? 1 : 4); at++)
		word[at] = htonl(word[at]);
	memcpy(ret_address, word, family == 4 ? 4 : 16);
	return family == 4 ? 4 : 16;
}

#define END_TEXT (INET6_ADDRSTRLEN + 4)

/* Hosts are of one /8 (/104): networks are what its next five bits tell apart. */
#define NETWORK_BITS 5
#define NETWORK_LEN 13 /* 109 */

static void end_text(const struct pairs *p, uint32_t host, char ret_text[END_TEXT])
{
	const uint8_t base[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	uint8_t address[16];

	pairs_host(p->family, host, address);
	if (p->networks) {
		memcpy(address, p->family == 4 ? (uint8_t[]){ 10, 0, 0, 0 } : base, p->family == 4 ? 4 : 16);
		address[p->family == 4 ? 1 : 13] = host << (8 - NETWORK_BITS);
	}
	inet_ntop(p->family == 4 ? AF_INET : AF_INET6, address, ret_text, INET6_ADDRSTRLEN);
	if (p->networks)
		sprintf(ret_text + strlen(ret_text), "/%d", NETWORK_LEN + (p->family == 4 ? 0 : 96));
}

static void pair_text(const struct pairs *p, uint32_t i, char ret_from[END_TEXT], char ret_to[END_TEXT])
{
	const uint32_t networks = 1u << NETWORK_BITS;

	end_text(p, p->networks ? i % networks : plan_source(i, PAIRS_HOSTS - 1), ret_from);
	end_text(p, p->networks ? i / networks % networks : plan_destination(i, PAIRS_HOSTS - 1), ret_to);
}

/* --- zonewall ---------------------------------------------------------------------------------------------------- */

static void write_policy(const struct pairs *p, const char *interface, FILE *f)
{
	char from[END_TEXT], to[END_TEXT];

	fprintf(f, "version: 1\n"
		   "defaults: {action: drop, log: none, flows: 262144}\n"
		   "interfaces: [{match: [%s], xdp: native}]\n"
		   "rules:\n", interface);
	for (uint32_t i = 0; i < p->count; i++) {
		pair_text(p, i, from, to);
		fprintf(f, "  - {id: pair-%u, from: '%s', to: '%s', service: tcp/%d, action: allow}\n", i, from, to, OPEN_PORT);
	}
}

void pairs_apply(const struct pairs *p, const char *instance, const char *interface)
{
	const char *zonewall = getenv("ZONEWALL");
	char path[] = "/tmp/zw-bench-XXXXXX", command[256];
	int fd = mkstemp(path);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f)
		fail("a temporary file");
	unlink(path); /* so that none is left, however this ends; the command opens it by its descriptor */
	write_policy(p, interface, f);
	if (fflush(f))
		fail("writing the policy");
	/* Its messages are told only if it fails: that `run` is not there is meant. */
	snprintf(command, sizeof(command),
		 "out=$('%s' apply --instance '%s' /dev/fd/%d 2>&1) || { echo \"$out\" >&2; exit 1; }",
		 zonewall ? zonewall : "build/zonewall", instance, fd);
	if (system(command))
		fail("zonewall apply");
	fclose(f);
}

/* --- nftables ---------------------------------------------------------------------------------------------------- */

const char *const pairs_form_names[PAIRS_FORMS] = { "nftables map", "nftables interval map", "nftables conntrack",
						    "nftables rules" };

#define INTERVALS "flags interval\n"

static const struct form {
	const char *table, *hook; /* of nft */
	const char *state; /* the rule before the map */
	const char *flags; /* of the map; NULL: there is none */
} forms[PAIRS_FORMS] = {
	[PAIRS_MAP] = { "netdev zw_bench_map", "ingress device %s priority 0", "", "" },
	[PAIRS_RANGES] = { "netdev zw_bench_ranges", "ingress device %s priority 0", "", INTERVALS },
	[PAIRS_CONNTRACK] = { "inet zw_bench_conntrack", "prerouting priority -150",
			      "ct state vmap { established : accept, related : accept }\n", "" },
	[PAIRS_LINEAR] = { "netdev zw_bench_linear", "ingress device %s priority 0", "", NULL },
};

static FILE *nft_open(void)
{
	FILE *f = popen("nft -f -", "w");

	if (!f)
		fail("nft");
	return f;
}

static void nft_close(FILE *f)
{
	if (pclose(f))
		fail("nft");
}

static void nft(const char *format, ...)
{
	FILE *f = nft_open();
	va_list arguments;

	va_start(arguments, format);
	vfprintf(f, format, arguments);
	va_end(arguments);
	nft_close(f);
}

static void write_map(const struct pairs *p, const char *flags, FILE *f)
{
	const char *type = p->family == 4 ? "ipv4_addr" : "ipv6_addr";
	char from[END_TEXT], to[END_TEXT];

	fprintf(f, "map allowed {\n type %s . %s . inet_service : verdict\n %selements = {\n", type, type, flags);
	for (uint32_t i = 0; i < p->count; i++) {
		pair_text(p, i, from, to);
		fprintf(f, "%s . %s . %d : accept,\n", from, to, OPEN_PORT);
	}
	fprintf(f, "}\n}\n");
}

static void write_rules(const struct pairs *p, FILE *f)
{
	const char *ip = p->family == 4 ? "ip" : "ip6";
	char from[END_TEXT], to[END_TEXT];

	for (uint32_t i = 0; i < p->count; i++) {
		pair_text(p, i, from, to);
		fprintf(f, "%s saddr %s %s daddr %s tcp dport %d accept\n", ip, from, ip, to, OPEN_PORT);
	}
}

void pairs_load(const struct pairs *p, enum pairs_form number, const char *interface)
{
	const struct form *form = &forms[number];
	const char *ip = p->family == 4 ? "ip" : "ip6";
	FILE *f = nft_open();

	fprintf(f, "table %s {\nflags dormant\n", form->table);
	if (form->flags)
		write_map(p, p->networks ? INTERVALS : form->flags, f);
	fprintf(f, "chain c {\ntype filter hook ");
	fprintf(f, form->hook, interface);
	fprintf(f, "\n%s", form->state);
	if (form->flags)
		fprintf(f, "%s saddr . %s daddr . tcp dport vmap @allowed\n", ip, ip);
	else
		write_rules(p, f);
	fprintf(f, "counter drop\n}\n}\n");
	nft_close(f);
}

void pairs_wake(enum pairs_form form, bool awake)
{
	nft("table %s { %s }\n", forms[form].table, awake ? "" : "flags dormant\n");
}

uint64_t pairs_dropped(enum pairs_form form)
{
	static const char counter[] = "counter packets ";
	char command[128], *line = NULL, *at;
	unsigned long long found = 0;
	size_t room = 0;
	FILE *f;

	snprintf(command, sizeof(command), "nft list chain %s c", forms[form].table);
	f = popen(command, "r");
	if (!f)
		fail(command);
	while (getline(&line, &room, f) > 0) {
		at = strstr(line, counter);
		if (at)
			found = strtoull(at + sizeof(counter) - 1, NULL, 10);
	}
	free(line);
	if (pclose(f))
		fail(command);
	return found;
}

void pairs_unload(enum pairs_form form)
{
	nft("delete table %s\n", forms[form].table);
}
