/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A set of places (protocol, port) in the words a person would use for it: names of the policy's services where they fit,
 * forms of the language for the rest, and what is missing where that is shorter: "web", "tcp/8000-8099", "tcp but ssh",
 * "all but ssh, web", "other protocols" (than those with ports or types), "any".
 */
#ifndef ZW_SERVICE_WORDS_H
#define ZW_SERVICE_WORDS_H

#include <json-c/json.h>

#include "policy/policy.h"

/* places is a part of possible; both name every protocol, and no place twice. The list, of texts, is the caller's to
 * json_object_put(). 0 or -ENOMEM. */
int service_words(const struct policy *policy, const struct selectors *possible,
		  const struct selectors *places, struct json_object **ret_list);

/* How many places of a set are in a service. */
uint64_t service_common(const struct selectors *places, const struct selectors *service);

#endif
