// SPDX-License-Identifier: GPL-2.0-only
#include "bench/peer.h"

#include <arpa/inet.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/util.h"
#include "bench/pipeline.h"
#include "zonewall.h"

#include "bench/pipeline.skel.h" /* knows no types but these */

struct peer {
	struct pipeline_bpf *skel;
	struct scale scale;
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "error: bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static bool has_hosts_only(const struct scale *scale)
{
	return scale->shape != PLAN_ROUTING;
}

/* Prefixes as the maps want them: a call for each would take longer than the tries. */
struct prefixes {
	const struct scale *scale;
	struct trie_key4 *key4;
	struct trie_key6 *key6;
	__u32 *hosts; /* a word or four each: the keys of hashes */
	__u32 *zones;
	__u32 count;
};

static void add_prefix(void *context, unsigned zone, u128 address, unsigned length)
{
	struct prefixes *p = context;
	struct addr addr = { .family = p->scale->family, .value = address };
	const __u32 i = p->count++, words = addr.family == 6 ? 4 : 1;
	__u32 *host = p->hosts + (size_t)i * words;

	addr_to_bytes(&addr, host);
	p->zones[i] = zone;
	if (words == 1) {
		p->key4[i] = (struct trie_key4){ .length = length, .address = *host };
		return;
	}
	p->key6[i].length = length;
	memcpy(p->key6[i].address, host, 16);
}

static void put_all(struct bpf_map *map, const void *keys, const void *values, __u32 count)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options);

	if (bpf_map_update_batch(bpf_map__fd(map), keys, values, &count, &options))
		fail(bpf_map__name(map));
}

/* A key that is missing would make a look-up cheap. Whole addresses are asked for, as the programs do it. */
static void check_found(struct bpf_map *map, const void *key)
{
	__u32 zone;

	if (bpf_map_lookup_elem(bpf_map__fd(map), key, &zone))
		fail(bpf_map__name(map));
}

static void check_prefixes(const struct peer *peer, struct prefixes *p)
{
	const bool v6 = peer->scale.family == 6;

	for (__u32 i = 0; i < p->count; i += 997) {
		p->key4[i].length = 32;
		p->key6[i].length = 128;
		check_found(v6 ? peer->skel->maps.tries6 : peer->skel->maps.tries4,
			    v6 ? (void *)&p->key6[i] : &p->key4[i]);
		if (has_hosts_only(&peer->scale))
			check_found(v6 ? peer->skel->maps.zones6 : peer->skel->maps.zones4,
				    v6 ? p->key6[i].address : &p->key4[i].address);
	}
}

static void add_prefixes(struct peer *peer)
{
	const size_t room = peer->scale.prefixes;
	struct prefixes p = { .scale = &peer->scale,
			      .key4 = calloc(room, sizeof(*p.key4)),
			      .key6 = calloc(room, sizeof(*p.key6)),
			      .hosts = calloc(room, 16),
			      .zones = calloc(room, sizeof(*p.zones)) };
	const bool v6 = peer->scale.family == 6;

	if (!p.key4 || !p.key6 || !p.hosts || !p.zones)
		fail("prefixes");
	scale_prefixes(&peer->scale, add_prefix, &p);
	put_all(v6 ? peer->skel->maps.tries6 : peer->skel->maps.tries4, v6 ? (void *)p.key6 : p.key4, p.zones,
		p.count);
	if (has_hosts_only(&peer->scale))
		put_all(v6 ? peer->skel->maps.zones6 : peer->skel->maps.zones4, p.hosts, p.zones, p.count);
	check_prefixes(peer, &p);
	free(p.key4);
	free(p.key6);
	free(p.hosts);
	free(p.zones);
}

static bool is_of_zones(const struct policy *policy, const struct rule *rule)
{
	return policy->zones[rule->from.zone[0]].kind == ZONE_DECLARED &&
	       policy->zones[rule->to.zone[0]].kind == ZONE_DECLARED;
}

static void add_rules(struct peer *peer)
{
	struct policy *policy = scale_policy(&peer->scale);

	for (size_t i = 0; i < policy->rules.count; i++) {
		const struct rule *rule = &policy->rules.v[i];
		const struct selector *service = &rule->service.v[0];
		struct rule_key key = { .from = rule->from.zone[0],
					.to = rule->to.zone[0],
					.port = htons(service->first),
					.protocol = service->protocol };
		struct rule_value value = { .rule = i + 1, .allow = rule->action == ACTION_ALLOW };

		if (is_of_zones(policy, rule))
			put_all(peer->skel->maps.rules, &key, &value, 1);
	}
	policy_free(policy);
}

struct peer *peer_new(const struct scale *scale, uint32_t flows, uint16_t open_port)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	const bool v6 = scale->family == 6;
	struct pipeline_bpf *skel;

	if (!peer)
		fail("peer");
	peer->scale = *scale;
	skel = peer->skel = pipeline_bpf__open();
	if (!skel)
		fail("cannot open the peer");
	skel->rodata->open_port = open_port;
	bpf_map__set_max_entries(v6 ? skel->maps.hash_flows6 : skel->maps.hash_flows4, flows);
	bpf_map__set_max_entries(v6 ? skel->maps.tries6 : skel->maps.tries4, scale->prefixes);
	if (has_hosts_only(scale))
		bpf_map__set_max_entries(v6 ? skel->maps.zones6 : skel->maps.zones4, scale->prefixes);
	bpf_map__set_max_entries(skel->maps.rules, scale->rules + 1);
	if (pipeline_bpf__load(skel))
		fail("cannot load the peer");
	add_prefixes(peer);
	add_rules(peer);
	return peer;
}

void peer_free(struct peer *peer)
{
	if (!peer)
		return;
	pipeline_bpf__destroy(peer->skel);
	free(peer);
}

int peer_on_hashes(const struct peer *peer)
{
	if (!has_hosts_only(&peer->scale))
		return -1;
	return bpf_program__fd(peer->scale.family == 6 ? peer->skel->progs.hash6 : peer->skel->progs.hash4);
}

int peer_on_tries(const struct peer *peer)
{
	return bpf_program__fd(peer->scale.family == 6 ? peer->skel->progs.trie6 : peer->skel->progs.trie4);
}

uint64_t peer_allowed(const struct peer *peer)
{
	return peer->skel->bss->allowed;
}
