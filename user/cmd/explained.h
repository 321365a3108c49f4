/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `explain` found out, and the words that its text and its JSON share.
 */
#ifndef ZW_EXPLAINED_H
#define ZW_EXPLAINED_H

#include "cmd/command.h"
#include "cmd/moment_words.h"
#include "compile/tables.h"
#include "simulate/explain.h"
#include "simulate/reach.h"
#include "watch/buffer.h"

#define SHOWN_MAX 3 /* examples of each verdict */
#define NOTES_MAX 5

/* From an instant on something else decides, since a rule has ended. */
struct follows {
	int64_t from; /* Unix seconds */
	enum zw_reason reason;
	const struct rule *rule; /* NULL for other reasons */
};

struct explained {
	struct question question;
	struct policy *policy;
	const struct tables *tables; /* compiled, or the running ones */
	struct tables *compiled;
	struct diag *diag;
	uint32_t generation; /* that is running; 0: it is about files */
	int64_t at; /* when, Unix seconds */
	bool has_at; /* it was asked for */

	bool is_packet; /* about one packet; else about sets */
	struct first_packet packet; /* of sets: sport, interface, egress */
	struct explanation explanation; /* of one packet */
	struct follows *follows; /* what becomes of it later, one after the other; grows by array_grow */
	size_t follows_count;
	struct reach reach; /* of sets */
	char note[NOTES_MAX][256];
	size_t note_count;
};

/* explain_answer.c: fills in explanation and follows, or reach. An exit status; what is wrong has been told. */
int explained_answer(struct explained *explained);

/* explain_block.c: of what is running, what is on the block list. Cannot fail, but perhaps warns. */
void explained_note_blocks(struct explained *explained, const char *instance);

/* explain_text.c, explain_json.c: to stdout. 0 or -ENOMEM. */
int explained_print(const struct explained *explained, bool colour);
int explained_print_json(const struct explained *explained);

/* "policies/web.yaml:14"; "" for what stands in no file (the default failsafe). */
void put_place(struct buffer *buffer, const struct explained *explained, const struct place *place);

/* "tcp", "proto/47" */
void put_protocol(struct buffer *buffer, uint8_t protocol);

/* "tcp/5432", "icmp/8/0", "proto/47" */
void put_packet_service(struct buffer *buffer, const struct first_packet *packet);

/* As the rule has it, and what that means where it is a name: "postgres (tcp/5432)". */
void put_rule_service(struct buffer *buffer, const struct rule *rule);

/* Any of these: the first four names. */
void put_zone_list(struct buffer *buffer, const struct policy *policy, const unsigned *zones, size_t count);

/* All the zones of an address. Returns how many. */
size_t put_zones_of(struct buffer *buffer, const struct policy *policy, const struct addr *addr);

/* What the rule's side lacks: has it no address of this family? */
bool lacks_family(const struct policy *policy, const struct zone_list *list, int family);

/* "at most 50 new flows a second", "TLS 1.2", "until …"; false: the rule has no conditions. */
bool put_conditions(struct buffer *buffer, const struct rule *rule, int64_t now);

/*
 * The outcomes of one verdict that are shown, the first few. Essential packets are part of the answer only where there are
 * no others. Returns how many there are in all.
 */
size_t shown_outcomes(const struct reach *reach, bool allow, const struct reach_outcome *ret_shown[SHOWN_MAX]);

/* The rule with this number in the tables. NULL: number 0. */
const struct rule *explained_rule(const struct explained *explained, uint32_t number);

#endif
