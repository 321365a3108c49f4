/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A flow as programs and people read it.
 *
 * As JSON (a contract, schema "zonewall.flow/1") it is one object a line with always the same fields; what is not known
 * is null. "from" opened the flow. Times are seconds; "idle" may be up to 256 jiffies too long, since times are not
written for each packet. "id" is the identifier of an ICMP echo.
 * "staged": the staged rule that would drop its first packet. "protected": newer flows cannot take its place. "stale": the policy that is current has not decided it yet.
 */
#ifndef ZW_FLOW_LINE_H
#define ZW_FLOW_LINE_H

#include "watch/buffer.h"
#include "watch/flow_source.h"

#define FLOW_SCHEMA "zonewall.flow/1"
#define FLOW_CHANGING_SCHEMA "zonewall.changing/1" /* {"schema":...,"flows":N}: slots that could not be read */
#define FLOW_COUNT_SCHEMA "zonewall.flow-count/1" /* {"schema":...,"flows":N,"changing":N} */

/* "syn", "established", ...; "" for none. Those of UDP and SCTP are alike. */
const char *flow_state_name(enum zw_flow_state state);

bool flow_has_ports(const struct flow_record *flow);

/* A line without its newline. hz: jiffies a second. */
void flow_json(const struct flow_seen *flow, unsigned hz, struct buffer *buffer);

/*
 * What a table shows of it, as FLOW_COLUMNS fields with tabs between them: protocol, state, from, its zones, to, its
 * zones, rule, age and idle in milliseconds, packets and bytes from the opener, packets and bytes from the other side,
 * a note. Numbers are plain.
 */
#define FLOW_COLUMNS 14
void flow_row(const struct flow_seen *flow, unsigned hz, struct buffer *buffer);

#endif
