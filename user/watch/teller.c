// SPDX-License-Identifier: GPL-2.0-only
#include "watch/teller.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "kernel/pins.h"

#define BATCH 256 /* records between two writes */
#define BATCHES 32 /* in a row, before others have their turn */

struct teller {
	const char *name;
	struct instance *instance;
	struct reader *reader;
	struct decorator *decorator;
	struct store *store;
	struct output *output;
	ino_t gate; /* inode of the gate's pin */
	uint64_t lost;
	unsigned told; /* events of this turn */
};

static ino_t gate_inode(const char *name)
{
	char path[PATH_MAX];
	struct stat status;

	pins_path(path, name, "/gate/zw_gate");
	return stat(path, &status) ? 0 : status.st_ino;
}

static int open_all(struct teller *teller)
{
	int r;

	teller->gate = gate_inode(teller->name); /* first: if it changes meanwhile, teller_is_current() will say so */
	r = instance_open(teller->name, &teller->instance);
	if (r)
		return r;
	r = reader_open(teller->instance, true, &teller->reader);
	if (r)
		return r;
	teller->decorator = decorator_new(teller->instance);
	return teller->decorator ? 0 : -ENOMEM;
}

int teller_open(const char *name, struct store *store, struct output *output, struct teller **ret_teller)
{
	struct teller *teller = calloc(1, sizeof(*teller));
	int r;

	if (!teller)
		return -ENOMEM;
	teller->name = name;
	teller->store = store;
	teller->output = output;
	r = open_all(teller);
	if (r) {
		teller_free(teller);
		return r;
	}
	teller->lost = reader_adopt(teller->reader);
	*ret_teller = teller;
	return 0;
}

void teller_free(struct teller *teller)
{
	if (!teller)
		return;
	decorator_free(teller->decorator);
	reader_free(teller->reader);
	instance_free(teller->instance);
	free(teller);
}

const struct instance *teller_instance(const struct teller *teller)
{
	return teller->instance;
}

const struct reader *teller_reader(const struct teller *teller)
{
	return teller->reader;
}

int teller_fd(const struct teller *teller)
{
	return instance_ring_fd(teller->instance);
}

uint64_t teller_lost(const struct teller *teller)
{
	return teller->lost;
}

static void take(void *context, const struct told *told)
{
	struct teller *teller = context;
	struct event event;

	decorator_decorate(teller->decorator, told, &event);
	output_add(teller->output, &event);
	store_add(teller->store, &event); /* out of memory: the event is written, but history has a gap */
	teller->told++;
}

/* Written first, then no longer "being handed on": what a kill hides is what stands in between. */
static void hand_on(struct teller *teller)
{
	output_flush(teller->output);
	reader_handed(teller->reader);
}

unsigned teller_read(struct teller *teller)
{
	bool more = true;

	teller->told = 0;
	for (int i = 0; more && i < BATCHES; i++) {
		more = reader_drain(teller->reader, BATCH, take, teller);
		hand_on(teller);
	}
	return teller->told;
}

unsigned teller_tick(struct teller *teller)
{
	teller->told = 0;
	decorator_tick(teller->decorator);
	reader_scan(teller->reader, take, teller);
	hand_on(teller);
	return teller->told;
}

bool teller_is_current(const struct teller *teller)
{
	return gate_inode(teller->name) == teller->gate;
}
