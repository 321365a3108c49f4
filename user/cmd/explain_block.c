// SPDX-License-Identifier: GPL-2.0-only
/* What `explain --running` says of the block list: it decides before the policy does. */
#include "base/util.h"
#include "cmd/explained.h"
#include "kernel/blocks.h"
#include "kernel/edge.h"
#include "kernel/jiffies.h"

static void note_end(struct explained *x, const struct zw_blocks *blocks, const struct addr *addr, uint64_t now)
{
	char text[ADDR_TEXT_MAX], prefix[RANGE_TEXT_MAX];
	struct blocked blocked;

	if (x->note_count == NOTES_MAX || !blocks_find((struct zw_blocks *)blocks, addr, now, &blocked))
		return;
	addr_print(addr, text);
	blocked_print(&blocked, prefix);
	snprintf(x->note[x->note_count++], sizeof(x->note[0]),
		 "%s is on the block list (%s%s): packets from and to it are dropped as blocked, unless failsafe lets them in", text,
		 prefix, blocked.is_ban ? ", by a limit" : "");
}

static void note_any(struct explained *x, const struct zw_blocks *blocks, uint64_t now)
{
	_cleanup_free_ struct blocked *list = NULL;
	size_t count = 0;

	if (x->note_count < NOTES_MAX && !blocks_read(blocks, now, &list, &count) && count)
		snprintf(x->note[x->note_count++], sizeof(x->note[0]),
			 "%zu prefixes are on the block list, and do not count here (zonewall block --list)", count);
}

void explained_note_blocks(struct explained *x, const char *instance)
{
	struct zw_blocks *blocks;
	uint64_t now;
	int r = blocks_open(instance, false, &blocks);

	if (r) {
		edge_warn("the block list cannot be read: %s", strerror(-r));
		return;
	}
	if (jiffies_now(&now)) {
		edge_warn("the block list cannot be read: the kernel's clock refuses");
	} else if (x->is_packet) {
		note_end(x, blocks, &x->packet.from, now);
		note_end(x, blocks, &x->packet.to, now);
	} else {
		note_any(x, blocks, now);
	}
	blocks_close(blocks);
}
