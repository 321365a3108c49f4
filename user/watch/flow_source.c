// SPDX-License-Identifier: GPL-2.0-only
#include "watch/flow_source.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "kernel/jiffies.h"
#include "simulate/decision.h"

static int64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static int open_tables(const struct instance *instance, struct flow_source *source)
{
	int r = flow_table_map(instance_name(instance), 4, &source->tables[0]);

	return r ? r : flow_table_map(instance_name(instance), 6, &source->tables[1]);
}

/* A generation that is retired meanwhile is no error: its flows' rules have no names then. */
static void open_generations(const struct instance *instance, struct flow_source *source)
{
	const volatile struct zw_gate *gate = instance_gate(instance);

	source->current = instance_current(instance);
	for (int slot = 0, next = 1; slot < ZW_GATE_SLOTS; slot++) {
		uint32_t number = gate->generation[slot];
		int place = number == source->current ? 0 : next;

		if (!number || place == ZW_GATE_SLOTS || source->generations[place])
			continue;
		if (!generation_open(instance, number, &source->generations[place]) && place)
			next++;
	}
}

int flow_source_open(const struct instance *instance, struct flow_source *ret_source)
{
	struct flow_source source = { .hz = jiffies_hz() };
	int r = open_tables(instance, &source);

	if (!r)
		r = jiffies_now(&source.jiffies);
	if (r) {
		flow_source_close(&source);
		return r;
	}
	source.at_ns = monotonic_ns();
	source.seconds = time(NULL);
	open_generations(instance, &source);
	*ret_source = source;
	return 0;
}

void flow_source_close(struct flow_source *source)
{
	for (int i = 0; i < 2; i++)
		flow_table_unmap(&source->tables[i]);
	for (int i = 0; i < ZW_GATE_SLOTS; i++)
		generation_free(source->generations[i]);
	*source = (struct flow_source){ 0 };
}

/* Both clocks stand still while the machine is suspended. */
uint64_t flow_source_now(const struct flow_source *source)
{
	if (!source->at_ns)
		return source->jiffies;
	return source->jiffies + (uint64_t)(monotonic_ns() - source->at_ns) / (1000000000 / source->hz);
}

static const struct generation *find_generation(const struct flow_source *source, uint32_t number)
{
	for (int i = 0; i < ZW_GATE_SLOTS; i++)
		if (source->generations[i] && source->generations[i]->number == number)
			return source->generations[i];
	return NULL;
}

static void name_decision(const struct flow_source *source, struct flow_seen *flow)
{
	const struct generation *generation = find_generation(source, flow->record.generation);
	uint32_t number = flow->record.cell & ZW_CELL_RULE;
	const struct rule_name *rule;

	flow->reason = flow->rule = NULL;
	if (!flow->record.generation || !flow->record.cell)
		return;
	if (!number) {
		flow->reason = flow->record.cell & ZW_CELL_INTRA ? "intra-zone" : "default";
		return;
	}
	rule = generation ? names_rule(generation->names, number) : NULL;
	if (!rule)
		return;
	flow->reason = rule->is_failsafe ? "failsafe" : "rule";
	flow->rule = rule->id;
}

struct connection flow_connection(const struct flow_record *record)
{
	struct connection c = { .family = record->family, .protocol = record->protocol, .sport = record->sport,
				.dport = record->dport, .port = record->port, .cell = record->cell };

	memcpy(c.source, record->source, sizeof(c.source));
	memcpy(c.destination, record->destination, sizeof(c.destination));
	return c;
}

/* Without staged rules, and rules that end, no flow has to be looked up. */
static const char *find_staged(const struct flow_source *source, const struct flow_record *record)
{
	const struct generation *current = source->generations[0];
	struct connection c;
	uint32_t staged;

	if (!current || !current->layout.variants)
		return NULL;
	c = flow_connection(record);
	staged = fate_of(current->tables, &current->layout, &c, source->seconds).staged;
	return staged && !(staged & ZW_CELL_ALLOW) ? names_rule(current->names, staged & ZW_CELL_RULE)->id : NULL;
}

void flow_source_name(const struct flow_source *source, struct flow_seen *flow)
{
	const struct generation *current = source->generations[0];
	const __u32 *address[2] = { flow->record.source, flow->record.destination };

	flow->stale = flow->record.generation != source->current;
	name_decision(source, flow);
	flow->staged = find_staged(source, &flow->record);
	for (int end = 0; end < 2; end++)
		flow->zone_count[end] = current ? names_zones(current->names,
							      tables_atom(current->tables, &current->layout,
									  flow->record.family, address[end]),
							      &flow->zones[end]) : 0;
}
