/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A policy written out: one file's worth, whatever files and includes it came from.
 *
 * The object has the keys of the language in a fixed order. Services stand as the protocols and ports that they mean,
 * addresses sorted and merged, defaults as what they are. So the text of a policy does not depend on how it was put
 * together, read again it means the same, and written out again it is the same.
 */
#ifndef ZW_CANONICAL_H
#define ZW_CANONICAL_H

#include <json-c/json.h>

#include "policy/policy.h"

/* The caller's to json_object_put(). NULL: out of memory. */
struct json_object *policy_canonical(const struct policy *policy);

/* Parts of it, as lists of texts: "tcp/80", "10.2.0.0/24". */
struct json_object *canonical_service(const struct selectors *selectors);
struct json_object *canonical_addresses(const struct ranges *written);

#endif
