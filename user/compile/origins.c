// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "compile/origins.h"

static int number_sets(const struct policy *policy, struct origins *origins)
{
	origins->set_of = calloc(policy->zone_count, sizeof(*origins->set_of));
	if (!origins->set_of)
		return -ENOMEM;
	for (size_t i = 0; i < policy->interface_count; i++) {
		const struct interface_match *match = &policy->interfaces[i];

		if (match->has_source && !origins->set_of[match->source])
			origins->set_of[match->source] = ++origins->set_count;
	}
	return 0;
}

/* The atom's zones are ascending, so equal sets of source sets are equal lists. */
static int classify(struct origins *origins, const struct atoms *atoms)
{
	uint32_t *members = calloc(origins->set_count, sizeof(*members));
	int err = members ? 0 : -ENOMEM;

	for (size_t i = 0; i < atoms_count(atoms) && !err; i++) {
		size_t zones, found = 0;
		const uint32_t *zone = sets_get(&atoms->zones, i, &zones);

		for (size_t j = 0; j < zones; j++)
			if (origins->set_of[zone[j]])
				members[found++] = origins->set_of[zone[j]];
		err = sets_intern(&origins->classes, members, found, sets_hash(members, found),
				  &origins->class_of[i]);
	}
	free(members);
	return err;
}

int origins_find(const struct policy *policy, const struct atoms *atoms, struct origins *origins)
{
	int err = number_sets(policy, origins);

	if (err || !origins->set_count)
		return err;
	origins->class_of = calloc(atoms_count(atoms), sizeof(*origins->class_of));
	return origins->class_of ? classify(origins, atoms) : -ENOMEM;
}

static size_t words_of(const struct origins *origins)
{
	return (sets_count(&origins->classes) + 31) / 32;
}

size_t origins_bytes(const struct origins *origins)
{
	return (size_t)origins->set_count * words_of(origins) * sizeof(uint32_t);
}

int origins_write(const struct origins *origins, struct lines *lines, struct zw_layout *layout)
{
	size_t classes = sets_count(&origins->classes), words = words_of(origins), n;
	uint32_t any = origins->set_of[ZONE_INDEX_ANY], *bits;
	int err;

	if (!origins->set_count)
		return 0;
	err = lines_add_bytes(lines, origins_bytes(origins), &layout->origins);
	if (err)
		return err;
	layout->source_sets = origins->set_count;
	layout->origin_words = words;
	bits = lines_at(lines, layout->origins);
	for (size_t c = 0; c < classes; c++) {
		const uint32_t *set = sets_get(&origins->classes, c, &n);

		for (size_t i = 0; i < n; i++)
			bits[(set[i] - 1) * words + c / 32] |= 1u << c % 32;
		if (any)
			bits[(any - 1) * words + c / 32] |= 1u << c % 32;
	}
	return 0;
}

void origins_clear(struct origins *origins)
{
	free(origins->set_of);
	sets_clear(&origins->classes);
	free(origins->class_of);
	memset(origins, 0, sizeof(*origins));
}
