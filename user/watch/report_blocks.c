// SPDX-License-Identifier: GPL-2.0-only
#include "watch/report_blocks.h"

#include <json-c/json.h>
#include <time.h>

#include "base/util.h"
#include "kernel/jiffies.h"
#include "watch/report.h"

struct json_object *report_block_list(struct json_object *entries)
{
	struct json_object *report = json_object_new_object();

	json_object_object_add(report, "schema", json_object_new_string("zonewall.blocks/1"));
	json_object_object_add(report, "entries", entries);
	return report;
}

struct json_object *report_block(const struct blocked *blocked, const struct block_note *note, uint64_t now)
{
	struct json_object *entry = json_object_new_object();
	bool for_ever = blocked->until == ZW_BLOCK_FOR_EVER;
	uint64_t left_s = for_ever ? 0 : (blocked->until - now + jiffies_hz() - 1) / jiffies_hz();
	char text[RANGE_TEXT_MAX];

	blocked_print(blocked, text);
	json_object_object_add(entry, "address", json_object_new_string(text));
	json_object_object_add(entry, "by", json_object_new_string(blocked->is_ban ? "limit" : "command"));
	json_object_object_add(entry, "since", note ? report_time(note->since) : NULL);
	json_object_object_add(entry, "until", for_ever ? NULL : report_time(time(NULL) + left_s));
	json_object_object_add(entry, "left_s", for_ever ? NULL : json_object_new_uint64(left_s));
	json_object_object_add(entry, "reason", note && *note->reason ? json_object_new_string(note->reason) : NULL);
	return entry;
}

static struct json_object *list(const struct zw_blocks *blocks, const char *name)
{
	_cleanup_free_ struct block_note *notes = NULL;
	_cleanup_free_ struct blocked *blocked = NULL;
	struct json_object *entries;
	size_t count, note_count = 0;
	uint64_t now;

	if (jiffies_now(&now) || blocks_read(blocks, now, &blocked, &count))
		return NULL;
	if (block_book_read(name, &notes, &note_count))
		note_count = 0; /* reasons are lost, the list is not */
	entries = json_object_new_array();
	for (size_t i = 0; i < count; i++)
		json_object_array_add(entries, report_block(&blocked[i], blocked[i].is_ban ? NULL :
							    block_book_find(notes, note_count, &blocked[i]), now));
	return report_block_list(entries);
}

struct json_object *report_blocks(const struct instance *instance, const char *name)
{
	struct json_object *report;
	struct zw_blocks *blocks;

	(void)instance;
	if (blocks_open(name, false, &blocks))
		return NULL;
	report = list(blocks, name);
	blocks_close(blocks);
	return report;
}
