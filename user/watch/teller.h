/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The loader's work on events: reads them, names what they speak of, keeps and writes them.
 */
#ifndef ZW_TELLER_H
#define ZW_TELLER_H

#include "watch/output.h"
#include "watch/reader.h"
#include "watch/store.h"

struct teller;

/*
 * Becomes the reader of what is pinned under this name; the caller holds the lock of `run`. store and output are
 * borrowed. -ENOENT: nothing is published; other -errno of instance_open(). Silent.
 */
int teller_open(const char *name, struct store *store, struct output *output, struct teller **ret_teller);
void teller_free(struct teller *teller);

const struct instance *teller_instance(const struct teller *teller);
const struct reader *teller_reader(const struct teller *teller);
int teller_fd(const struct teller *teller); /* readable: there may be records */
uint64_t teller_lost(const struct teller *teller); /* packets that a killed predecessor may not have written */

/* Tells what the ring holds now, within bounds. Returns the number of events. */
unsigned teller_read(struct teller *teller);
/* Once a second: tells what has been counted in the entries. Returns the number of events. */
unsigned teller_tick(struct teller *teller);

/* False: the instance was taken down, or made anew. */
bool teller_is_current(const struct teller *teller);

#endif
