/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `audit` found out, for its text and its JSON.
 */
#ifndef ZW_AUDITED_H
#define ZW_AUDITED_H

#include "base/diag.h"
#include "cmd/command.h"
#include "simulate/audit.h"
#include "simulate/left.h"

struct json_object;

struct audited {
	struct policy *policy;
	struct tables *tables;
	struct diag *diag;
	struct audit_options options;
	struct audit audit;
	struct left left; /* of partly shadowed rules */
	struct json_object *rules; /* the report of `zonewall rules`; NULL: usage is not known */
};

/* The argument of --wide, which `check` has too: a length, or two with a comma. 0 or an exit status. */
extern const unsigned audit_wide_default[2];
int audit_read_wide(const char *command, const char *text, unsigned wide[2]);

/* audit_text.c, audit_json.c: to stdout. */
int audited_print(const struct audited *audited); /* 0 or -ENOMEM */
void audited_print_json(const struct audited *audited);

size_t audited_zones(const struct audited *audited); /* declared ones */

/* Do rules name host or world, whose addresses are not known? */
bool audited_lacks_host(const struct audited *audited);

#endif
