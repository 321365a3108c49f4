/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The list of aims (design section 13): what each row must reach, and what it should. A row with several bounds stands
 * here once for each. What is compared is a figure's ratio, or its value where it has none.
 */
#ifndef ZW_AIMS_H
#define ZW_AIMS_H

#include <stdbool.h>
#include <stddef.h>

struct aim {
	const char *row; /* what figures name */
	const char *measure;
	double must, aim;
	bool at_least; /* else at most */
};

extern const struct aim aims[];
extern const size_t aim_count;

/* NULL: there is no such row. */
const struct aim *aim_find(const char *row);

/* Met is what must be; reached, the aim. */
enum aim_reached { AIM_MISSED, AIM_MET, AIM_REACHED };
enum aim_reached aim_judge(const struct aim *aim, double compared);

#endif
