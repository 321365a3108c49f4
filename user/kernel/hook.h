/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One hook of one interface: puts a program there, takes it away, and says what is there. Everything is silent.
 */
#ifndef ZW_HOOK_H
#define ZW_HOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/instance.h"
#include "zonewall.h"

/* XDP or TCX: a link, pinned at path. 0 or -errno; nothing is left behind on failure. */
int hook_link(int program, unsigned ifindex, enum zw_hook hook, enum attach_mode mode, const char *path);
/* Detaches the link pinned at path, at once, and removes the pin. */
int hook_unlink(const char *path);
/*
 * The link pinned at `from` gets another program, in one store, and is pinned at `to` instead. Where another link is attached
 * by `to`, this one is detached. No such link, or one whose interface is gone, is no error.
 */
int hook_hand_over(const char *from, const char *to, int program);
/* What the pinned link holds; ifindex 0: its interface is gone. 0 or -errno. */
int hook_read_link(const char *path, unsigned *ret_ifindex, uint32_t *ret_program_id);

int hook_read_link_fd(int link, unsigned *ret_ifindex, uint32_t *ret_program_id);

/* clsact: our filter, in place of one that is there. *ret_made_qdisc: the qdisc was not. After an error the filter may be there. */
int hook_add_filter(int program, unsigned ifindex, enum zw_hook hook, bool *ret_made_qdisc);
int hook_remove_filter(unsigned ifindex, enum zw_hook hook);
int hook_remove_qdisc(unsigned ifindex);
int hook_read_filter(unsigned ifindex, enum zw_hook hook, uint32_t *ret_program_id); /* of our filter, 0: there is none */

/* Ids of the programs on a TCX hook, first to run first; -errno if the kernel has none. */
int hook_read_tcx(unsigned ifindex, enum zw_hook hook, uint32_t *ret_ids, size_t max);

/* "program 42 'name'", as far as the rights allow. */
void hook_describe_program(uint32_t id, char *ret_text, size_t len);

#endif
