// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/limits.h"

#include <errno.h>
#include <sys/mman.h>

#include "compile/timeouts.h"
#include "kernel/jiffies.h"
#include "kernel/pins.h"
#include "tokens.h"

static uint64_t count_used(const struct zw_limit_set *sets, size_t count, uint64_t now_ns)
{
	uint64_t used = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < ZW_LIMIT_WAYS; j++) {
			uint64_t level = load_word(&sets[i].level[j]);

			used += (level & LIMIT_STATE) == LIMIT_LIVE && missing_ns(level, now_ns);
		}
	return used;
}

int limits_count_all(const char *instance, struct limits_census *ret_census)
{
	const struct zw_limits *limits;
	char path[PATH_MAX];
	uint64_t jiffies;
	size_t size;
	int error = jiffies_now(&jiffies);

	pins_path(path, instance, "/state/zw_limits");
	if (!error)
		error = pins_map_whole(path, (const void **)&limits, &size);
	if (error)
		return error;
	if (size == sizeof(*limits)) {
		uint64_t now_ns = jiffies * limit_tick_ns(jiffies_hz());

		*ret_census = (struct limits_census){
			.sources = count_used(limits->sources, ZW_LIMIT_SOURCE_SETS, now_ns),
			.rules = count_used(limits->rules, ZW_LIMIT_RULE_SETS, now_ns),
			.room = ZW_LIMIT_SOURCE_SETS * ZW_LIMIT_WAYS,
			.shared = load_word(&limits->shared),
		};
	} else {
		error = -EPROTO;
	}
	munmap((void *)limits, pins_mapped_len(size));
	return error;
}
