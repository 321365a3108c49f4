/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writing YAML that people read and every reader of YAML understands alike: maps in blocks down to the second level,
 * lists of maps an entry a line, all else in flow style, broken where a line grows long. What a reader might take for
 * something else than a string (yes, 1.2, a date) is quoted.
 */
#ifndef ZW_YAML_PRINT_H
#define ZW_YAML_PRINT_H

#include <json-c/json.h>
#include <stdio.h>

void yaml_print(struct json_object *map, FILE *to);

#endif
