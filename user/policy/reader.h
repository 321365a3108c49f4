/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of this folder share while a policy is read. See README.md for the way from a file to a policy.
 *
 * Reading goes on after a mistake: it is reported where it is found, and what it stood in is left out or kept with what
 * was understood. Running out of memory sets out_of_memory, and the result is thrown away at the end.
 */
#ifndef ZW_POLICY_READER_H
#define ZW_POLICY_READER_H

#include "base/files.h"
#include "base/index.h"
#include "base/util.h"
#include "base/yaml.h"
#include "policy/policy.h"

#define FIX_MAX 256
#define POLICY_FILE_BYTES (64u << 20)
#define FILES_MAX 4096
#define INCLUDE_DEPTH 32

#define ZONES_MAX 16384u
#define RULES_MAX 1048575u
#define PREFIXES_MAX 4000000u
#define RANGES_MAX (64u << 20) /* of all zones' sets together: what unions of unions may grow to */
#define SERVICE_PARTS_MAX 4096u /* of one service */
#define PARTS_MAX (32u << 20) /* of the services of all rules together */
#define SERVICE_DEPTH 32

struct document {
	char *directory; /* what relative paths start from: "" or ends in '/' */
	int file;
	struct yaml_tree *yaml;
	struct file_id id;
};

/* A name that something else may not have, and where it was given. */
struct definition {
	const char *name;
	struct place place;
	const struct node *node;
	const struct document *document;
};

struct definitions {
	struct definition *v;
	size_t count;
	struct index index;
};

enum service_state { SERVICE_UNREAD, SERVICE_READING, SERVICE_READ };

struct service {
	enum service_state state;
	struct selectors selectors;
	bool bad; /* something in it was reported: do not judge what uses it */
};

struct reader {
	struct policy *policy;
	struct diag *diag;
	struct files *files; /* where from; NULL: the file system */
	struct document **documents; /* in the order in which their lists count */
	size_t document_count;
	const struct document *document; /* that is being read */
	struct file_id stack[INCLUDE_DEPTH], *ids; /* files that are open, and all that were met */
	size_t depth, id_count;
	bool incomplete; /* some text could not be read: a name that is missing may stand there */
	bool out_of_memory;

	struct definitions zones, services, tiers, ids_given;
	struct service *service; /* as services.v */
	struct index literals; /* text -> zone */
	struct place defaults_at, tiers_at;
	bool has_defaults, has_tiers, has_failsafe, rules_full, zones_full, prefixes_full, parts_full;
	struct place failsafe_at;
	bool *zone_bad; /* by zone: something in it was reported */
	size_t prefixes, parts;
	size_t candidates; /* names that were compared with misspelt ones */
};

/* The words of a place, for a fix: "policies/zones.yaml:3:3". */
const char *place_print(const struct reader *reader, const struct place *place, char *text, size_t size);

/* Notes that memory ran out; for `if (failed(reader, array_grow(...)))`. */
bool failed(struct reader *reader, int err);

/* load.c */
void load_files(struct reader *reader, const char *const *files, size_t count);
void document_free(struct document *document);
int remember_file(struct reader *reader, const char *path);
char *path_beside(const struct document *document, const char *path); /* caller frees; NULL: out of memory */

/* name.c */
bool name_check(struct reader *reader, const struct node *node, const char *what);
bool define(struct reader *reader, struct definitions *definitions, const struct node *node, const char *name,
	    const char *what);
void report_undefined(struct reader *reader, const struct node *node, const struct definitions *definitions,
		      const char *what, const char *const *builtin);
void definitions_clear(struct definitions *definitions);
bool reason_is_known(const char *name);

/* zones.c, services.c, rules.c, settings.c: the keys of a policy file */
void declare_zones(struct reader *reader, const struct node *key, const struct node *value, void *into);
void declare_services(struct reader *reader, const struct node *key, const struct node *value, void *into);
void read_zones(struct reader *reader);
void read_services(struct reader *reader);
void keep_services(struct reader *reader); /* in the policy; nothing is read that names one afterwards */
bool read_zone_list(struct reader *reader, const struct node *value, struct zone_list *ret_list);
int read_zone(struct reader *reader, const struct node *node); /* index, or -1 */
bool take_prefix(struct reader *reader); /* counts an entry against the limit of all; false: there is no room for it */
void want_time(struct reader *reader, const struct node *value, uint32_t *ret_s); /* 30s, 5m, 1h, 1d; limit.c */
/* Returns whether all of it was understood. */
void read_limit_map(struct reader *reader, const struct node *value, struct limit *limit);
bool read_service(struct reader *reader, const struct node *value, struct selectors *ret_selectors, char **ret_text);
void read_rules(struct reader *reader, const struct node *key, const struct node *value, void *into);
void read_failsafe(struct reader *reader, const struct node *key, const struct node *value, void *into);
void read_never(struct reader *reader, const struct node *key, const struct node *value, void *into);
void read_always(struct reader *reader, const struct node *key, const struct node *value, void *into);
void add_default_failsafe(struct reader *reader);
void read_tests(struct reader *reader, const struct node *key, const struct node *value, void *into);
void read_version(struct reader *reader, const struct node *key, const struct node *value, void *into);
void read_defaults(struct reader *reader, const struct node *key, const struct node *value, void *into);
void read_tiers(struct reader *reader, const struct node *key, const struct node *value, void *into);
void read_interfaces(struct reader *reader, const struct node *key, const struct node *value, void *into);

/* model.c: an order of all zones in which members come before unions. ret_cycle: a zone that contains itself, or -1. */
int zones_order(const struct policy *policy, unsigned *order, int *ret_cycle);

#endif
