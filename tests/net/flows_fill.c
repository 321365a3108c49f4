// SPDX-License-Identifier: GPL-2.0-only
/*
 * flows_fill INSTANCE COUNT FAMILY: opens so many flows in an instance's table, through its map, as if packets had come:
 * established connections from 10.192.0.0/10 (fd40::/10) to port 443 of 10.128.0.0/16 (fd80::/16), by rule 1 of the
 * generation that decides. Each has 2 packets of 120 bytes from its opener. Prints how many it opened.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "fill.h"
#include "flow_count.h"
#include "kernel/instance.h"
#include "kernel/jiffies.h"
#include "kernel/pins.h"

static void ends_of(int family, unsigned number, struct ends *ends)
{
	*ends = (struct ends){ .protocol = PROTO_TCP, .sport = bpf_htons(1024 + number % 60000), .dport = bpf_htons(443) };
	if (family == 4) {
		ends->source[0] = bpf_htonl(0x0ac00000 + number);
		ends->destination[0] = bpf_htonl(0x0a800000 + number % 65521);
		return;
	}
	ends->source[0] = bpf_htonl(0xfd400000 + number % 1021);
	ends->source[3] = bpf_htonl(number);
	ends->destination[0] = bpf_htonl(0xfd800000);
	ends->destination[2] = bpf_htonl(number % 65521);
}

/* A table of a pinned map, writable. */
static int open_table(const char *instance, int family, struct flow_table *table)
{
	char path[PATH_MAX];
	void *memory;
	int r = flow_table_map(instance, family, table);

	if (r)
		return r;
	pins_path(path, instance, "/state/zw_flows%d", family);
	r = pins_map(path, table->layout.size, true, &memory);
	if (!r)
		table->memory = memory;
	return r;
}

static unsigned fill(const struct flow_table *table, unsigned count, uint64_t now, uint32_t generation)
{
	struct opening opening = { .now = now, .generation = generation, .cell = ZW_CELL_ALLOW | 1, .port = 443,
				   .state = ZW_FLOW_TCP_ESTABLISHED, .recent = recent_word(2, 120), .alone = 1 };
	unsigned opened = 0;
	struct choice choice;
	struct ends ends;
	struct flow flow;

	for (unsigned number = 0; opened < count && number < 4 * count; number++) {
		ends_of(table->family, number, &ends);
		if (!fill_open(table, &ends, &opening, &choice) || !fill_find(table, &ends, now, &flow))
			continue;
		/* Those after it must not take its place. */
		flow.slot->head |= FLOW_CONFIRMED; /* its hint says less: that is looked at */
		opened++;
	}
	return opened;
}

int main(int argc, char **argv)
{
	struct instance *instance;
	struct flow_table table;
	uint64_t now;

	if (argc != 4) {
		fprintf(stderr, "usage: flows_fill INSTANCE COUNT 4|6\n");
		return 2;
	}
	if (instance_open(argv[1], &instance) || open_table(argv[1], atoi(argv[3]), &table) || jiffies_now(&now)) {
		fprintf(stderr, "flows_fill: cannot open instance %s\n", argv[1]);
		return 1;
	}
	printf("%u\n", fill(&table, strtoul(argv[2], NULL, 10), now, instance_current(instance)));
	instance_free(instance);
	return 0;
}
