/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How analysis.h's findings are made: each case of a matrix is judged by itself, and what is found is gathered over all.
 *
 *   judge.c     one case: which entry decides which piece of the port classes, and what would without it
 *   unknown.c   what is not certain while the host's addresses are not known
 *   analyse.c   all cases
 */
#ifndef ZW_COMPILE_ANALYSE_H
#define ZW_COMPILE_ANALYSE_H

#include "compile/analysis.h"
#include "compile/matrix.h"
#include "policy/packets.h"

/* 0 or -ENOMEM. The caller frees with analysis_free. */
int analyse(const struct policy *policy, const struct matrix *matrix, struct analysis **ret_analysis);

/* What is known of an entry, over all cases. Staged ones match nothing here. */
struct finding {
	bool decides; /* at least one cell (or passes it on) */
	bool loses; /* others decide at least one cell of its region */
	bool differs; /* a cell would have another verdict without it */
	uint16_t looks;
	uint32_t decided; /* pieces of this case */
	struct named by, instead;
};

#define FREE 0xffffffffu /* no entry matches */

/*
 * One tier of one case: of each piece the first and the second entry that match it. Two are enough: without the first,
 * the second decides.
 */
struct tier {
	uint32_t number; /* as in its entries */
	uint32_t *first, *second;
};

struct analyser {
	const struct policy *policy;
	const struct matrix *m;
	struct finding *finding; /* of each entry */
	struct lists near; /* of each combination: entries that can be first or second in a tier */
	uint32_t *before[ORIGINS]; /* of each port class: how many classes below it have packets of the origin */
	uint8_t *origins[2]; /* of each source (destination) end: of which origins there are packets */
	uint8_t any_origins[2];
	bool naming; /* who follows a rule is noted */

	/* A case. */
	struct case_entries entries;
	ARRAY(uint32_t) list; /* those of its entries that are judged */
	struct pieces pieces;
	ARRAY(uint32_t) real_before; /* of each piece: how many before it have packets */
	ARRAY(uint32_t) words; /* `tier` points into it */
	ARRAY(struct tier) tier;
	ARRAY(uint32_t) next; /* as pieces.next, for the second match */
};

static inline const struct entry *entry_at(const struct analyser *a, uint32_t entry)
{
	return &a->m->entries->all.v[entry];
}

/* A verdict: allow or drop, and whether it always is the same. `by` is the entry or FREE. */
struct verdict {
	uint32_t by;
	bool allow, varies;
};

/* Are there packets of one of these origins to port classes first..end - 1? */
bool analyser_has_packets(const struct analyser *a, unsigned origins, uint32_t first, uint32_t end);

/* The matches of all tiers by the entries of the list, where there are packets of these origins. 0 or -ENOMEM. */
int judge_fill(struct analyser *a, const uint32_t *list, size_t count, unsigned origins);

/* Of the case that is filled in: who decides, and what would without. find_deciders also names who decides before an entry. */
void judge_deciders(struct analyser *a);
void judge_followers(struct analyser *a);
void judge_name_deciders(struct analyser *a, uint32_t entry);

struct verdict judge_verdict(const struct analyser *a, uint32_t entry);
/* Is the rule there for its `log`? `by`, which follows it (FREE: the default), would send other events. */
bool judge_is_heard(const struct analyser *a, uint32_t entry, uint32_t by);

/* Does the entry name `host` or `world`, while they are not known? */
bool unknown_names(const struct analyser *a, uint32_t entry);
/* Takes back what such entries could make untrue. 0 or -ENOMEM. */
int unknown_doubt(struct analyser *a);

#endif
