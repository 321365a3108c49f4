// SPDX-License-Identifier: GPL-2.0-only
/* Captures that are odd or broken, how much of a frame has to be captured, and which packets are one conversation. */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "packet.h"
#include "record.h"
#include "simulate/replay.h"
#include "test.h"

#define START 1777629600.0 /* 2026-05-01T10:00:00Z */

/* --- How much of a frame must be there --------------------------------------------------------------------------- */

static const struct {
	const char *what;
	size_t enough; /* bytes of the frame */
	struct packet_spec spec;
} frames[] = {
	{ "TCP needs its fixed header", 14 + 20 + 20, { .from = "10.1.0.7", .to = "10.2.0.9", .payload_len = 500 } },
	{ "of TCP's options nothing is needed", 14 + 20 + 20, { .from = "10.1.0.7", .to = "10.2.0.9", .doff = 8, .payload_len = 90 } },
	{ "UDP over IPv6", 14 + 40 + 8, { .from = "fd00::1", .to = "fd00::2", .protocol = P_UDP, .payload_len = 9 } },
	{ "two tags before it", 14 + 8 + 20 + 8, { .from = "10.1.0.7", .to = "10.2.0.9", .tags = 2, .protocol = P_UDP, .payload_len = 9 } },
	{ "a protocol without ports needs its IP header", 14 + 20, { .from = "10.1.0.7", .to = "10.2.0.9", .protocol = P_GRE, .payload_len = 9 } },
	{ "so does a later fragment", 14 + 20,
	  { .from = "10.1.0.7", .to = "10.2.0.9", .fragment = true, .offset = 64, .payload_len = 64 } },
	{ "IPv4 options", 14 + 24 + 8, { .from = "10.1.0.7", .to = "10.2.0.9", .options = "94040000", .protocol = P_UDP, .payload_len = 9 } },
	{ "extension headers", 14 + 40 + 16 + 20, { .from = "fd00::1", .to = "fd00::2", .chain = "hop dst", .payload_len = 300 } },
	{ "what is not IP needs its Ethernet header", 14, { .from = "10.1.0.7", .to = "10.2.0.9", .ether_type = 0x0806, .payload_len = 9 } },
	{ "a wrong version shows in the IP header", 14 + 20, { .from = "10.1.0.7", .to = "10.2.0.9", .version = 7, .payload_len = 9 } },
	{ "a packet longer than its frame", 14 + 20 + 20, { .from = "10.1.0.7", .to = "10.2.0.9", .cut = 9, .payload_len = 30 } },
};

static void test_frame(size_t row)
{
	struct headers headers;
	struct packet packet;
	size_t least = 0;

	packet_build(&frames[row].spec, &packet);
	while (least < packet.len && !headers_read(packet.data, least, packet.len, &headers))
		least++;
	if (!ok(least == frames[row].enough, "%s", frames[row].what))
		note("%zu bytes, not %zu", least, frames[row].enough);
	for (size_t more = least; more <= packet.len; more++)
		if (!headers_read(packet.data, more, packet.len, &headers))
			ok(false, "%s: and with %zu bytes", frames[row].what, more);
}

/* An error about a packet needs what tells to which flow that belongs. */
static void test_icmp_error(void)
{
	struct packet quoted, packet;
	struct packet_spec spec = { .from = "10.2.0.9", .to = "10.1.0.7", .protocol = P_ICMP, .type = 3, .code = 4 };
	struct headers headers;

	packet_build(&(struct packet_spec){ .from = "10.1.0.7", .to = "10.2.0.9", .payload_len = 99 }, &quoted);
	spec.payload = quoted.data + quoted.l3;
	spec.payload_len = quoted.len - quoted.l3;
	packet_build(&spec, &packet);
	ok(!headers_read(packet.data, 14 + 20 + 8 + 20 + 7, packet.len, &headers) &&
		   headers_read(packet.data, 14 + 20 + 8 + 20 + 8, packet.len, &headers) && headers.port == (3 << 8 | 4),
	   "an ICMP error needs eight bytes behind the header that it quotes");
}

/* Where a rule has `tls`, what payload begins with decides, too: eleven bytes of it, or all that there is. */
static void test_payload(unsigned payload_len, unsigned needed, bool has_tls)
{
	const struct packet_spec spec = { .from = "10.1.0.7", .to = "10.2.0.9", .payload_len = payload_len };
	const struct replay_options options = { .rule_count = { 1 }, .has_tls = has_tls };
	struct captured captured = { .time = START };
	struct replay *replay = NULL;
	bool before, then;
	struct packet packet;
	struct frame frame;

	packet_build(&spec, &packet);
	if (replay_new(&options, &replay))
		abort();
	captured.bytes = packet.data;
	captured.len = packet.len;
	captured.captured = packet.len - payload_len + needed;
	then = replay_prepare(replay, &captured, &frame);
	captured.captured--;
	before = replay_prepare(replay, &captured, &frame);
	ok(then && !before && replay_counts(replay)->cut == 1, "of %u bytes of payload %u are needed%s", payload_len, needed,
	   has_tls ? ", with tls" : "");
	replay_free(replay);
}

/* --- Captures ---------------------------------------------------------------------------------------------------- */

static const struct {
	const char *what;
	const char *hex;
	const char *error; /* a part of it; NULL: it is opened */
	int packets; /* that are read before something is wrong */
	const char *later; /* then; NULL: nothing is */
} files[] = {
	{ "an empty file", "", "truncated dump file", 0, NULL },
	{ "no capture", "2320636f6e66696720666f72207765620a0a0a0a0a0a0a0a0a0a0a0a", "unknown file format", 0, NULL },
	{ "a header cut short", "d4c3b2a10200040000000000", "truncated dump file", 0, NULL },
	{ "no packets", "d4c3b2a1020004000000000000000000ffff000001000000", NULL, 0, NULL },
	{ "802.11 frames", "d4c3b2a1020004000000000000000000ffff000069000000", "IEEE802_11 (802.11)", 0, NULL },
	{ "an unknown link type", "d4c3b2a1020004000000000000000000ffff0000f1ff0000", "its link type is 65521", 0, NULL },
	{ "a record cut short",
	  "d4c3b2a1020004000000000000000000ffff000001000000"
	  "0000000000000000020000000200000012340000000000000000040000000400000012",
	  NULL, 1, "truncated dump file" },
	{ "pcapng of two link types",
	  "0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000"
	  "0100000014000000010000000000000014000000"
	  "0100000014000000710000000000000014000000"
	  "0600000024000000010000000000000000000000040000000400000012345678"
	  "24000000",
	  NULL, 0, "an interface has a type 113 different from the type of the first interface" },
};

static FILE *open_bytes(const void *bytes, size_t len)
{
	FILE *file = tmpfile();

	if (!file || fwrite(bytes, 1, len, file) != len || fseek(file, 0, SEEK_SET))
		abort();
	return file;
}

static void test_file(size_t row)
{
	char error[CAPTURE_ERROR_MAX] = "";
	struct capture *capture = NULL;
	struct captured captured;
	uint8_t bytes[512];
	int packets = 0, r;
	bool good;

	r = capture_open(open_bytes(bytes, packet_hex(files[row].hex, bytes, sizeof(bytes))), &capture, error);
	good = files[row].error ? r == -EINVAL && strstr(error, files[row].error) : !r;
	while (good && capture && (r = capture_next(capture, &captured, error)) > 0)
		packets++;
	if (capture)
		good = good && packets == files[row].packets &&
		       (files[row].later ? r == -EINVAL && strstr(error, files[row].later) : !r);
	if (!ok(good, "%s", files[row].what))
		note("%d after %d packets: %s", r, packets, error);
	capture_free(capture);
}

/* --- What a replay makes of packets ------------------------------------------------------------------------------ */

/* A replay fed from memory; decisions are those that the test gives. */
struct fed {
	FILE *file;
	struct record_format format;
	struct replay *replay;
	struct capture *capture;
};

static void record(struct fed *fed, double time, const struct packet_spec *spec, const struct record_cooked *cooked)
{
	uint8_t bytes[PACKET_MAX + 20];
	struct packet packet;
	size_t len;

	packet_build(spec, &packet);
	len = record_convert(fed->format.link, cooked, packet.data, packet.len, bytes);
	record_packet(fed->file, &fed->format, time, bytes, len, len);
}

static void begin(struct fed *fed, enum record_link link)
{
	*fed = (struct fed){ .file = tmpfile(), .format.link = link };
	if (!fed->file)
		abort();
	record_begin(fed->file, &fed->format);
}

static void play(struct fed *fed, const struct replay_options *options)
{
	char error[CAPTURE_ERROR_MAX];

	if (fflush(fed->file) || fseek(fed->file, 0, SEEK_SET) || capture_open(fed->file, &fed->capture, error) ||
	    replay_new(options, &fed->replay))
		abort();
}

/* false: the packet is not decided. */
static bool next(struct fed *fed, struct frame *ret_frame)
{
	char error[CAPTURE_ERROR_MAX];
	struct captured captured;

	if (capture_next(fed->capture, &captured, error) != 1)
		abort();
	return replay_prepare(fed->replay, &captured, ret_frame);
}

static void end(struct fed *fed)
{
	replay_free(fed->replay);
	capture_free(fed->capture);
}

static const struct decision dropped = { .reason = ZW_DROP_DEFAULT };
static const struct decision by_rule = { .reason = ZW_DROP_RULE, .rule = 2 };
static const struct decision allowed = { .allow = true, .reason = ZW_ALLOW_RULE, .rule = 1 };

/* Each is dropped; equal letters: packets of one conversation, as they come. */
static const struct {
	const char *conversation; /* a letter */
	struct packet_spec spec;
} talks[] = {
	{ "a", { .from = "10.1.0.7", .to = "10.2.0.9", .dport = 443 } },
	{ "a", { .from = "10.2.0.9", .to = "10.1.0.7", .sport = 443, .dport = 40000, .flags = F_SYN | F_ACK } },
	{ "b", { .from = "10.1.0.7", .to = "10.2.0.9", .sport = 40001, .dport = 443 } },
	{ "c", { .from = "10.2.0.9", .to = "10.1.0.8", .sport = 5432, .dport = 40000, .flags = F_SYN | F_ACK } },
	{ "c", { .from = "10.1.0.8", .to = "10.2.0.9", .sport = 40000, .dport = 5432, .flags = F_ACK } },
	{ "d", { .from = "10.1.0.7", .to = "10.2.0.9", .protocol = P_UDP, .dport = 443 } },
	{ "e", { .from = "10.1.0.7", .to = "10.2.0.9", .protocol = P_ICMP, .type = 8, .id = 3 } },
	{ "e", { .from = "10.2.0.9", .to = "10.1.0.7", .protocol = P_ICMP, .type = 0, .id = 3 } },
	{ "f", { .from = "10.1.0.7", .to = "10.2.0.9", .protocol = P_ICMP, .type = 8, .id = 13 << 8 } }, /* as an ICMP type would be written */
	{ "g", { .from = "10.1.0.7", .to = "10.2.0.9", .protocol = P_ICMP, .type = 13 } },
	{ "h", { .from = "10.2.0.9", .to = "10.1.0.7", .protocol = P_ICMP, .type = 13 } },
	{ "i", { .from = "fd00::1", .to = "fd00::2", .dport = 443 } },
	{ "j", { .from = "10.1.0.7", .to = "10.2.0.9", .fragment = true, .offset = 8, .protocol = P_UDP, .payload_len = 8 } },
	{ "k", { .from = "10.1.0.7", .to = "10.2.0.9", .protocol = P_GRE } },
	{ "k", { .from = "10.2.0.9", .to = "10.1.0.7", .protocol = P_GRE } },
	{ "l", { .from = "fd00::2", .to = "fd00::1", .protocol = P_ICMPV6, .type = 129, .id = 9 } },
};

/* As the rows should be: most packets first, then earliest first. */
static const struct {
	const char *from, *to;
	int protocol;
	bool has_port;
	unsigned port;
	unsigned packets, conversations;
} rows[] = {
	{ "10.1.0.7", "10.2.0.9", P_TCP, true, 443, 3, 2 },
	{ "10.1.0.7", "10.2.0.9", P_ICMP, true, 8 << 8, 3, 2 },
	{ "10.1.0.8", "10.2.0.9", P_TCP, true, 5432, 2, 1 },
	{ "10.1.0.7", "10.2.0.9", P_GRE, true, 0, 2, 1 },
	{ "10.1.0.7", "10.2.0.9", P_UDP, true, 443, 1, 1 },
	{ "10.1.0.7", "10.2.0.9", P_ICMP, true, 13 << 8, 1, 1 },
	{ "10.2.0.9", "10.1.0.7", P_ICMP, true, 13 << 8, 1, 1 },
	{ "fd00::1", "fd00::2", P_TCP, true, 443, 1, 1 },
	{ "10.1.0.7", "10.2.0.9", P_UDP, false, 0, 1, 1 },
	{ "fd00::1", "fd00::2", P_ICMPV6, true, 128 << 8, 1, 1 },
};

static bool is_row(const struct replay_row *row, size_t number)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

	addr_print(&row->from, from);
	addr_print(&row->to, to);
	return !strcmp(from, rows[number].from) && !strcmp(to, rows[number].to) && row->protocol == rows[number].protocol &&
	       row->has_port == rows[number].has_port && row->port == rows[number].port &&
	       row->packets == rows[number].packets && row->conversations == rows[number].conversations;
}

static void test_conversations(void)
{
	const struct replay_options options = { .rule_count = { 2 } };
	struct replay_row *got;
	struct frame frame;
	struct fed fed;
	unsigned letters = 0;
	bool same = true;
	size_t count;

	begin(&fed, LINK_ETHERNET);
	for (size_t i = 0; i < ARRAY_LEN(talks); i++) {
		record(&fed, START + i, &talks[i].spec, NULL);
		letters |= 1u << (*talks[i].conversation - 'a');
	}
	play(&fed, &options);
	for (size_t i = 0; i < ARRAY_LEN(talks); i++)
		same &= next(&fed, &frame) && !replay_take(fed.replay, &dropped);
	ok(same && replay_counts(fed.replay)->conversations == (unsigned)__builtin_popcount(letters),
	   "what has the same ends is one conversation");
	if (replay_rows(fed.replay, REPLAY_DROPPED, &got, &count))
		abort();
	ok(count == ARRAY_LEN(rows), "as many rows as there should be");
	for (size_t i = 0; i < count && i < ARRAY_LEN(rows); i++)
		ok(is_row(&got[i], i), "row %zu: %s to %s", i, rows[i].from, rows[i].to);
	free(got);
	end(&fed);
}

/* Beyond the bound packets are counted and not listed, but for those of conversations that are known. */
static void test_bound(void)
{
	const struct replay_options options = { .rule_count = { 2 }, .conversations = 3 };
	const struct replay_counts *counts;
	struct replay_row *got;
	struct frame frame;
	struct fed fed;
	size_t count;

	begin(&fed, LINK_ETHERNET);
	for (unsigned i = 0; i < 10; i++)
		record(&fed, START, &(struct packet_spec){ .from = "10.1.0.7", .to = "10.2.0.9", .dport = 1 + i % 5 }, NULL);
	play(&fed, &options);
	for (unsigned i = 0; i < 10; i++)
		if (!next(&fed, &frame) || replay_take(fed.replay, &dropped))
			abort();
	counts = replay_counts(fed.replay);
	if (replay_rows(fed.replay, REPLAY_DROPPED, &got, &count))
		abort();
	ok(counts->dropped[REPLAY_NEW] == 10 && counts->conversations == 3 && counts->dropped_unlisted == 4 && count == 3 &&
		   got[0].packets == 2 && got[2].packets == 2,
	   "memory is bounded: what is not listed is counted");
	free(got);
	end(&fed);
}

/* Time goes on to 20.25, back to 10, and on to 30.5. */
static void test_clock(void)
{
	static const double times[] = { 20.25, 10, 30.5 }, clock[] = { 20.25, 20.25, 30.5 };
	const struct replay_options options = { .rule_count = { 2 } };
	const struct replay_counts *counts;
	struct replay_row *got;
	struct frame frame;
	struct fed fed;
	bool good = true;
	size_t count;

	begin(&fed, LINK_ETHERNET);
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		record(&fed, START + times[i], &talks[0].spec, NULL);
	play(&fed, &options);
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		good &= next(&fed, &frame) && frame.time == START + clock[i] && !replay_take(fed.replay, &dropped);
	counts = replay_counts(fed.replay);
	if (replay_rows(fed.replay, REPLAY_DROPPED, &got, &count))
		abort();
	ok(good && counts->late == 1, "time that goes back stands still, and is counted");
	ok(count == 1 && got->first == START + 10 && counts->first == START + 10 && counts->last == START + 30.5,
	   "when something was first seen is told as the capture has it");
	free(got);
	end(&fed);
}

/* Where a packet is seen: by what the capture says, else by who the host is, else by --hook. */
static void test_direction(void)
{
	const struct packet_spec out = { .from = "10.1.0.7", .to = "10.2.0.9" }, in = { .from = "10.2.0.9", .to = "10.1.0.7" };
	static const struct {
		const char *what;
		enum record_link link;
		bool from_host, knows_host;
		struct record_cooked cooked;
		enum zw_hook given, want;
	} cases[] = {
		{ "Ethernet, nothing known", LINK_ETHERNET, true, false, {}, ZW_HOOK_XDP, ZW_HOOK_XDP },
		{ "Ethernet, from the host", LINK_ETHERNET, true, true, {}, ZW_HOOK_XDP, ZW_HOOK_EGRESS },
		{ "Ethernet, to the host", LINK_ETHERNET, false, true, {}, ZW_HOOK_INGRESS, ZW_HOOK_INGRESS },
		{ "all leave", LINK_ETHERNET, false, true, {}, ZW_HOOK_EGRESS, ZW_HOOK_EGRESS },
		{ "raw IP, from the host", LINK_RAW, true, true, {}, ZW_HOOK_INGRESS, ZW_HOOK_EGRESS },
		{ "cooked, sent", LINK_SLL, false, true, { .type = 4 }, ZW_HOOK_XDP, ZW_HOOK_EGRESS },
		{ "cooked, received in the host's name", LINK_SLL, true, true, { .type = 0 }, ZW_HOOK_XDP, ZW_HOOK_XDP },
		{ "cooked v2, sent", LINK_SLL2, false, false, { .type = 4 }, ZW_HOOK_XDP, ZW_HOOK_EGRESS },
		{ "cooked v2, overheard", LINK_SLL2, false, false, { .type = 3 }, ZW_HOOK_XDP, ZW_HOOK_XDP },
	};
	struct ranges host = { 0 };

	if (ranges_add(&host, 4, 0x0a010007, 0x0a010007))
		abort();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct replay_options options = {
			.hook = cases[i].given, .host = cases[i].knows_host ? &host : NULL, .rule_count = { 2 }
		};
		struct frame frame;
		struct fed fed;

		begin(&fed, cases[i].link);
		record(&fed, START, cases[i].from_host ? &out : &in, &cases[i].cooked);
		play(&fed, &options);
		ok(next(&fed, &frame) && frame.hook == cases[i].want, "direction: %s", cases[i].what);
		end(&fed);
	}
	ranges_clear(&host);
}

static void test_loopback(void)
{
	const struct record_cooked lo = { .device = 772 };
	const struct replay_options options = { .rule_count = { 2 } };
	struct frame frame;
	struct fed fed;

	begin(&fed, LINK_SLL2);
	record(&fed, START, &talks[0].spec, &lo);
	play(&fed, &options);
	ok(!next(&fed, &frame) && replay_counts(fed.replay)->loopback == 1 && replay_counts(fed.replay)->packets == 1,
	   "what a loopback device shows is left out");
	end(&fed);
}

/* Two policies: of one conversation some packets pass under either only, and others alike under both. */
static void test_compare(void)
{
	const struct decision decisions[][REPLAY_SIDES] = {
		{ allowed, dropped }, { dropped, dropped }, { by_rule, allowed }, { by_rule, allowed }, { allowed, allowed },
	};
	const struct replay_options options = { .rule_count = { 2, 1 }, .compare = true };
	const struct replay_counts *c;
	struct replay_row *got[REPLAY_ROWS];
	size_t count[REPLAY_ROWS];
	struct frame frame;
	struct fed fed;

	begin(&fed, LINK_ETHERNET);
	for (size_t i = 0; i < ARRAY_LEN(decisions); i++)
		record(&fed, START + i, &talks[0].spec, NULL);
	play(&fed, &options);
	for (size_t i = 0; i < ARRAY_LEN(decisions); i++)
		if (!next(&fed, &frame) || replay_take(fed.replay, decisions[i]))
			abort();
	for (int i = 0; i < REPLAY_ROWS; i++)
		if (replay_rows(fed.replay, i, &got[i], &count[i]))
			abort();
	c = replay_counts(fed.replay);
	ok(c->newly_allowed == 1 && c->newly_dropped == 2 && c->allowed[REPLAY_NEW] == 2 && c->allowed[REPLAY_OLD] == 3,
	   "what is decided otherwise is counted");
	ok(count[REPLAY_DROPPED] == 1 && got[REPLAY_DROPPED]->packets == 3 &&
		   got[REPLAY_DROPPED]->decision[REPLAY_NEW].reason == ZW_DROP_DEFAULT,
	   "dropped: why its first such packet was");
	ok(count[REPLAY_NEWLY_DROPPED] == 1 && got[REPLAY_NEWLY_DROPPED]->packets == 2 &&
		   got[REPLAY_NEWLY_DROPPED]->first == START + 2 &&
		   got[REPLAY_NEWLY_DROPPED]->decision[REPLAY_NEW].rule == 2 &&
		   got[REPLAY_NEWLY_DROPPED]->decision[REPLAY_OLD].rule == 1,
	   "newly dropped: with the rules of both");
	ok(count[REPLAY_NEWLY_ALLOWED] == 1 && got[REPLAY_NEWLY_ALLOWED]->packets == 1, "newly allowed");
	ok(replay_total(fed.replay, REPLAY_NEW, ZW_DROP_RULE, 2) == 2 &&
		   replay_total(fed.replay, REPLAY_OLD, ZW_ALLOW_RULE, 1) == 3 &&
		   replay_total(fed.replay, REPLAY_NEW, ZW_DROP_DEFAULT, 0) == 1 &&
		   replay_total(fed.replay, REPLAY_NEW, ZW_DROP_DEFAULT, 1) == 0,
	   "totals are by side, reason and rule");
	for (int i = 0; i < REPLAY_ROWS; i++)
		free(got[i]);
	end(&fed);
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_LEN(frames); i++)
		test_frame(i);
	test_icmp_error();
	test_payload(20, 0, false);
	test_payload(20, 11, true);
	test_payload(5, 5, true);
	test_payload(0, 0, true);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		test_file(i);
	test_conversations();
	test_bound();
	test_clock();
	test_direction();
	test_loopback();
	test_compare();
	return done();
}
