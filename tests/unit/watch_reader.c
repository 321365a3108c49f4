// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reader against a writer that behaves like the BPF programs, in memory of our own, interleaved step by step: each
 * atomic access of the reader is a point at which the writers of two CPUs may do some of their steps, and at which the
 * reader may be killed. Every run is repeatable from its seed (ZW_SEED).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/bpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void interleave(void);

#define __atomic_load_n(pointer, order) ({ interleave(); *(pointer); })
#define __atomic_store_n(pointer, value, order) ({ interleave(); *(pointer) = (value); interleave(); })
#define __atomic_thread_fence(order) interleave()
#include "watch/ring.c"
#include "watch/reader.c"

#define CPUS 2
#define RING_SIZE 4096
#define RECORD_LEN (sizeof(struct zw_event) + 8)

/* What reader_open would ask. */
unsigned instance_cpus(const struct instance *instance)
{
	(void)instance;
	return 0;
}
int instance_ring_fd(const struct instance *instance)
{
	(void)instance;
	return -1;
}
const volatile struct zw_event_head *instance_events(const struct instance *instance, unsigned cpu,
						     const volatile struct zw_event_entry **ret_entries)
{
	(void)instance, (void)cpu, (void)ret_entries;
	return NULL;
}
volatile struct collected *instance_collected(const struct instance *instance, unsigned cpu)
{
	(void)instance, (void)cpu;
	return NULL;
}

enum step {
	IDLE,
	FINAL_RESERVED,
	FIRST_RESERVED_EARLY,
	FINAL_SUBMITTED,
	ZEROED,
	KEY_WRITTEN,
	REWRITTEN,
	FIRST_RESERVED,
};

struct writer {
	struct zw_event_head head;
	struct zw_event_entry entries[ZW_EVENT_ALL_ENTRIES];
	struct collected collected[ZW_EVENT_ALL_ENTRIES];
	enum step step;
	unsigned index; /* of the entry that is being replaced */
	struct zw_event_key key; /* by this */
	uint32_t *busy; /* header of the record that is being written */
	bool first_early; /* the new key's record is sent before the entry is rewritten */
};

static struct world {
	struct writer writer[CPUS];
	unsigned long consumer, producer;
	uint8_t *data;
	uint64_t seed;
	unsigned keys; /* how many different ones are dropped */
	unsigned writing; /* in 256: how eagerly the writers use a point */
	unsigned killing; /* in 65536 */
	jmp_buf killed;
	bool in_reader;
	uint64_t drops, handed, batch, kills, full, events;
	uint64_t by_rule[8], told_by_rule[8];
} world;

static uint64_t chance(uint64_t below)
{
	world.seed ^= world.seed << 13;
	world.seed ^= world.seed >> 7;
	world.seed ^= world.seed << 17;
	return (world.seed >> 11) % below;
}

static struct zw_event *reserve(struct writer *writer)
{
	uint32_t *header = (uint32_t *)(world.data + (world.producer & (RING_SIZE - 1)));

	if (world.producer + RECORD_LEN - world.consumer > RING_SIZE) {
		writer->head.full++;
		world.full++;
		return NULL;
	}
	*header = sizeof(struct zw_event) | BPF_RINGBUF_BUSY_BIT;
	writer->busy = header;
	world.producer += RECORD_LEN;
	memset(header + 2, 0, sizeof(struct zw_event));
	return (struct zw_event *)(header + 2);
}

static void fill(struct writer *writer, struct zw_event *event, bool final)
{
	struct zw_event_entry *entry = &writer->entries[writer->index];

	event->key = final ? entry->key : writer->key;
	event->total = final ? entry->total : 1;
	event->incarnation = final ? entry->incarnation : entry->incarnation + !!writer->first_early;
	event->entry = writer->index;
	event->cpu = writer - world.writer;
	event->final = final;
}

static void submit(struct writer *writer)
{
	*writer->busy &= ~BPF_RINGBUF_BUSY_BIT;
	writer->head.sent++;
}

static bool same(const struct zw_event_key *a, const struct zw_event_key *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* Counts in the entry if it has the key or is unused: that is given away like a used one, without a final record. */
static bool count_in(struct writer *writer, unsigned index, const struct zw_event_key *key)
{
	struct zw_event_entry *entry = &writer->entries[index];

	if (entry->incarnation && same(&entry->key, key)) {
		entry->total++;
		return true;
	}
	if (entry->incarnation)
		return false;
	writer->index = index;
	writer->key = *key;
	writer->first_early = false;
	writer->step = ZEROED;
	return true;
}

static void drop(struct writer *writer)
{
	unsigned n = chance(world.keys);
	struct zw_event_key key = { .source = { n }, .rule = n % 8, .reason = ZW_DROP_RULE, .family = 4 };
	struct zw_event_key folded = { .rule = n % 8, .reason = ZW_DROP_RULE, .flags = ZW_EVENT_FOLDED };
	unsigned index = n % 5, rule_index = ZW_EVENT_ENTRIES + n % 4; /* entries are few, so that they are fought for */
	struct zw_event *event;

	world.drops++;
	world.by_rule[n % 8]++;
	writer->head.logged++;
	if (count_in(writer, index, &key))
		return;
	if (chance(4) && (event = reserve(writer))) {
		writer->index = index;
		writer->key = key;
		writer->first_early = chance(2);
		fill(writer, event, true);
		writer->step = FINAL_RESERVED;
		return;
	}
	if (count_in(writer, rule_index, &folded))
		return;
	folded.rule = 0;
	assert_true(count_in(writer, ZW_EVENT_ENTRIES + ZW_EVENT_RULE_ENTRIES + ZW_DROP_RULE, &folded));
	world.by_rule[n % 8]--;
	world.by_rule[0]++;
}

/* One visible store of one CPU. */
static void writer_step(struct writer *writer)
{
	struct zw_event_entry *entry = &writer->entries[writer->index];
	struct zw_event *event;

	switch (writer->step) {
	case IDLE:
		drop(writer);
		break;
	case FINAL_RESERVED:
		submit(writer);
		writer->step = FINAL_SUBMITTED;
		event = writer->first_early ? reserve(writer) : NULL;
		if (event) {
			fill(writer, event, false);
			writer->step = FIRST_RESERVED_EARLY;
		}
		break;
	case FIRST_RESERVED_EARLY:
		submit(writer);
		writer->step = FINAL_SUBMITTED;
		break;
	case FINAL_SUBMITTED:
		writer->head.pad[0] = entry->incarnation;
		entry->incarnation = 0;
		writer->step = ZEROED;
		break;
	case ZEROED:
		entry->key = writer->key;
		writer->step = KEY_WRITTEN;
		break;
	case KEY_WRITTEN:
		entry->total = 1;
		writer->step = REWRITTEN;
		break;
	case REWRITTEN:
		entry->incarnation = writer->head.pad[0] + 1;
		writer->head.pad[0] = 0;
		writer->step = IDLE;
		event = writer->first_early ? NULL : reserve(writer);
		if (event) {
			fill(writer, event, false);
			writer->step = FIRST_RESERVED;
		}
		break;
	case FIRST_RESERVED:
		submit(writer);
		writer->step = IDLE;
		break;
	}
}

static void interleave(void)
{
	if (!world.in_reader)
		return;
	while (chance(256) < world.writing)
		writer_step(&world.writer[chance(CPUS)]);
	if (chance(65536) < world.killing)
		longjmp(world.killed, 1);
}

static void quiet(void)
{
	for (unsigned i = 0; i < CPUS; i++)
		while (world.writer[i].step != IDLE)
			writer_step(&world.writer[i]);
}

static void note(void *context, const struct told *told)
{
	(void)context;
	assert_true(told->count > 0);
	/* A torn entry would show as a key of one drop with the flags of another. */
	assert_int_equal(told->key.reason, ZW_DROP_RULE);
	assert_int_equal(told->key.flags, told->key.family ? 0 : ZW_EVENT_FOLDED);
	if (told->key.family)
		assert_int_equal(told->key.rule, told->key.source[0] % 8);
	world.batch += told->count;
	world.told_by_rule[told->key.rule] += told->count;
	world.events++;
}

static struct reader *new_reader(void)
{
	struct reader *reader = reader_new(CPUS);

	assert_non_null(reader);
	for (unsigned i = 0; i < CPUS; i++)
		reader->cpu[i] = (struct reader_cpu){ &world.writer[i].head, world.writer[i].entries,
						      world.writer[i].collected };
	reader->consume = true;
	reader->ring = (struct ring){ .consumer = &world.consumer, .producer = &world.producer, .data = world.data,
				      .size = RING_SIZE };
	reader->position = world.consumer;
	reader_adopt(reader);
	return reader;
}

static void read_once(struct reader *reader)
{
	bool more = true;

	world.in_reader = true;
	if (chance(3))
		more = reader_drain(reader, 1 + chance(50), note, NULL);
	if (!chance(4) && more)
		reader_scan(reader, note, NULL);
	world.in_reader = false;
	reader_handed(reader);
	world.handed += world.batch;
	world.batch = 0;
}

/* Interleaves until `drops` packets have been dropped. Returns the reader that is alive then. */
static struct reader *run(uint64_t drops)
{
	struct reader *volatile reader = new_reader();

	while (world.drops < drops) {
		if (setjmp(world.killed)) {
			world.in_reader = false;
			world.kills++;
			world.batch = 0;
			free(reader->cpu); /* not the ring: it is ours */
			free(reader->waiting);
			free(reader);
			reader = new_reader();
		}
		for (unsigned i = chance(40); i; i--)
			writer_step(&world.writer[chance(CPUS)]);
		read_once(reader);
	}
	quiet();
	return reader;
}

static void begin(unsigned keys, unsigned writing, unsigned killing)
{
	const char *seed = getenv("ZW_SEED");
	int fd = memfd_create("ring", 0);

	memset(&world, 0, sizeof(world));
	world.keys = keys;
	world.writing = writing;
	world.killing = killing;
	world.seed = seed ? strtoull(seed, NULL, 0) : 0x5eed0000u + keys * 1000 + writing;
	print_message("# seed %#llx\n", (unsigned long long)world.seed);
	assert_true(fd >= 0 && ftruncate(fd, RING_SIZE) == 0);
	world.data = mmap(NULL, 2 * RING_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(world.data, MAP_FAILED);
	for (int i = 0; i < 2; i++)
		assert_ptr_equal(mmap(world.data + i * RING_SIZE, RING_SIZE, PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_FIXED, fd, 0), world.data + i * RING_SIZE);
	close(fd);
}

static void end(struct reader *reader)
{
	reader->ring = (struct ring){ 0 };
	reader_free(reader);
	munmap(world.data, 2 * RING_SIZE);
}

static void check_sums(struct reader *reader)
{
	struct events_totals totals;

	assert_int_equal(events_totals(reader, &totals), 0);
	assert_int_equal(totals.logged, world.drops);
	assert_int_equal(world.handed + totals.lost + totals.pending, world.drops);
	assert_int_equal(reader->strange, 0);
}

/* With traffic stopped, a drain and a scan leave nothing pending, and each packet stands with its rule. */
static void finish(struct reader *reader)
{
	struct events_totals totals;

	check_sums(reader);
	while (reader_drain(reader, 100, note, NULL))
		;
	reader_scan(reader, note, NULL);
	reader_handed(reader);
	world.handed += world.batch;
	world.batch = 0;
	assert_int_equal(events_totals(reader, &totals), 0);
	assert_int_equal(totals.pending, 0);
	assert_int_equal(totals.ring_used, 0);
	assert_int_equal(world.handed + totals.lost, world.drops);
	if (!world.kills)
		assert_memory_equal(world.by_rule, world.told_by_rule, sizeof(world.by_rule));
	print_message("# %llu drops, %llu events, %llu kills (%llu packets lost), ring full %llu times\n",
		      (unsigned long long)world.drops, (unsigned long long)world.events,
		      (unsigned long long)world.kills, (unsigned long long)totals.lost,
		      (unsigned long long)world.full);
	end(reader);
}

static void one_flow(void **state)
{
	(void)state;
	begin(1, 128, 0);
	finish(run(1000000));
}

static void many_flows(void **state)
{
	(void)state;
	begin(40, 128, 0);
	finish(run(1000000));
}

static void writers_much_faster_than_the_reader(void **state)
{
	(void)state;
	begin(200, 240, 0);
	finish(run(1000000));
	assert_true(world.full > 1000);
}

static void reader_faster_than_the_writers(void **state)
{
	(void)state;
	begin(40, 20, 0);
	finish(run(300000));
}

static void killed_again_and_again(void **state)
{
	(void)state;
	begin(40, 100, 200);
	finish(run(1000000));
	assert_true(world.kills > 1000);
}

static void stopped_reader_leaves_all_pending(void **state)
{
	struct reader *reader;
	struct events_totals totals;

	(void)state;
	begin(40, 0, 0);
	while (world.drops < 100000)
		writer_step(&world.writer[chance(CPUS)]);
	quiet();
	reader = new_reader();
	assert_int_equal(events_totals(reader, &totals), 0);
	assert_int_equal(totals.pending, world.drops);
	assert_true(totals.ring_used > 0);
	assert_int_equal(world.consumer, 0);
	finish(reader);
}

/* The position and incarnations wrap like any counter; 0 is no incarnation, so BPF leaves it out. */
static void incarnations_grow_past_the_half(void **state)
{
	struct collected collected = { .total = 7, .incarnation = 0x7fffffff };
	struct reader *reader;

	(void)state;
	begin(1, 0, 0);
	reader = new_reader();
	assert_int_equal(advance(reader, &collected, 0x80000000u, 3), 3);
	assert_int_equal(advance(reader, &collected, 0x7fffffffu, 9), 0);
	assert_int_equal(advance(reader, &collected, 0x80000000u, 3), 0);
	assert_int_equal(advance(reader, &collected, 0x80000000u, 5), 2);
	collected.incarnation = 0xffffffffu;
	assert_int_equal(advance(reader, &collected, 1, 1), 1);
	end(reader);
}

static void records_without_sense_are_left_out(void **state)
{
	static const struct { uint16_t cpu; uint32_t entry, incarnation; } rows[] = {
		{ CPUS, 0, 1 }, { 0xffff, 0, 1 }, { 0, ZW_EVENT_ALL_ENTRIES, 1 }, { 0, 0xffffffff, 1 }, { 0, 0, 0 },
	};
	struct reader *reader;
	struct zw_event *event;

	(void)state;
	begin(1, 0, 0);
	reader = new_reader();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		event = reserve(&world.writer[0]);
		event->cpu = rows[i].cpu;
		event->entry = rows[i].entry;
		event->incarnation = rows[i].incarnation;
		event->total = 1;
		submit(&world.writer[0]);
	}
	reader_drain(reader, 100, note, NULL);
	assert_int_equal(reader->strange, sizeof(rows) / sizeof(rows[0]));
	assert_int_equal(world.events, 0);
	end(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_flow),
		cmocka_unit_test(many_flows),
		cmocka_unit_test(writers_much_faster_than_the_reader),
		cmocka_unit_test(reader_faster_than_the_writers),
		cmocka_unit_test(killed_again_and_again),
		cmocka_unit_test(stopped_reader_leaves_all_pending),
		cmocka_unit_test(incarnations_grow_past_the_half),
		cmocka_unit_test(records_without_sense_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
