/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Admission: what tables take and what packets may have to read of them, for those who decide whether to load them; and
 * the budget that they must keep to (--budget).
 */
#ifndef ZW_BUDGET_H
#define ZW_BUDGET_H

#include <json-c/json.h>
#include <stdint.h>

#include "compile/tables.h"

/* The text of --budget in the help of all commands that have it. */
#define BUDGET_HELP "refuse tables of more than this, as in 64M (default: a quarter of RAM, at most 512M)"

/* Reads the option's argument. Returns an exit status, having told what is wrong. */
int budget_read(const char *command, const char *text, uint64_t *ret_bytes);

/* Three lines for people. `cpus`: of how many the rules' counters are summed; 0: told for one. */
void budget_print(const struct tables *tables, unsigned cpus);
/* Adds the same to the object that describes the tables. */
void budget_add_json(struct json_object *object, const struct tables *tables);

#endif
