// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "compile/ports.h"
#include "compile/sort.h"

/* Sum of the sizes of all classes: many ranges that overlap at random are in quadratically many sets. */
#define MEMBERS_MAX ((size_t)1 << 26)
#define PORTS 65536u
#define PLACES (ZW_PORT_TABLES * PORTS + 256)

/* In the order of enum zw_port_table. */
static const uint8_t with_ports[ZW_PORT_TABLES] = { 6, 17, 132, 1, 58 };

static uint32_t place_of(uint8_t protocol, uint16_t port)
{
	for (uint32_t i = 0; i < ZW_PORT_TABLES; i++)
		if (with_ports[i] == protocol)
			return i * PORTS + port;
	return ZW_PORT_TABLES * PORTS + protocol;
}

/* Places first..end - 1 of a selector. The places of tcp and so on among "every other protocol" stay unused. */
static void selector_places(const struct selector *s, uint32_t *ret_first, uint32_t *ret_end)
{
	if (s->any_protocol) {
		*ret_first = 0;
		*ret_end = PLACES;
		return;
	}
	*ret_first = place_of(s->protocol, s->first);
	*ret_end = place_of(s->protocol, s->last) + 1;
}

int services_add(struct services *services, const struct selectors *selectors, uint32_t *ret_service)
{
	size_t count = selectors->count, n = 0;
	uint64_t *sorted = calloc(2 * count + 1, sizeof(*sorted));
	uint32_t *places = calloc(2 * count + 1, sizeof(*places));
	int err = -ENOMEM;

	if (!sorted || !places)
		goto out;
	for (size_t i = 0; i < count; i++) {
		uint32_t first, end;

		selector_places(&selectors->v[i], &first, &end);
		sorted[i] = (uint64_t)first << 32 | end;
	}
	sort_u64(sorted, sorted + count, count);
	for (size_t i = 0; i < count; i++) {
		uint32_t first = sorted[i] >> 32, end = sorted[i];

		if (n && first <= places[n - 1]) {
			if (end > places[n - 1])
				places[n - 1] = end;
			continue;
		}
		places[n++] = first;
		places[n++] = end;
	}
	err = sets_intern(&services->places, places, n, sets_hash(places, n), ret_service);
out:
	free(sorted);
	free(places);
	return err;
}

/* The services that hold the current place, as a bag with the place of each in it, so that a change costs O(1). */
struct active {
	uint32_t *service, *at; /* at: index in service + 1, 0 if absent */
	uint64_t *sorted;
	uint32_t *members;
	size_t count;
	uint64_t hash;
};

static void toggle(struct active *active, uint32_t service)
{
	uint32_t last;

	if (!active->at[service]) {
		active->service[active->count++] = service;
		active->at[service] = active->count;
		active->hash += sets_spread(service);
		return;
	}
	last = active->service[--active->count];
	active->service[active->at[service] - 1] = last;
	active->at[last] = active->at[service];
	active->at[service] = 0;
	active->hash -= sets_spread(service);
}

static int cut(struct services *services, struct active *active, uint32_t place)
{
	struct class_run cut = { .first = place };
	int err;

	for (size_t i = 0; i < active->count; i++)
		active->sorted[i] = active->service[i];
	sort_u64(active->sorted, active->sorted + active->count, active->count);
	for (size_t i = 0; i < active->count; i++)
		active->members[i] = active->sorted[i];
	err = sets_intern(&services->classes, active->members, active->count, active->hash, &cut.last);
	if (err)
		return err;
	if (services_classes(services) > PORT_CLASSES_MAX || services->classes.members.count > MEMBERS_MAX)
		return -E2BIG;
	return array_push(&services->cuts, cut);
}

static int sweep(struct services *services, struct active *active, const uint64_t *events, size_t count)
{
	size_t i = 0;
	int err = 0;

	if (!count || events[0] >> 32)
		err = cut(services, active, 0);
	while (i < count && !err) {
		uint32_t place = events[i] >> 32;

		for (; i < count && events[i] >> 32 == place; i++)
			toggle(active, (uint32_t)events[i]);
		if (place < PLACES)
			err = cut(services, active, place);
	}
	return err;
}

/* Each class is in the runs of its services; classes come in ascending order, so a run grows at its end. */
static int find_runs(struct services *services)
{
	size_t count = sets_count(&services->places), total = 0, n;
	uint32_t *last;

	services->run = calloc(count + 2, sizeof(*services->run));
	last = calloc(count + 1, sizeof(*last)); /* class that the service's last run ends with, + 1 */
	if (!services->run || !last) {
		free(last);
		return -ENOMEM;
	}
	for (int writing = 0; writing < 2; writing++) {
		memset(last, 0, (count + 1) * sizeof(*last));
		for (uint32_t c = 0; c < services_classes(services); c++) {
			const uint32_t *member = sets_get(&services->classes, c, &n);

			for (size_t i = 0; i < n; i++) {
				size_t *at = &services->run[member[i] + 1];
				bool grows = last[member[i]] && last[member[i]] == c;

				last[member[i]] = c + 1;
				if (!writing)
					*at += !grows;
				else if (grows)
					services->runs.v[*at - 1].last = c;
				else
					services->runs.v[(*at)++] = (struct class_run){ c, c };
			}
		}
		if (writing)
			break;
		/* Counts become begins, one place further on: filling moves each to the next one's begin. */
		for (size_t i = 1; i <= count; i++) {
			size_t mine = services->run[i];

			services->run[i] = total;
			total += mine;
		}
		if (array_reserve(&services->runs, total)) {
			free(last);
			return -ENOMEM;
		}
		services->runs.count = total;
	}
	free(last);
	return 0;
}

int services_cut(struct services *services)
{
	size_t count = sets_count(&services->places), members = services->places.members.count, n = 0;
	uint64_t *events = calloc(2 * members + 1, sizeof(*events));
	struct active active = {
		.service = calloc(count + 1, sizeof(*active.service)), .at = calloc(count + 1, sizeof(*active.at)),
		.sorted = calloc(2 * count + 1, sizeof(*active.sorted)),
		.members = calloc(count + 1, sizeof(*active.members)),
	};
	int err = -ENOMEM;

	if (events && active.service && active.at && active.sorted && active.members) {
		for (size_t s = 0; s < count; s++) {
			size_t m;
			const uint32_t *places = sets_get(&services->places, s, &m);

			for (size_t i = 0; i < m; i++)
				events[n++] = (uint64_t)places[i] << 32 | s;
		}
		sort_u64(events, events + n, n);
		err = sweep(services, &active, events, n);
	}
	free(events);
	free(active.service);
	free(active.at);
	free(active.sorted);
	free(active.members);
	return err ? err : find_runs(services);
}

/* Index of the cut that holds a place. */
static size_t find_cut(const struct services *services, uint32_t place)
{
	size_t low = 0, high = services->cuts.count;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (services->cuts.v[middle].first <= place)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int write_table(const struct services *services, struct lines *lines, unsigned table, uint32_t *ret_line)
{
	uint32_t first = table * PORTS, end = first + PORTS;
	size_t at = find_cut(services, first);
	uint16_t *class;
	int err;

	*ret_line = 0;
	if (at + 1 == services->cuts.count || services->cuts.v[at + 1].first >= end)
		return 0;
	err = lines_add_bytes(lines, PORTS * sizeof(*class), ret_line);
	if (err)
		return err;
	class = lines_at(lines, *ret_line);
	for (uint32_t place = first; place < end; place++) {
		if (at + 1 < services->cuts.count && services->cuts.v[at + 1].first == place)
			at++;
		class[place - first] = services->cuts.v[at].last;
	}
	return 0;
}

int services_write(const struct services *services, struct lines *lines, struct zw_layout *layout)
{
	uint16_t *class;
	int err = lines_add_bytes(lines, 256 * sizeof(*class), &layout->protocols);

	if (err)
		return err;
	class = lines_at(lines, layout->protocols);
	for (unsigned i = 0; i < 256; i++)
		class[i] = services->cuts.v[find_cut(services, place_of(i, 0))].last;
	for (unsigned i = 0; i < ZW_PORT_TABLES && !err; i++)
		err = write_table(services, lines, i, &layout->ports[i]);
	return err;
}

void services_clear(struct services *services)
{
	sets_clear(&services->places);
	sets_clear(&services->classes);
	array_free(&services->runs);
	array_free(&services->cuts);
	free(services->run);
	memset(services, 0, sizeof(*services));
}
