// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lines for `simulate`. Lines are cut where newlines stand, long ones are refused; a line that is read, written again and read
 * again means the same; and the frame that is built from it shows the programs' parser what the line said.
 */
#include <inttypes.h>
#include <netinet/in.h>
#include <sys/mman.h>

#include "base/util.h"
#include "simulate/conversation.h"
#include "simulate/frame.h"
#include "simulate/headers.h"
#include "simulate/input.h"
#include "simulate/line.h"
#include "watch/buffer.h"

#define LINE_BYTES 300

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct input_parser *parser, *other; /* each has the bytes of its last line */
static uint8_t frame[FRAME_MAX];
static int file;

static void want(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	file = memfd_create("lines", MFD_CLOEXEC);
	want(file >= 0 && !input_parser_new(&parser) && !input_parser_new(&other));
	return 0;
}

static void put_hex(struct buffer *text, const char *key, const struct input *input)
{
	buffer_printf(text, ",\"%s\":\"", key);
	for (size_t i = 0; i < input->len; i++) {
		buffer_add(text, &"0123456789abcdef"[input->bytes[i] >> 4], 1);
		buffer_add(text, &"0123456789ABCDEF"[input->bytes[i] & 15], 1);
	}
	buffer_put(text, "\"");
}

static void put_address(struct buffer *text, const char *key, const struct addr *addr)
{
	char address[ADDR_TEXT_MAX];

	addr_print(addr, address);
	buffer_printf(text, ",\"%s\":\"%s\"", key, address);
}

static void put_packet(struct buffer *text, const struct input *input)
{
	put_address(text, "from", &input->from);
	put_address(text, "to", &input->to);
	buffer_printf(text, ",\"proto\":%u,\"sport\":%u,\"dport\":%u,\"icmp\":[%u,%u],\"flags\":\"", input->protocol,
		      input->sport, input->dport, input->icmp[0], input->icmp[1]);
	for (int bit = 0; bit < 8; bit++)
		if (input->tcp_flags >> bit & 1)
			buffer_add(text, &"FSRPAUEC"[bit], 1);
	buffer_put(text, "\"");
	if (input->has_fragment)
		buffer_printf(text, ",\"frag\":{\"id\":%u,\"offset\":%u,\"more\":%s}", input->fragment_id, input->offset,
			      input->more ? "true" : "false");
	if (input->has_seq)
		buffer_printf(text, ",\"seq\":%u", input->seq);
	if (input->has_ack)
		buffer_printf(text, ",\"ack\":%u", input->ack);
	buffer_put(text, ",\"vlan\":[");
	for (size_t i = 0; i < input->vlan_count; i++)
		buffer_printf(text, "%s%u", i ? "," : "", input->vlan[i]);
	buffer_put(text, "]");
	if (input->len)
		put_hex(text, "payload", input);
}

static void put_line(struct buffer *text, const struct input *input)
{
	buffer_printf(text, "{\"hook\":\"%s\"", input->egress ? "egress" : "ingress");
	if (input->has_time)
		buffer_printf(text, ",\"time\":%.17g", input->time);
	if (*input->interface) {
		buffer_put(text, ",\"interface\":");
		buffer_json_string(text, input->interface);
	}
	if (input->is_frame)
		put_hex(text, "frame", input);
	else
		put_packet(text, input);
	buffer_put(text, "}");
}

/* Bytes that are not UTF-8 are no JSON, so a name can be written as it was read. */
static bool is_same(const struct input *a, const struct input *b)
{
	return a->is_frame == b->is_frame && a->from.family == b->from.family && a->from.value == b->from.value &&
	       a->to.value == b->to.value && a->protocol == b->protocol && a->sport == b->sport && a->dport == b->dport &&
	       !memcmp(a->icmp, b->icmp, 2) && a->tcp_flags == b->tcp_flags && a->has_fragment == b->has_fragment &&
	       a->more == b->more && a->fragment_id == b->fragment_id && a->offset == b->offset &&
	       a->vlan_count == b->vlan_count && !memcmp(a->vlan, b->vlan, a->vlan_count * sizeof(*a->vlan)) &&
	       a->seq == b->seq && a->ack == b->ack && a->time == b->time && a->egress == b->egress &&
	       !strcmp(a->interface, b->interface) && a->len == b->len &&
	       (!a->len || !memcmp(a->bytes, b->bytes, a->len));
}

static void write_and_read(const struct input *input)
{
	char error[INPUT_ERROR_MAX] = "";
	struct buffer text = { 0 };
	struct input again;

	put_line(&text, input);
	if (input_parse(other, text.data, text.len, &again, error) || !is_same(input, &again)) {
		fprintf(stderr, "%s: %s\n", text.data, error);
		abort();
	}
	buffer_free(&text);
}

/* Numbers of headers that stand before a protocol: the parser reads through them, and finds nothing there. */
static bool is_header(const struct input *input)
{
	static const uint8_t headers[] = { 0, 43, 44, 51, 60, 135 };

	return input->protocol == IPPROTO_AH ||
	       (input->from.family == 6 && memchr(headers, input->protocol, sizeof(headers)));
}

/* 10.0.0.0/8 and fd00::/8: there is nothing wrong with these. */
static bool is_usual(const struct addr *addr)
{
	return addr->family == 4 ? addr->value >> 24 == 10 : addr->value >> 120 == 0xfd;
}

static void check_frame(const struct input *input)
{
	const bool ports = input->protocol == IPPROTO_TCP || input->protocol == IPPROTO_UDP ||
			   input->protocol == IPPROTO_SCTP;
	size_t len = frame_build(input, frame);
	struct headers headers;
	uint8_t *exact;

	if (!len)
		return;
	exact = malloc(len); /* so that a reader beyond it is seen */
	want(exact && len <= FRAME_MAX);
	memcpy(exact, frame, len);
	want(headers_read(exact, len, len, &headers) && headers.has_addresses == (input->vlan_count <= 2));
	free(exact);
	if (!headers.has_addresses)
		return;
	want(headers.from.family == input->from.family && headers.from.value == input->from.value &&
	     headers.to.value == input->to.value);
	if (is_header(input))
		return;
	want(!headers.has_transport || !input->offset);
	if (is_usual(&input->from) && is_usual(&input->to))
		want(headers.protocol == input->protocol && (headers.has_transport || input->offset || !ports));
	if (!headers.has_transport)
		return;
	want(headers.protocol == input->protocol);
	want(!ports || (headers.sport == input->sport && headers.dport == input->dport));
	want(input->protocol != IPPROTO_TCP || headers.tcp_flags == input->tcp_flags);
}

static void check_line(const char *line, size_t len, struct conversations *conversations)
{
	char error[INPUT_ERROR_MAX] = "";
	struct input input;
	int r = input_parse(parser, line, len, &input, error);

	if (r) {
		want(r == -EINVAL && *error);
		return;
	}
	want(input.from.family == 4 || input.from.family == 6 || input.is_frame);
	write_and_read(&input);
	if (input.is_frame)
		return;
	want(!conversations_follow(conversations, &input));
	check_frame(&input);
}

/* The reader's lines are those that one finds by looking for newlines. */
static void check_lines(const uint8_t *data, size_t size, struct conversations *conversations)
{
	struct line_reader *reader;
	char *line;
	size_t len;
	int r;

	want(!ftruncate(file, 0) && pwrite(file, data, size, 0) == (ssize_t)size && !lseek(file, 0, SEEK_SET));
	want(!line_reader_new(file, LINE_BYTES, &reader));
	while ((r = line_reader_next(reader, &line, &len)) != 0) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t expected = end ? (size_t)(end - data) : size;

		want(size && r == (expected > LINE_BYTES ? -E2BIG : 1));
		if (r == 1) {
			want(len == expected && !memcmp(line, data, len) && !line[len]);
			check_line(line, len, conversations);
		}
		data += expected + !!end;
		size -= expected + !!end;
	}
	want(!size);
	line_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conversations *conversations;

	want(!conversations_new(true, &conversations));
	check_lines(data, size, conversations);
	conversations_free(conversations);
	return 0;
}
