// SPDX-License-Identifier: GPL-2.0-only
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "compile/names.h"
#include "compile/sets.h"

/*
 * The block: a header, then in this order and without gaps
 *
 *   rule records, zone names (u32 each), starts of the atoms' zone lists (u32, one more than atoms), the lists (u32
 *   indices of zones), interface records, text
 *
 * so that its length follows from the counts alone. Strings are offsets into text, which ends with a zero byte. Zones
 * are the declared ones in order of definition, then host and world.
 */
struct header {
	char magic[8];
	uint32_t version;
	uint32_t rules, zones, atoms, listed, interfaces;
	uint32_t text; /* bytes */
	uint32_t pad;
};
#define MAGIC "zwnames"
#define VERSION 2

struct rule_record {
	uint32_t id, place, service, owner;
	uint8_t is_failsafe, action, staged, pad;
};

struct interface_record {
	uint32_t pattern, source; /* source: a zone's name, "" without `source:` */
	uint32_t source_set;
	uint8_t xdp, has_xdp, pad[2];
};

/* Where the parts of a block begin. */
struct parts {
	const struct header *header;
	const struct rule_record *rules;
	const uint32_t *zones, *starts, *listed;
	const struct interface_record *interfaces;
	const char *text;
};

struct names {
	void *block;
	size_t len;
	struct parts parts;
	struct rule_name *rules;
	const char **zones;
	const char **listed;
	struct interface_name *interfaces;
	uint32_t *slot; /* open hash of rule numbers by id; 0 is empty */
	size_t slots;
};

/* The length of a block with these counts; all of them are 32 bits, so nothing wraps. */
static uint64_t block_length(const struct header *h)
{
	return sizeof(*h) + (uint64_t)h->rules * sizeof(struct rule_record) + (uint64_t)h->zones * 4 +
	       ((uint64_t)h->atoms + 1) * 4 + (uint64_t)h->listed * 4 +
	       (uint64_t)h->interfaces * sizeof(struct interface_record) + h->text;
}

static void find_parts(const void *block, struct parts *parts)
{
	const struct header *h = block;

	parts->header = h;
	parts->rules = (const void *)(h + 1);
	parts->zones = (const void *)(parts->rules + h->rules);
	parts->starts = parts->zones + h->zones;
	parts->listed = parts->starts + h->atoms + 1;
	parts->interfaces = (const void *)(parts->listed + h->listed);
	parts->text = (const void *)(parts->interfaces + h->interfaces);
}

/* Is every number in the block one that may be followed? */
static bool is_sound(const struct parts *p)
{
	const struct header *h = p->header;

	if (!h->text || p->text[h->text - 1])
		return false;
	for (uint32_t i = 0; i < h->rules; i++)
		if (p->rules[i].id >= h->text || p->rules[i].place >= h->text ||
		    p->rules[i].service >= h->text || p->rules[i].owner >= h->text)
			return false;
	for (uint32_t i = 0; i < h->zones; i++)
		if (p->zones[i] >= h->text)
			return false;
	for (uint32_t i = 0; i < h->atoms; i++)
		if (p->starts[i] > p->starts[i + 1])
			return false;
	if (p->starts[0] || p->starts[h->atoms] != h->listed)
		return false;
	for (uint32_t i = 0; i < h->listed; i++)
		if (p->listed[i] >= h->zones)
			return false;
	for (uint32_t i = 0; i < h->interfaces; i++)
		if (p->interfaces[i].pattern >= h->text || p->interfaces[i].source >= h->text)
			return false;
	return true;
}

static size_t slot_of(const struct names *names, const char *id)
{
	uint64_t hash = 0;

	for (const char *c = id; *c; c++)
		hash = sets_spread(hash ^ (unsigned char)*c);
	return hash & (names->slots - 1);
}

static int index_ids(struct names *names)
{
	uint32_t rules = names->parts.header->rules;

	for (names->slots = 16; names->slots < 2 * (size_t)rules; names->slots *= 2)
		;
	names->slot = calloc(names->slots, sizeof(*names->slot));
	if (!names->slot)
		return -ENOMEM;
	for (uint32_t i = 0; i < rules; i++) {
		size_t at = slot_of(names, names->rules[i].id);

		/* Ids are unique in a policy; of a block that says otherwise the first counts. */
		while (names->slot[at] && strcmp(names->rules[names->slot[at] - 1].id, names->rules[i].id))
			at = (at + 1) & (names->slots - 1);
		if (!names->slot[at])
			names->slot[at] = i + 1;
	}
	return 0;
}

/* What the accessors hand out: pointers into the block. */
static int open_block(struct names *names)
{
	const struct parts *p = &names->parts;
	const struct header *h = p->header;

	names->rules = calloc(h->rules + (size_t)1, sizeof(*names->rules));
	names->zones = calloc(h->zones + (size_t)1, sizeof(*names->zones));
	names->listed = calloc(h->listed + (size_t)1, sizeof(*names->listed));
	names->interfaces = calloc(h->interfaces + (size_t)1, sizeof(*names->interfaces));
	if (!names->rules || !names->zones || !names->listed || !names->interfaces)
		return -ENOMEM;
	for (uint32_t i = 0; i < h->rules; i++) {
		const struct rule_record *r = &p->rules[i];

		names->rules[i] = (struct rule_name){
			.id = p->text + r->id,
			.place = p->text + r->place,
			.service = p->text + r->service,
			.owner = p->text + r->owner,
			.is_failsafe = r->is_failsafe,
			.action = r->action,
			.staged = r->staged,
		};
	}
	for (uint32_t i = 0; i < h->zones; i++)
		names->zones[i] = p->text + p->zones[i];
	for (uint32_t i = 0; i < h->listed; i++)
		names->listed[i] = names->zones[p->listed[i]];
	for (uint32_t i = 0; i < h->interfaces; i++) {
		const struct interface_record *r = &p->interfaces[i];

		names->interfaces[i] = (struct interface_name){
			.pattern = p->text + r->pattern,
			.source = p->text + r->source,
			.source_set = r->source_set,
			.xdp = r->xdp,
			.has_xdp = r->has_xdp,
		};
	}
	return index_ids(names);
}

/* Takes the block, also on failure. */
static int names_own(void *block, size_t len, struct names **ret_names)
{
	struct names *names = calloc(1, sizeof(*names));
	int err;

	if (!names) {
		free(block);
		return -ENOMEM;
	}
	names->block = block;
	names->len = len;
	find_parts(block, &names->parts);
	err = is_sound(&names->parts) ? open_block(names) : -EINVAL;
	if (err) {
		names_free(names);
		return err;
	}
	*ret_names = names;
	return 0;
}

int names_load(const void *bytes, size_t len, struct names **ret_names)
{
	struct header header;
	void *block;

	if (len < sizeof(header))
		return -EINVAL;
	memcpy(&header, bytes, sizeof(header));
	if (memcmp(header.magic, MAGIC, sizeof(header.magic)) || header.version != VERSION ||
	    block_length(&header) > len)
		return -EINVAL;
	/* What follows the block is the map's padding. */
	len = block_length(&header);
	block = malloc(len);
	if (!block)
		return -ENOMEM;
	memcpy(block, bytes, len);
	return names_own(block, len, ret_names);
}

void names_free(struct names *names)
{
	if (!names)
		return;
	free(names->block);
	free(names->rules);
	free(names->zones);
	free(names->listed);
	free(names->interfaces);
	free(names->slot);
	free(names);
}

const void *names_bytes(const struct names *names, size_t *ret_len)
{
	*ret_len = names->len;
	return names->block;
}

size_t names_rule_count(const struct names *names)
{
	return names->parts.header->rules;
}

const struct rule_name *names_rule(const struct names *names, uint32_t number)
{
	return number && number <= names->parts.header->rules ? &names->rules[number - 1] : NULL;
}

uint32_t names_find_rule(const struct names *names, const char *id)
{
	for (size_t at = slot_of(names, id); names->slot[at]; at = (at + 1) & (names->slots - 1))
		if (!strcmp(names->rules[names->slot[at] - 1].id, id))
			return names->slot[at];
	return 0;
}

size_t names_zone_indices(const struct names *names, uint32_t atom, const uint32_t **ret_zones)
{
	const struct parts *p = &names->parts;

	*ret_zones = NULL;
	if (atom >= p->header->atoms)
		return 0;
	*ret_zones = p->listed + p->starts[atom];
	return p->starts[atom + 1] - p->starts[atom];
}

size_t names_zones(const struct names *names, uint32_t atom, const char *const **ret_zones)
{
	const uint32_t *indices;
	size_t count = names_zone_indices(names, atom, &indices);

	*ret_zones = indices ? names->listed + (indices - names->parts.listed) : NULL;
	return count;
}

size_t names_zone_count(const struct names *names)
{
	return names->parts.header->zones;
}

const char *names_zone(const struct names *names, size_t index)
{
	return index < names->parts.header->zones ? names->zones[index] : NULL;
}

size_t names_interfaces(const struct names *names, const struct interface_name **ret)
{
	*ret = names->interfaces;
	return names->parts.header->interfaces;
}

uint32_t names_source_set(const struct names *names, const char *ifname)
{
	uint32_t set = 0;

	if (!strcmp(ifname, "lo")) /* which no pattern matches */
		return 0;
	for (uint32_t i = 0; i < names->parts.header->interfaces; i++)
		if (names->interfaces[i].source_set && !fnmatch(names->interfaces[i].pattern, ifname, 0))
			set = names->interfaces[i].source_set;
	return set;
}

const char *names_source(const struct names *names, uint32_t source_set)
{
	for (uint32_t i = 0; i < names->parts.header->interfaces && source_set; i++)
		if (names->interfaces[i].source_set == source_set)
			return names->interfaces[i].source;
	return NULL;
}

/* A block under construction. */
struct writer {
	ARRAY(struct rule_record) rules;
	ARRAY(uint32_t) zones, starts, listed;
	ARRAY(struct interface_record) interfaces;
	ARRAY(char) text;
};

static int put_text(struct writer *w, const char *text, uint32_t *ret_offset)
{
	size_t len = (text ? strlen(text) : 0) + 1;
	int err;

	/* "" is at 0. */
	if (len == 1 && w->text.count) {
		*ret_offset = 0;
		return 0;
	}
	if (w->text.count + len > UINT32_MAX)
		return -E2BIG;
	err = array_reserve(&w->text, len);
	if (err)
		return err;
	*ret_offset = w->text.count;
	memcpy(w->text.v + w->text.count, text ? text : "", len);
	w->text.count += len;
	return 0;
}

static int put_place(struct writer *w, const struct place *place, const struct diag *diag,
		     uint32_t *ret_offset)
{
	const char *file = diag && place->line ? diag_file_name(diag, place->file) : NULL;
	char *text;
	int err;

	if (!file)
		return put_text(w, "", ret_offset);
	if (asprintf(&text, "%s:%u", file, place->line) < 0)
		return -ENOMEM;
	err = put_text(w, text, ret_offset);
	free(text);
	return err;
}

static int put_rule(struct writer *w, const struct rule *rule, bool is_failsafe, const struct diag *diag)
{
	struct rule_record record = {
		.is_failsafe = is_failsafe,
		.action = is_failsafe ? ACTION_ALLOW : rule->action,
		.staged = rule->mode == MODE_STAGE,
	};
	int err = put_text(w, rule->id, &record.id);

	if (!err)
		err = put_place(w, &rule->place, diag, &record.place);
	if (!err)
		err = put_text(w, rule->service_text, &record.service);
	if (!err)
		err = put_text(w, rule->owner, &record.owner);
	return err ? err : array_push(&w->rules, record);
}

static int put_zone(struct writer *w, const char *name)
{
	uint32_t offset;
	int err = put_text(w, name, &offset);

	return err ? err : array_push(&w->zones, offset);
}

/* Declared zones first. The index in the block of each zone of the policy goes to index[]. */
static int put_zones(struct writer *w, const struct policy *policy, uint32_t *index)
{
	int err = 0;

	for (size_t i = ZONE_INDEX_FIRST_DECLARED; i < policy->zone_count && !err; i++) {
		if (policy->zones[i].kind != ZONE_DECLARED)
			continue;
		index[i] = w->zones.count;
		err = put_zone(w, policy->zones[i].name);
	}
	index[ZONE_INDEX_HOST] = w->zones.count;
	if (!err)
		err = put_zone(w, "host");
	index[ZONE_INDEX_WORLD] = w->zones.count;
	return err ? err : put_zone(w, "world");
}

/* The atom's zones are ascending, and so host and world come first: they are put behind the declared ones. */
static int put_atom(struct writer *w, const struct policy *policy, const struct atoms *atoms, size_t atom,
		    const uint32_t *index)
{
	size_t n;
	const uint32_t *zone = sets_get(&atoms->zones, atom, &n);
	uint32_t builtin = 0;
	int err = array_push(&w->starts, (uint32_t)w->listed.count);

	for (size_t i = 0; i < n && !err; i++) {
		if (zone[i] == ZONE_INDEX_HOST || (zone[i] == ZONE_INDEX_WORLD && !builtin))
			builtin = zone[i];
		else if (policy->zones[zone[i]].kind == ZONE_DECLARED)
			err = array_push(&w->listed, index[zone[i]]);
	}
	if (builtin && !err)
		err = array_push(&w->listed, index[builtin]);
	return err ? err : w->listed.count > UINT32_MAX ? -E2BIG : 0;
}

static int put_interfaces(struct writer *w, const struct policy *policy, const struct origins *origins)
{
	int err = 0;

	for (size_t i = 0; i < policy->interface_count && !err; i++) {
		const struct interface_match *match = &policy->interfaces[i];
		uint32_t source;

		err = put_text(w, match->has_source ? policy->zones[match->source].name : "", &source);
		for (size_t j = 0; j < match->pattern_count && !err; j++) {
			struct interface_record record = { .source = source, .xdp = match->xdp, .has_xdp = match->has_xdp };

			if (match->has_source)
				record.source_set = origins->set_of[match->source];
			err = put_text(w, match->pattern[j], &record.pattern);
			if (!err)
				err = array_push(&w->interfaces, record);
		}
	}
	return err;
}

static int put_all(struct writer *w, const struct policy *policy, const uint32_t *order,
		   const struct atoms *atoms, const struct origins *origins, const struct diag *diag)
{
	uint32_t *index = calloc(policy->zone_count, sizeof(*index)), empty;
	int err = index ? put_text(w, "", &empty) : -ENOMEM;

	for (size_t i = 0; i < policy->rules.count && !err; i++)
		err = put_rule(w, &policy->rules.v[order[i]], false, diag);
	for (size_t i = 0; i < policy->failsafe.count && !err; i++)
		err = put_rule(w, &policy->failsafe.v[i], true, diag);
	if (!err)
		err = put_zones(w, policy, index);
	for (size_t i = 0; i < atoms_count(atoms) && !err; i++)
		err = put_atom(w, policy, atoms, i, index);
	if (!err)
		err = array_push(&w->starts, (uint32_t)w->listed.count);
	if (!err)
		err = put_interfaces(w, policy, origins);
	free(index);
	return err;
}

static void *append(void *to, const void *from, size_t len)
{
	if (len)
		memcpy(to, from, len);
	return (char *)to + len;
}

static int join(const struct writer *w, void **ret_block, size_t *ret_len)
{
	struct header header = {
		.magic = MAGIC,
		.version = VERSION,
		.rules = w->rules.count,
		.zones = w->zones.count,
		.atoms = w->starts.count - 1,
		.listed = w->listed.count,
		.interfaces = w->interfaces.count,
		.text = w->text.count,
	};
	void *at = malloc(block_length(&header));

	*ret_block = at;
	if (!at)
		return -ENOMEM;
	at = append(at, &header, sizeof(header));
	at = append(at, w->rules.v, w->rules.count * sizeof(*w->rules.v));
	at = append(at, w->zones.v, w->zones.count * sizeof(*w->zones.v));
	at = append(at, w->starts.v, w->starts.count * sizeof(*w->starts.v));
	at = append(at, w->listed.v, w->listed.count * sizeof(*w->listed.v));
	at = append(at, w->interfaces.v, w->interfaces.count * sizeof(*w->interfaces.v));
	append(at, w->text.v, w->text.count);
	*ret_len = block_length(&header);
	return 0;
}

int names_make(const struct policy *policy, const uint32_t *order, const struct atoms *atoms,
	       const struct origins *origins, const struct diag *diag, struct names **ret_names)
{
	struct writer w = { 0 };
	void *block;
	size_t len;
	int err = put_all(&w, policy, order, atoms, origins, diag);

	if (!err)
		err = join(&w, &block, &len);
	array_free(&w.rules);
	array_free(&w.zones);
	array_free(&w.starts);
	array_free(&w.listed);
	array_free(&w.interfaces);
	array_free(&w.text);
	return err ? err : names_own(block, len, ret_names);
}
