// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "compile/ports.h"
#include "compile/sort.h"
#include "policy/packets.h"

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

/* The sum of the services that hold the current place: each adds its own 128 bits when it begins, and takes them back. */
struct sum {
	uint64_t word[2];
};

static void toggle(struct sum *sum, uint32_t service, bool *active)
{
	uint64_t word[2] = { sets_spread(service), sets_spread(~(uint64_t)service) };

	for (int i = 0; i < 2; i++)
		sum->word[i] += active[service] ? -word[i] : word[i];
	active[service] = !active[service];
}

static int cut(struct services *services, const struct sum *sum, uint32_t place)
{
	uint32_t words[4] = { sum->word[0], sum->word[0] >> 32, sum->word[1], sum->word[1] >> 32 };
	struct cut cut = { .place = place, .before = services_classes(services) };
	int err = sets_intern(&services->classes, words, 4, sum->word[0], &cut.class);

	if (err)
		return err;
	if (services_classes(services) > PORT_CLASSES_MAX)
		return -E2BIG;
	return array_push(&services->cuts, cut);
}

static int sweep(struct services *services, bool *active, const uint64_t *events, size_t count)
{
	struct sum sum = { 0 };
	size_t i = 0;
	int err = 0;

	if (!count || events[0] >> 32)
		err = cut(services, &sum, 0);
	while (i < count && !err) {
		uint32_t place = events[i] >> 32;

		for (; i < count && events[i] >> 32 == place; i++)
			toggle(&sum, (uint32_t)events[i], active);
		if (place < PLACES)
			err = cut(services, &sum, place);
	}
	return err;
}

/* Index of the cut that holds a place. */
static size_t find_cut(const struct services *services, uint32_t place)
{
	size_t low = 0, high = services->cuts.count;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (services->cuts.v[middle].place <= place)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* How many classes appear before a place where a service begins or ends. */
static uint32_t classes_before(const struct services *services, uint32_t place)
{
	return place < PLACES ? services->cuts.v[find_cut(services, place)].before
			      : services_classes(services);
}

static int find_runs(struct services *services)
{
	size_t count = sets_count(&services->places), n;
	int err = 0;

	services->run = calloc(count + 1, sizeof(*services->run));
	if (!services->run)
		return -ENOMEM;
	for (size_t s = 0; s < count && !err; s++) {
		const uint32_t *places = sets_get(&services->places, s, &n);

		for (size_t i = 0; i < n && !err; i += 2) {
			uint32_t first = classes_before(services, places[i]);
			uint32_t end = classes_before(services, places[i + 1]);
			struct class_run run = { first, end - 1 };

			if (first == end)
				continue;
			if (services->runs.count > services->run[s] &&
			    services->runs.v[services->runs.count - 1].last + 1 == first)
				services->runs.v[services->runs.count - 1].last = run.last;
			else
				err = array_push(&services->runs, run);
		}
		services->run[s + 1] = services->runs.count;
	}
	return err;
}

int services_cut(struct services *services)
{
	size_t count = sets_count(&services->places), members = services->places.members.count, n = 0;
	uint64_t *events = calloc(2 * members + 1, sizeof(*events));
	bool *active = calloc(count + 1, sizeof(*active));
	int err = events && active ? 0 : -ENOMEM;

	for (size_t s = 0; s < count && !err; s++) {
		size_t m;
		const uint32_t *places = sets_get(&services->places, s, &m);

		for (size_t i = 0; i < m; i++)
			events[n++] = (uint64_t)places[i] << 32 | s;
	}
	if (!err) {
		sort_u64(events, events + n, n);
		err = sweep(services, active, events, n);
	}
	free(events);
	free(active);
	return err ? err : find_runs(services);
}

/* Of which origins there are packets to the places from `first` on, up to `end` or where the table ends: *ret_end. */
static unsigned place_origins(uint32_t first, uint32_t end, uint32_t *ret_end)
{
	uint32_t table = first / PORTS, table_end = (table + 1) * PORTS;

	if (table >= ZW_PORT_TABLES) {
		uint8_t protocol = first - ZW_PORT_TABLES * PORTS;

		*ret_end = first + 1;
		return place_of(protocol, 0) == first ? packets_for(protocol, 0, 0) : 0;
	}
	*ret_end = end < table_end ? end : table_end;
	return packets_for(with_ports[table], first % PORTS, (*ret_end - 1) % PORTS);
}

void services_origins(const struct services *services, uint8_t *ret_origins)
{
	const struct cut *cut = services->cuts.v;

	for (size_t i = 0; i < services->cuts.count; i++) {
		uint32_t end = i + 1 < services->cuts.count ? cut[i + 1].place : PLACES, next;

		for (uint32_t place = cut[i].place; place < end; place = next)
			ret_origins[cut[i].class] |= place_origins(place, end, &next);
	}
}

static int write_table(const struct services *services, struct lines *lines, unsigned table,
		       uint32_t *ret_line)
{
	uint32_t first = table * PORTS, end = first + PORTS;
	size_t at = find_cut(services, first);
	uint16_t *class;
	int err;

	*ret_line = 0;
	if (at + 1 == services->cuts.count || services->cuts.v[at + 1].place >= end)
		return 0;
	err = lines_add_bytes(lines, PORTS * sizeof(*class), ret_line);
	if (err)
		return err;
	class = lines_at(lines, *ret_line);
	for (uint32_t place = first; place < end; place++) {
		if (at + 1 < services->cuts.count && services->cuts.v[at + 1].place == place)
			at++;
		class[place - first] = services->cuts.v[at].class;
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
		class[i] = services->cuts.v[find_cut(services, place_of(i, 0))].class;
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
