// SPDX-License-Identifier: GPL-2.0-only
#include "watch/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* BPF has no event without a reason: what is collected of CPU 0's entry for reason 0 is the reader's own two words. */
#define OWN_ENTRY (ZW_EVENT_ENTRIES + ZW_EVENT_RULE_ENTRIES + ZW_REASON_NONE)

struct __attribute__((may_alias)) own {
	uint64_t lost;
	uint64_t handing; /* packets told but not yet handed on */
};
typedef uint64_t __attribute__((may_alias)) word;
_Static_assert(sizeof(struct own) == sizeof(struct collected), "the words take the place of an entry");

static volatile struct own *own(const struct reader *reader)
{
	return (volatile struct own *)&reader->cpu[0].collected[OWN_ENTRY];
}

static bool is_own(unsigned cpu, unsigned entry)
{
	return cpu == 0 && entry == OWN_ENTRY;
}

static bool is_newer(uint32_t incarnation, uint32_t than)
{
	return than == 0 || (int32_t)(incarnation - than) > 0;
}

struct reader *reader_new(unsigned cpus)
{
	struct reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->cpus = cpus;
	reader->cpu = calloc(cpus, sizeof(*reader->cpu));
	reader->waiting = calloc(ZW_EVENT_ALL_ENTRIES, sizeof(*reader->waiting));
	if (!reader->cpu || !reader->waiting) {
		reader_free(reader);
		return NULL;
	}
	return reader;
}

void reader_free(struct reader *reader)
{
	if (!reader)
		return;
	ring_unmap(&reader->ring);
	free(reader->cpu);
	free(reader->waiting);
	free(reader);
}

int reader_open(const struct instance *instance, bool consume, struct reader **ret_reader)
{
	struct reader *reader = reader_new(instance_cpus(instance));
	int r;

	if (!reader)
		return -ENOMEM;
	reader->consume = consume;
	for (unsigned i = 0; i < reader->cpus; i++) {
		reader->cpu[i].head = instance_events(instance, i, &reader->cpu[i].entries);
		reader->cpu[i].collected = instance_collected(instance, i);
	}
	r = ring_map(instance_ring_fd(instance), consume, &reader->ring);
	if (r) {
		reader_free(reader);
		return r;
	}
	reader->position = ring_consumed(&reader->ring);
	*ret_reader = reader;
	return 0;
}

uint64_t reader_adopt(struct reader *reader)
{
	uint64_t handing = own(reader)->handing;

	own(reader)->lost += handing;
	own(reader)->handing = 0;
	return handing;
}

void reader_handed(struct reader *reader)
{
	own(reader)->handing = 0;
}

/*
 * Packets of (incarnation, total) that have not been told. `handing` is raised before they are marked as told, so that
 * a kill in between makes `lost` too large by them, never too small.
 */
static uint64_t advance(struct reader *reader, volatile struct collected *collected, uint32_t incarnation,
			uint64_t total)
{
	uint64_t count = total;

	if (collected->incarnation == incarnation)
		count = total > collected->total ? total - collected->total : 0;
	else if (!is_newer(incarnation, collected->incarnation))
		return 0;
	own(reader)->handing += count;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (count)
		collected->total = total;
	collected->incarnation = incarnation;
	return count;
}

static void tell(struct reader *reader, unsigned cpu, unsigned entry, const struct told *what, uint32_t incarnation,
		 uint64_t total, reader_sink sink, void *context)
{
	struct told told = *what;

	if (is_own(cpu, entry))
		return;
	told.count = advance(reader, &reader->cpu[cpu].collected[entry], incarnation, total);
	if (told.count)
		sink(context, &told);
}

static void tell_record(struct reader *reader, const struct zw_event *event, reader_sink sink, void *context)
{
	struct told what = { .key = event->key, .packet = event->final ? NULL : event };

	if (event->cpu >= reader->cpus || event->entry >= ZW_EVENT_ALL_ENTRIES || !event->incarnation)
		reader->strange++;
	else
		tell(reader, event->cpu, event->entry, &what, event->incarnation, event->total, sink, context);
}

/* Tells at most max records that begin before end. True if all of them are told. */
static bool tell_ring(struct reader *reader, unsigned long end, unsigned max, reader_sink sink, void *context)
{
	unsigned long start = reader->position, consumed;
	struct zw_event event;
	const void *data;
	size_t len;

	while (max-- && ring_next(&reader->ring, &reader->position, end, &data, &len) > 0) {
		memcpy(&event, data, sizeof(event)); /* within the double mapping, however short the record */
		if (!reader->consume) {
			/* The reader may have released what was just copied, and a writer written over it. */
			__atomic_thread_fence(__ATOMIC_ACQUIRE);
			consumed = ring_consumed(&reader->ring);
			if ((long)(consumed - start) > 0) {
				reader->position = start = consumed;
				continue;
			}
		}
		start = reader->position;
		if (len < sizeof(event))
			reader->strange++;
		else
			tell_record(reader, &event, sink, context);
	}
	if (reader->consume)
		ring_release(&reader->ring, reader->position);
	return (long)(end - reader->position) <= 0;
}

bool reader_drain(struct reader *reader, unsigned max, reader_sink sink, void *context)
{
	unsigned long before = reader->position;

	tell_ring(reader, ring_produced(&reader->ring), max, sink, context);
	return reader->position != before && (long)(ring_produced(&reader->ring) - reader->position) > 0;
}

/* False: unused, or BPF is rewriting it, and its predecessor's last record is in the ring. */
static bool read_entry(const volatile struct zw_event_entry *entry, struct zw_event_entry *ret_entry)
{
	uint32_t incarnation = __atomic_load_n(&entry->incarnation, __ATOMIC_ACQUIRE);

	if (!incarnation)
		return false;
	ret_entry->total = __atomic_load_n(&entry->total, __ATOMIC_RELAXED);
	for (size_t i = 0; i < sizeof(entry->key) / sizeof(word); i++)
		((word *)&ret_entry->key)[i] = ((const volatile word *)&entry->key)[i];
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	ret_entry->incarnation = __atomic_load_n(&entry->incarnation, __ATOMIC_RELAXED);
	return ret_entry->incarnation == incarnation;
}

static void scan_cpu(struct reader *reader, unsigned cpu, reader_sink sink, void *context)
{
	const struct reader_cpu *view = &reader->cpu[cpu];
	struct reader_waiting *waiting = reader->waiting;
	size_t count = 0;

	for (unsigned i = 0; i < ZW_EVENT_ALL_ENTRIES; i++) {
		struct zw_event_entry *entry = &waiting[count].entry;

		if (view->entries[i].incarnation == view->collected[i].incarnation &&
		    view->entries[i].total == view->collected[i].total)
			continue; /* nothing new: the usual case, without a copy */
		if (!read_entry(&view->entries[i], entry))
			continue;
		if (entry->incarnation == view->collected[i].incarnation)
			tell(reader, cpu, i, &(struct told){ .key = entry->key }, entry->incarnation, entry->total,
			     sink, context);
		else
			waiting[count++].index = i;
	}
	if (!count || !tell_ring(reader, ring_produced(&reader->ring), -1u, sink, context))
		return;
	for (size_t i = 0; i < count; i++)
		tell(reader, cpu, waiting[i].index, &(struct told){ .key = waiting[i].entry.key },
		     waiting[i].entry.incarnation, waiting[i].entry.total, sink, context);
}

void reader_scan(struct reader *reader, reader_sink sink, void *context)
{
	for (unsigned i = 0; i < reader->cpus; i++)
		scan_cpu(reader, i, sink, context);
}

static void add_up(void *context, const struct told *told)
{
	*(uint64_t *)context += told->count;
}

/* A reader of the same memory with its own copy of what was told, so that it can go on without anyone noticing. */
static struct reader *look(const struct reader *reader, struct collected **ret_collected)
{
	struct reader *copy = reader_new(reader->cpus);
	struct collected *collected = calloc(reader->cpus * (size_t)ZW_EVENT_ALL_ENTRIES, sizeof(*collected));

	if (!copy || !collected) {
		reader_free(copy);
		free(collected);
		return NULL;
	}
	for (unsigned i = 0; i < reader->cpus; i++) {
		copy->cpu[i] = reader->cpu[i];
		copy->cpu[i].collected = collected + i * (size_t)ZW_EVENT_ALL_ENTRIES;
		for (size_t j = 0; j < ZW_EVENT_ALL_ENTRIES; j++)
			copy->cpu[i].collected[j] = reader->cpu[i].collected[j];
	}
	copy->ring = reader->ring;
	copy->position = ring_consumed(&copy->ring);
	*ret_collected = collected;
	return copy;
}

int events_totals(const struct reader *reader, struct events_totals *ret_totals)
{
	struct events_totals totals = { .pending = own(reader)->handing, .lost = own(reader)->lost,
					.ring_size = reader->ring.size };
	struct collected *collected;
	struct reader *copy = look(reader, &collected);

	if (!copy)
		return -ENOMEM;
	for (unsigned i = 0; i < reader->cpus; i++) {
		totals.logged += reader->cpu[i].head->logged;
		totals.sent += reader->cpu[i].head->sent;
		totals.full += reader->cpu[i].head->full;
	}
	totals.ring_used = ring_produced(&copy->ring) - copy->position;
	tell_ring(copy, ring_produced(&copy->ring), -1u, add_up, &totals.pending);
	reader_scan(copy, add_up, &totals.pending);
	copy->ring = (struct ring){ 0 }; /* borrowed */
	reader_free(copy);
	free(collected);
	*ret_totals = totals;
	return 0;
}
