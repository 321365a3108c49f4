/* SPDX-License-Identifier: GPL-2.0-only */
/* What stands around the decision of `zonewall simulate`: lines, their fields, frames, sequence numbers. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "simulate/conversation.h"
#include "simulate/frame.h"
#include "simulate/input.h"
#include "simulate/line.h"
#include "packet.h"
#include "test.h"

#define ENDS "\"from\":\"10.1.0.7\",\"to\":\"10.2.0.9\""
#define TCP "{" ENDS ",\"proto\":\"tcp\",\"dport\":80"

/* error NULL: the line is good. */
static const struct {
	const char *what, *line, *error;
} lines[] = {
	{"the example of the contract", "{\"from\":\"10.1.0.7\",\"to\":\"10.2.0.9\",\"proto\":\"tcp\",\"sport\":40000,\"dport\":5432}", NULL},
	{"all fields at once",
	 TCP ",\"sport\":1,\"flags\":\"SAFRPUEC\",\"frag\":{\"id\":1,\"offset\":0,\"more\":true},\"vlan\":[5,6],\"payload\":\"00Ff\","
	     "\"interface\":\"eth0\",\"time\":1.5,\"hook\":\"egress\",\"seq\":4294967295,\"ack\":0}", NULL},
	{"IPv6", "{\"from\":\"fd00::1\",\"to\":\"fd00::2\",\"proto\":\"icmpv6\",\"icmp\":[128,0]}", NULL},
	{"a protocol by number", "{" ENDS ",\"proto\":47}", NULL},
	{"a protocol by name", "{" ENDS ",\"proto\":\"gre\"}", NULL},
	{"a frame with its place", "{\"frame\":\"0200\",\"hook\":\"ingress\",\"time\":3,\"interface\":\"eth0\"}", NULL},
	{"an empty frame", "{\"frame\":\"\"}", NULL},
	{"a later fragment has no port", "{" ENDS ",\"proto\":\"udp\",\"frag\":{\"id\":1,\"offset\":8,\"more\":false}}", NULL},
	{"no flags at all", TCP ",\"flags\":\"\"}", NULL},
	{"space around", "  " TCP " }  \r", NULL},

	{"a blank line", "", "blank"},
	{"a line of spaces", " \t ", "blank"},
	{"not JSON", "from 10.1.0.7", "not JSON"},
	{"half an object", "{\"from\":", "too early"},
	{"two objects", TCP "}{}", "not JSON"},
	{"a list", "[]", "not a JSON object"},
	{"a number", "1", "not"},
	{"an unknown key", TCP ",\"colour\":1}", "colour: unknown key"},
	{"an unknown key in frag", TCP ",\"frag\":{\"colour\":1}}", "frag.colour"},
	{"a missing end", "{\"to\":\"10.2.0.9\",\"proto\":\"tcp\",\"dport\":80}", "from: missing"},
	{"a missing protocol", "{" ENDS ",\"dport\":80}", "proto: missing"},
	{"a missing port", "{" ENDS ",\"proto\":\"tcp\"}", "dport: missing"},
	{"a missing SCTP port", "{" ENDS ",\"proto\":132}", "dport: missing"},
	{"a missing type and code", "{" ENDS ",\"proto\":\"icmp\"}", "icmp: missing"},
	{"an address with a prefix", "{\"from\":\"10.1.0.0/24\",\"to\":\"10.2.0.9\",\"proto\":47}", "from: '10.1.0.0/24'"},
	{"an address that is a number", "{\"from\":1,\"to\":\"10.2.0.9\",\"proto\":47}", "from: a string"},
	{"two families", "{\"from\":\"10.1.0.7\",\"to\":\"fd00::1\",\"proto\":47}", "another address family"},
	{"port 65536", "{" ENDS ",\"proto\":\"tcp\",\"dport\":65536}", "0 to 65535"},
	{"port -1", "{" ENDS ",\"proto\":\"tcp\",\"dport\":-1}", "0 to 65535"},
	{"half a port", "{" ENDS ",\"proto\":\"tcp\",\"dport\":80.5}", "0 to 65535"},
	{"a port as a string", "{" ENDS ",\"proto\":\"tcp\",\"dport\":\"80\"}", "0 to 65535"},
	{"a port beyond all integers", "{" ENDS ",\"proto\":\"tcp\",\"dport\":99999999999999999999999}", "0 to 65535"},
	{"protocol 256", "{" ENDS ",\"proto\":256}", "0 to 255"},
	{"an unknown protocol", "{" ENDS ",\"proto\":\"tpc\"}", "'tpc'"},
	{"unknown flags", TCP ",\"flags\":\"SX\"}", "SAFRPUEC"},
	{"lower-case flags", TCP ",\"flags\":\"s\"}", "SAFRPUEC"},
	{"an ICMP type alone", "{" ENDS ",\"proto\":\"icmp\",\"icmp\":[8]}", "type and code"},
	{"ICMP type 256", "{" ENDS ",\"proto\":\"icmp\",\"icmp\":[256,0]}", "0 to 255"},
	{"an offset that is no multiple of 8", TCP ",\"frag\":{\"offset\":12}}", "multiple of 8"},
	{"an offset beyond all packets", TCP ",\"frag\":{\"offset\":65536}}", "65528"},
	{"more as a number", TCP ",\"frag\":{\"more\":1}}", "true or false"},
	{"a 17-bit id in IPv4", TCP ",\"frag\":{\"id\":65536}}", "65535"},
	{"VLAN 4096", TCP ",\"vlan\":[4096]}", "4095"},
	{"nine VLANs", TCP ",\"vlan\":[1,2,3,4,5,6,7,8,9]}", "up to 8"},
	{"half a byte", TCP ",\"payload\":\"abc\"}", "even number"},
	{"no hex", TCP ",\"payload\":\"zz\"}", "hexadecimal"},
	{"frame and more", "{\"frame\":\"0200\",\"dport\":80}", "instead of all"},
	{"more and frame", "{\"dport\":80,\"frame\":\"0200\"}", "instead of all"},
	{"payload and frame", "{\"payload\":\"02\",\"frame\":\"0200\"}", "instead of all"},
	{"an unknown hook", TCP ",\"hook\":\"xdp\"}", "'ingress' or 'egress'"},
	{"a time that is no number", TCP ",\"time\":\"now\"}", "seconds"},
	{"a time that is not finite", TCP ",\"time\":Infinity}", "seconds"},
	{"a time that is not a number", TCP ",\"time\":NaN}", "seconds"},
	{"an interface with a slash", TCP ",\"interface\":\"a/b\"}", "interface"},
	{"a sequence number of 33 bits", TCP ",\"seq\":4294967296}", "4294967295"},
	{"null", TCP ",\"sport\":null}", "0 to 65535"},
	{"bad UTF-8", TCP ",\"flags\":\"\xff\"}", "not JSON"},
	{"single quotes", "{'from':'10.1.0.7'}", "not JSON"},
	{"a comment", "/* x */" TCP "}", "not JSON"},
	{"a comma too many", TCP ",}", "not JSON"},
};

static void test_lines(struct input_parser *parser)
{
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char error[INPUT_ERROR_MAX] = "";
		struct input input;
		int r = input_parse(parser, lines[i].line, strlen(lines[i].line), &input, error);
		bool good = lines[i].error ? r && strstr(error, lines[i].error) : !r;

		if (!ok(good, "%s is %s", lines[i].what, lines[i].error ? "refused" : "read"))
			note("%d: %s", r, error);
	}
}

static void test_fields(struct input_parser *parser)
{
	char error[INPUT_ERROR_MAX];
	struct input input;

	ok(!input_parse(parser, lines[0].line, strlen(lines[0].line), &input, error) && input.sport == 40000 && input.tcp_flags == F_SYN &&
		   !input.has_hook && !input.has_time && !input.has_seq && !input.len && !input.vlan_count,
	   "what is left out is a SYN from port 40000");
	ok(!input_parse(parser, lines[1].line, strlen(lines[1].line), &input, error) && input.tcp_flags == 0xff && input.sport == 1 &&
		   input.len == 2 && input.bytes[0] == 0 && input.bytes[1] == 0xff && input.vlan_count == 2 && input.vlan[1] == 6 &&
		   input.has_fragment && input.more && input.egress && input.seq == 4294967295u && fabs(input.time - 1.5) < 1e-9,
	   "every field arrives");
	ok(input_parse(parser, "{}\0{}", 5, &input, error) == -EINVAL, "a zero byte is refused");
}

/* Frames as tcpdump would want them, by hand. */
static const struct {
	const char *what, *line, *frame;
} frames[] = {
	{"a TCP SYN", "{" ENDS ",\"proto\":\"tcp\",\"dport\":80,\"seq\":1}",
	 "020000000002 020000000001 0800 45000028000000004006 66be 0a010007 0a020009 9c40 0050 00000001 00000000 5002faf0 044e 0000"},
	{"UDP with payload in a VLAN", "{" ENDS ",\"proto\":\"udp\",\"dport\":53,\"payload\":\"616263\",\"vlan\":[5]}",
	 "020000000002 020000000001 8100 0005 0800 4500001f000000004011 66bc 0a010007 0a020009 9c40 0035 000b 8aed 616263"},
	{"a later fragment", "{" ENDS ",\"proto\":\"udp\",\"payload\":\"6162\",\"frag\":{\"id\":7,\"offset\":16,\"more\":true}}",
	 "020000000002 020000000001 0800 45000016000720024011 46bc 0a010007 0a020009 6162"},
	{"an ICMPv6 echo request, fragmented in name only",
	 "{\"from\":\"fd00::1\",\"to\":\"fd00::2\",\"proto\":\"icmpv6\",\"icmp\":[128,0],\"sport\":7,\"frag\":{\"id\":1}}",
	 "020000000002 020000000001 86dd 6000000000102c40 fd000000000000000000000000000001 fd000000000000000000000000000002"
	 "3a00000000000001 8000 85b0 00070001"},
};

static void test_frames(struct input_parser *parser)
{
	static uint8_t built[FRAME_MAX];

	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		char error[INPUT_ERROR_MAX] = "", hex[4096];
		uint8_t want[512];
		size_t want_len = packet_hex(frames[i].frame, want, sizeof(want)), len = 0;
		struct input input;

		if (!input_parse(parser, frames[i].line, strlen(frames[i].line), &input, error))
			len = frame_build(&input, built);
		if (ok(len == want_len && !memcmp(built, want, len), "%s is the right frame", frames[i].what))
			continue;
		packet_print_hex(built, len < 500 ? len : 500, hex);
		note("%s %s", error, hex);
	}
}

static void test_longest(struct input_parser *parser)
{
	static uint8_t built[FRAME_MAX];
	char *line = malloc(INPUT_LINE_MAX), error[INPUT_ERROR_MAX];
	size_t sizes[] = {65535 - 28, 65535 - 27};

	for (size_t i = 0; line && i < 2; i++) {
		int head = sprintf(line, "{" ENDS ",\"proto\":\"udp\",\"dport\":9,\"payload\":\"");
		struct input input;

		memset(line + head, '0', sizes[i] * 2);
		strcpy(line + head + sizes[i] * 2, "\"}");
		ok(!input_parse(parser, line, strlen(line), &input, error) && (frame_build(&input, built) != 0) == (i == 0),
		   "a packet of %zu bytes %s", sizes[i] + 28, i ? "is too long" : "is the longest");
	}
	free(line);
}

static void test_conversation(struct input_parser *parser)
{
	static const struct {
		const char *what, *line;
		uint32_t seq, ack;
	} steps[] = {
		{"SYN", "{" ENDS ",\"proto\":\"tcp\",\"dport\":80}", 1000000, 0},
		{"SYN again", "{" ENDS ",\"proto\":\"tcp\",\"dport\":80}", 1000000, 0},
		{"SYN+ACK", "{\"from\":\"10.2.0.9\",\"to\":\"10.1.0.7\",\"proto\":\"tcp\",\"sport\":80,\"dport\":40000,\"flags\":\"SA\"}", 1000000, 1000001},
		{"ACK with data", "{" ENDS ",\"proto\":\"tcp\",\"dport\":80,\"flags\":\"A\",\"payload\":\"616263\"}", 1000001, 1000001},
		{"FIN+ACK", "{\"from\":\"10.2.0.9\",\"to\":\"10.1.0.7\",\"proto\":\"tcp\",\"sport\":80,\"dport\":40000,\"flags\":\"FA\"}", 1000001, 1000004},
		{"the last ACK", "{" ENDS ",\"proto\":\"tcp\",\"dport\":80,\"flags\":\"A\"}", 1000004, 1000002},
		{"a new SYN", "{" ENDS ",\"proto\":\"tcp\",\"dport\":80}", 65000004, 0},
		{"another conversation", "{" ENDS ",\"proto\":\"tcp\",\"dport\":81}", 1000000, 0},
	};
	struct conversations *conversations;
	char error[INPUT_ERROR_MAX];
	struct input input;

	if (conversations_new(true, &conversations))
		abort();
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int r = input_parse(parser, steps[i].line, strlen(steps[i].line), &input, error);

		if (!r)
			r = conversations_follow(conversations, &input);
		if (!ok(!r && input.seq == steps[i].seq && input.ack == steps[i].ack, "%s has the right numbers", steps[i].what))
			note("seq %u ack %u", input.seq, input.ack);
	}
	for (unsigned port = 0; port < 5000; port++) {
		input = (struct input){.from = {4, 1}, .to = {4, 2}, .protocol = 6, .sport = port, .dport = 80, .tcp_flags = 2};
		if (conversations_follow(conversations, &input) || input.seq != 1000000)
			break;
	}
	ok(input.sport == 4999, "thousands of conversations are kept apart");
	conversations_free(conversations);
}

/* A pipe that the test fills: fork-free, since what is written fits into it. */
static void test_reader(void)
{
	static const char text[] = "first\n\nthe longest line\nthis line is too long by far, by very far\nlast";
	static const char *const want[] = {"first", "", "the longest line", NULL, "last"};
	struct line_reader *reader;
	char *line;
	size_t len;
	int ends[2];
	bool good = true;

	if (pipe(ends) || write(ends[1], text, sizeof(text) - 1) != sizeof(text) - 1 || close(ends[1]) ||
	    line_reader_new(ends[0], 16, &reader))
		abort();
	for (size_t i = 0; i < 5; i++) {
		int r = line_reader_next(reader, &line, &len);

		good = good && (want[i] ? r == 1 && len == strlen(want[i]) && !strcmp(line, want[i]) : r == -E2BIG);
	}
	ok(good, "lines come one by one, blank ones too; one that is too long is passed over; the last needs no newline");
	ok(line_reader_next(reader, &line, &len) == 0, "then there is nothing more");
	line_reader_free(reader);
	close(ends[0]);
}

int main(void)
{
	struct input_parser *parser;

	if (input_parser_new(&parser))
		abort();
	test_lines(parser);
	test_fields(parser);
	test_frames(parser);
	test_longest(parser);
	test_conversation(parser);
	test_reader();
	input_parser_free(parser);
	return done();
}
