/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * never and always while the host's addresses are not known: an answer is given only where no address of the host could
 * make it another one. The stranger is in no zone, so it is of the world, and may be the host's.
 */
#include <stdio.h>
#include <stdlib.h>

#include "scene.h"
#include "simulate/prove.h"
#include "test.h"

#define STRANGER "10.9.0.1"
#define NEVER "never: [{id: p, from: " STRANGER ", to: db, service: "
#define ALWAYS "always: [{id: p, from: " STRANGER ", to: db, service: "
#define BACK "never: [{id: p, from: db, to: " STRANGER ", service: "

static const struct {
	const char *what, *failsafe, *rules, *proof, *service;
	enum outcome_result want;
} rows[] = {
	{ "an allow rule of the host's may break never", "",
	  "{id: a, from: host, to: db, service: tcp/80, action: allow}", NEVER, "tcp", OUTCOME_HOST },
	{ "but not for another service", "", "{id: a, from: host, to: db, service: tcp/80, action: allow}",
	  NEVER, "udp", OUTCOME_HOLDS },
	{ "nor the other way", "", "{id: a, from: host, to: db, service: tcp/80, action: allow}", BACK, "tcp",
	  OUTCOME_HOLDS },
	{ "nor from another zone", "", "{id: a, from: old, to: host, service: tcp/80, action: allow}", NEVER,
	  "tcp", OUTCOME_HOLDS },
	{ "nor if it is staged", "",
	  "{id: a, from: host, to: db, service: tcp/80, action: allow, mode: stage}", NEVER, "tcp",
	  OUTCOME_HOLDS },
	{ "nor does a drop rule of the host's", "",
	  "{id: a, from: host, to: db, service: tcp/80, action: drop}", NEVER, "tcp", OUTCOME_HOLDS },
	{ "a drop rule of the host's may break always", "",
	  "{id: a, from: host, to: db, service: tcp/80, action: drop}, {id: b, from: any, to: db, service: "
	  "any, action: allow}",
	  ALWAYS, "tcp/80", OUTCOME_HOST },
	{ "an allow rule of the host's does not", "",
	  "{id: a, from: host, to: db, service: tcp/80, action: allow}, {id: b, from: any, to: db, service: "
	  "any, action: allow}",
	  ALWAYS, "tcp/80", OUTCOME_HOLDS },
	{ "a drop rule of the world's leaves out the host, and may break never", "",
	  "{id: a, from: world, to: db, service: any, action: drop}, {id: b, from: any, to: db, service: "
	  "tcp/80, action: allow}",
	  NEVER, "tcp", OUTCOME_HOST },
	{ "another zone's is no matter", "",
	  "{id: a, from: world, to: old, service: any, action: drop}, {id: b, from: any, to: db, service: "
	  "tcp/80, action: allow}",
	  ALWAYS, "tcp/80", OUTCOME_HOLDS },
	{ "an allow rule of the world's may break always", "",
	  "{id: a, from: world, to: db, service: tcp/80, action: allow}", ALWAYS, "tcp/80", OUTCOME_HOST },
	{ "and its packet is no counterexample if it may be the host's", "",
	  "{id: a, from: world, to: db, service: tcp/80, action: allow}", NEVER, "tcp", OUTCOME_HOST },
	{ "one of anybody's is", "", "{id: a, from: any, to: db, service: tcp/80, action: allow}", NEVER,
	  "tcp", OUTCOME_COUNTEREXAMPLE },
	{ "a pass rule of the host's goes on to what may allow", "",
	  "{id: a, tier: one, from: host, to: any, service: any, action: pass}, "
	  "{id: b, tier: one, from: any, to: any, service: any, action: drop}, "
	  "{id: c, tier: two, from: any, to: any, service: any, action: allow}",
	  NEVER, "tcp", OUTCOME_HOST },
	{ "or to what may drop", "",
	  "{id: a, tier: one, from: host, to: any, service: any, action: pass}, "
	  "{id: b, tier: one, from: any, to: any, service: any, action: allow}",
	  ALWAYS, "tcp", OUTCOME_HOST },
	{ "and so does one of the world's, which leaves out the host", "",
	  "{id: a, tier: one, from: world, to: any, service: any, action: pass}, "
	  "{id: b, tier: one, from: any, to: any, service: any, action: drop}, "
	  "{id: c, tier: two, from: any, to: any, service: any, action: allow}",
	  ALWAYS, "tcp", OUTCOME_HOST },
	{ "failsafe for the host may break never", "{id: f, from: host, to: db, service: tcp/22}", "", NEVER,
	  "tcp", OUTCOME_HOST },
	{ "with its ends exchanged not for TCP", "{id: f, from: host, to: db, service: tcp/22}", "", BACK,
	  "tcp", OUTCOME_HOLDS },
	{ "for UDP by its source port, so for every port", "{id: f, from: host, to: db, service: udp/53}", "",
	  BACK, "udp/9999", OUTCOME_HOST },
	{ "but for no other protocol", "{id: f, from: host, to: db, service: udp/53}", "", BACK, "sctp/53",
	  OUTCOME_HOLDS },
	{ "for ICMP by its type", "{id: f, from: host, to: db, service: icmp/8}", "", BACK, "icmp/8",
	  OUTCOME_HOST },
	{ "and for no other type", "{id: f, from: host, to: db, service: icmp/8}", "", BACK, "icmp/0",
	  OUTCOME_HOLDS },
	{ "for every service of protocols without ports", "{id: f, from: host, to: db, service: any}", "",
	  BACK, "proto/47", OUTCOME_HOST },
	{ "a rule's ends are not exchanged", "",
	  "{id: a, from: host, to: db, service: udp/53, action: allow}", BACK, "udp", OUTCOME_HOLDS },
};

static char *write_policy(size_t row)
{
	char *text;

	if (asprintf(&text,
		     "version: 1\ndefaults: {action: drop}\ntiers: [one, two]\nzones:\n  db: [10.2.0.0/24]\n "
		     " old: [10.3.0.0/24]\n"
		     "failsafe: [%s]\nrules: [%s]\n%s%s}]\n",
		     rows[row].failsafe, rows[row].rules, rows[row].proof, rows[row].service) < 0)
		abort();
	return text;
}

int main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *policy = write_policy(i);
		struct outcomes outcomes = { 0 };
		struct scene scene;
		bool good = !scene_open(policy, &(struct scene_options){ 0 }, &scene);

		if (good) {
			good = !prove(scene.policy, scene.tables, 0, &outcomes) && outcomes.count == 1 &&
			       outcomes.v[0].result == rows[i].want;
			if (!good)
				note("result %d", outcomes.count ? (int)outcomes.v[0].result : -1);
			outcomes_clear(&outcomes);
			scene_close(&scene);
		}
		ok(good, "%s", rows[i].what);
		free(policy);
	}
	return done();
}
