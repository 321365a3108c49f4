/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The events' reader (zonewall.h: "Events"). BPF counts drops in entries, whose totals only grow, and sends records;
 * the reader keeps in zw_collected what it has told of each entry, and tells differences.
 *
 * There is one reader at a time (`zonewall run` holds a lock). Everything it knows is in the pinned maps, so a
 * successor goes on where it stopped. Anyone may ask for events_totals() without disturbing it.
 *
 * Why nothing is lost or told twice. Per entry, BPF (one CPU, never nested) does:
 *
 *   hit:      total++
 *   replace:  submit record (i, total, final)       -- no room: no replacement, the drop is counted elsewhere
 *             incarnation = 0; key, total = 1; incarnation = i + 1
 *             submit record (i + 1, 1)              -- no room: the entry keeps it; may also come before the rewriting
 *
 * 1. Records of one CPU are in the ring in the order in which they were reserved, and the ring is read in order. So the
 *    reader meets final(i) before any record of i + 1.
 * 2. A scan reads (incarnation, key, total, incarnation); if both incarnations are equal and not 0 the three belong
 *    together. If it is the incarnation already told of, telling the difference is right whatever the ring still holds:
 *    what the ring says of it later has a total that is the same or greater, and only the difference to that is told.
 * 3. If the entry's incarnation j is newer, final(j - 1) was submitted before the entry was rewritten, so before the
 *    scan read j: it stands before the producer position that is read next. Having told everything up to there, the
 *    reader may take j. If another CPU's record on the way is still being written, the scan leaves the entry to the
 *    next one: microseconds later, told a second later, never lost. Meanwhile the ring may have brought j or even
 *    j + 1; then 2. or "older: nothing" applies to what the scan had read.
 * 4. A record read again (the reader was killed before it released it) has a total that is not above what was told, or
 *    an older incarnation: nothing is told.
 *
 * What a SIGKILL can hide is what was told but not yet handed to the outputs. That sum stands in zw_collected too (word
 * `handing`), and the successor counts it as lost.
 */
#ifndef ZW_READER_H
#define ZW_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/instance.h"
#include "watch/ring.h"
#include "zonewall.h"

/* Between two looks at the ring, if the first found records: to be woken for each would cost packets more than telling them. */
#define READER_PAUSE_MS 10

struct reader_cpu {
	const volatile struct zw_event_head *head;
	const volatile struct zw_event_entry *entries; /* ZW_EVENT_ALL_ENTRIES */
	volatile struct collected *collected; /* likewise */
};

struct reader_waiting {
	unsigned index;
	struct zw_event_entry entry;
};

/* Open to view for the sake of tests, which put memory of their own in. */
struct reader {
	struct ring ring;
	bool consume; /* this is the reader; else it only looks */
	unsigned long position; /* in the ring: what has been told */
	unsigned cpus;
	struct reader_cpu *cpu;
	struct reader_waiting *waiting; /* ZW_EVENT_ALL_ENTRIES: what a scan has read and must hold until the ring is told */
	uint64_t strange; /* records that make no sense: 0, or what is pinned is not ours */
};

struct reader *reader_new(unsigned cpus); /* all zero, arrays allocated; NULL: out of memory */

/* Packets of one key that have not been told before. */
struct told {
	struct zw_event_key key;
	uint64_t count; /* at least 1 */
	const struct zw_event *packet; /* the first of them, in full; NULL: repeats, of which nothing else is known */
};
typedef void (*reader_sink)(void *context, const struct told *told);

/* Maps what the instance has pinned. consume: to be its reader. 0, -ENOMEM, -errno. The instance is borrowed. */
int reader_open(const struct instance *instance, bool consume, struct reader **ret_reader);
void reader_free(struct reader *reader);

/* A new reader's first step: counts as lost what a killed one was handing on. Returns that number of packets. */
uint64_t reader_adopt(struct reader *reader);

/*
 * Tells what is in the ring now, at most max records. True: there is more. reader_scan tells what has been counted in
 * the entries since. After either the outputs are written, then reader_handed() is called.
 */
bool reader_drain(struct reader *reader, unsigned max, reader_sink sink, void *context);
void reader_scan(struct reader *reader, reader_sink sink, void *context);
void reader_handed(struct reader *reader);

/*
 * logged = told + pending, and told = sum of event counts + lost: exactly, while no packet is dropped meanwhile.
 * pending is what a drain and a scan would tell, summed from the ring and the entries, not a difference of totals.
 */
struct events_totals {
	uint64_t logged; /* packets that should be told */
	uint64_t pending; /* not told yet, or told but not yet handed on */
	uint64_t lost; /* told by a reader that was killed before it handed on */
	uint64_t sent, full; /* records; times the ring had no room */
	size_t ring_size, ring_used; /* bytes */
};
int events_totals(const struct reader *reader, struct events_totals *ret_totals); /* 0, -ENOMEM */

#endif
