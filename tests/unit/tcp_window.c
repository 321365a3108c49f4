/* SPDX-License-Identifier: GPL-2.0-only */
/* TCP's windows (bpf/tcp_window.h): the example of its essay, and what no packet can bring about alone. */
#include <string.h>

#include "tcp_window.h"
#include "test.h"

#define VERSION (7ull << 48)

static struct zw_flow_slot slot = { .head = VERSION | ZW_FLOW_TCP_ESTABLISHED << 8 };
static struct flow flow = { .slot = &slot };

static void begin(__u64 opener, __u64 other)
{
	flow.head_word = slot.head;
	slot.window[SIDE_OPENER] = opener | VERSION;
	slot.window[SIDE_OTHER] = other | VERSION;
}

static struct packet packet_of(__u8 flags, __u32 seq, __u32 ack, __u32 payload)
{
	return (struct packet){ .tcp_flags = flags, .seq = seq, .ack = ack, .payload_len = payload };
}

static bool is(int side, __u32 first, __u32 end)
{
	__u64 window = load_window(&flow, side);

	return window && (__u32)window == end && end - unacked(window) == first;
}

static void the_essays_example(void)
{
	struct packet syn = packet_of(TCP_SYN, 1000, 0, 0), data = packet_of(TCP_ACK, 1001, 5000, 100),
		      ack = packet_of(TCP_ACK, 5000, 1101, 0), early = packet_of(TCP_RST, 1100, 0, 0),
		      late = packet_of(TCP_RST, 1102, 0, 0), right = packet_of(TCP_RST, 1101, 0, 0);

	begin(opening_window(&syn), make_window(5000, 0));
	ok(is(SIDE_OPENER, 1001, 1001), "a SYN at 1000 opens 1001..1001");
	ok(follow_windows(&flow, &data, true) == TCP_ACK && is(SIDE_OPENER, 1001, 1101), "100 bytes: 1001..1101");
	ok(follow_windows(&flow, &ack, false) == TCP_ACK && is(SIDE_OPENER, 1101, 1101), "acknowledged: 1101..1101");
	ok(!follow_windows(&flow, &early, true) && !follow_windows(&flow, &late, true), "no RST counts beside it");
	ok(follow_windows(&flow, &right, true) == TCP_RST, "the RST at 1101 counts");
}

/* The slot went to another flow, whose words are of the next version, after this CPU had found the one before. */
static void a_word_of_another_version(void)
{
	struct packet reset = packet_of(TCP_RST, 1101, 0, 0), data = packet_of(TCP_ACK, 1101, 5000, 10);
	const __u64 theirs = make_window(1101, 0) | (VERSION + (1ull << 48));

	begin(make_window(1101, 0), make_window(5000, 0));
	slot.window[SIDE_OPENER] = theirs;
	ok(!load_window(&flow, SIDE_OPENER), "is a window of which nothing is known");
	ok(!follow_windows(&flow, &reset, true), "in which no RST counts");
	ok(follow_windows(&flow, &data, true) == TCP_ACK && slot.window[SIDE_OPENER] == theirs, "and which is let be");
}

static void a_seeded_flow(void)
{
	struct packet reset = packet_of(TCP_RST, 1101, 0, 0), data = packet_of(TCP_ACK, 1101, 5000, 10),
		      answer = packet_of(TCP_ACK, 5000, 1111, 0), forged = packet_of(TCP_FIN | TCP_ACK, 9, 9, 0);

	begin(0, 0);
	ok(!follow_windows(&flow, &reset, true) && !follow_windows(&flow, &reset, false), "knows no RST in window");
	follow_windows(&flow, &data, true);
	ok(is(SIDE_OPENER, 1101, 1111) && is(SIDE_OTHER, 5000, 5000), "and learns both sides from its first packet");
	ok(follow_windows(&flow, &answer, false) == TCP_ACK && is(SIDE_OPENER, 1111, 1111), "the answer fits");
	ok(!follow_windows(&flow, &forged, false) && is(SIDE_OTHER, 5000, 5000), "a forged FIN does not, and moves nothing");
	begin(0, 0);
	ok(!(follow_windows(&flow, &forged, false) & (TCP_FIN | TCP_ACK)), "nor does it count as the first packet");
}

int main(void)
{
	the_essays_example();
	a_word_of_another_version();
	a_seeded_flow();
	return done();
}
