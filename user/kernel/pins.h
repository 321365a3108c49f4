/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Paths and files of an instance: its pins on the BPF file system, its lock, and the small record ("book") that is
 * pinned beside the gate. instance.h lists the pins.
 *
 * The folder of an instance appears whole or not at all: it is filled as "abi-N-new" and renamed. `down` renames it to
 * "abi-N-gone" before it takes it apart. Whoever holds the lock first finishes what a killed process left. Folders of several
 * ABIs stand side by side only while one is being taken over (predecessor.h).
 */
#ifndef ZW_PINS_H
#define ZW_PINS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/instance.h"
#include "zonewall.h"

/* What zw_names holds before the layout, the guarded ranges of IPv4 and of IPv6 (struct range), and the names' bytes. */
struct names_header {
	uint32_t part; /* number of ZW_PART_GENERATION */
	uint32_t layout_len;
	uint64_t tables_len;
	uint64_t names_len;
	uint64_t guarded[2]; /* ranges of IPv4, of IPv6 */
};

#define PINS_ROOT "/sys/fs/bpf"
#define PINS_OWN PINS_ROOT "/zonewall"

/* What an attach point is, kept by slot so that an event can name it later too. ifindex 0: never used. */
struct book_slot {
	uint32_t ifindex;
	uint8_t hook; /* enum zw_hook */
	uint8_t mode; /* enum attach_mode */
	uint8_t attached;
	uint8_t own_qdisc; /* clsact: the qdisc is ours to remove */
	uint64_t released; /* a counter, so that the oldest is given away first; 0 while attached */
	char ifname[16];
};

#define BOOK_MAGIC 0x7a77626bu
#define BOOK_PARTS 15

/* Written under the lock only; readers see each word whole. */
struct book {
	/* 64 bytes that never change, for a zonewall of any ABI to read. */
	uint32_t magic;
	uint32_t part[BOOK_PARTS]; /* numbers by enum zw_part; 0: it has no such part */
	uint32_t generation; /* the highest number that was given out */
	uint32_t reverted; /* that was not confirmed in time, until the next one is published; 0 none */
	uint64_t releases;
	uint64_t netns[2]; /* device and inode of the network namespace that the interface indices belong to */
	struct book_slot slot[ZW_POINT_SLOTS];
};

/* Text of PATH_MAX bytes: "<instance's folder>/<file>" with printf's formatting. */
void pins_path(char *ret_path, const char *instance, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same in the folder of another ABI. */
void pins_path_of(char *ret_path, const char *instance, unsigned abi, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Has a zonewall of another ABI published this instance? 0: no; else its number, one of them if there are several. Silent. */
unsigned pins_other_abi(const char *instance);
/* That, and this ABI has not. */
bool pins_are_others(const char *instance);
/* Removes the folders of any ABI that a killed process was making, or taking apart. */
void pins_remove_leftovers(const char *instance);

/*
 * Sees to it that PINS_OWN is on a BPF file system that outlives this process, ours and closed to others; mounts the
 * file system if it is missing. Tells what is wrong.
 */
int pins_prepare(void);

/* mkdir -p with this mode for the last folder. 0 or -errno, silent. */
int pins_mkdir(const char *path, mode_t mode);
/* rm -r, silent. Unlinking a pin only drops a reference; links must be detached before, if that must be at once. */
void pins_remove(const char *path);

/* Takes the instance's lock; waits for up to a minute. Tells who holds it. */
int pins_lock(const char *instance, int *ret_fd);

/* Does another process hold the lock now? For those who had rather come back than wait. */
bool pins_are_locked(const char *instance);

/* Maps the whole value of a pinned array map of exactly this value size. -EPROTO: it is another map. Silent. */
int pins_map(const char *path, size_t value_size, bool writable, void **ret_memory);
/* The same, read-only, of any size. */
int pins_map_whole(const char *path, const void **ret_memory, size_t *ret_value_size);
/* The first bytes of it, which cost less than all of it. -EPROTO: there are not so many. */
int pins_map_head(const char *path, size_t len, const void **ret_memory);
size_t pins_mapped_len(size_t value_size);

/* Numbers of the generations that are pinned, ascending. The caller frees with free(). 0 or -errno, silent. */
int pins_generations(const char *instance, uint32_t **ret_numbers, size_t *ret_count);

/* generation_open() without an opened instance, and without the tables. */
int pins_open_generation(const char *instance, uint32_t number, struct generation **ret_generation);
/* And the tables, afterwards. 0 or -errno, silent. */
int pins_map_tables(const char *instance, struct generation *generation);

/* What its policy's failsafe entries let in, but from anywhere (struct tables). The caller clears it. Silent. */
int pins_read_guarded(const char *instance, uint32_t number, struct ranges *ret_guarded);

/* A pinned generation's layout alone. Silent. */
int pins_read_layout(const char *instance, uint32_t number, struct zw_layout *ret_layout);

/* Creates an array map with one mappable value. Returns a descriptor or -errno. */
int pins_create_array(const char *name, size_t value_size);

#endif
