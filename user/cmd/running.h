/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The policy that decides now: its files as they were read when it was applied, and the tables that the kernel has. For
 * commands that otherwise take files.
 */
#ifndef ZW_RUNNING_H
#define ZW_RUNNING_H

#include "base/addr.h"
#include "cmd/command.h"
#include "compile/tables.h"

struct files;
struct generation;
struct instance;

struct running {
	struct instance *instance;
	struct generation *generation;
	struct files *files;
	struct tables tables; /* the generation's; its bytes and names are borrowed from there */
	struct ranges host; /* addresses of this host */
};

/* Returns an exit status, having told what is wrong. */
int running_open(const struct globals *globals, struct running *ret_running);
/* The same; if nothing is published, or everything passes, instance stays NULL. */
int running_open_if_any(const struct globals *globals, struct running *ret_running);
void running_close(struct running *running);

#endif
