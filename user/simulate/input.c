// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/input.h"

#include <json-c/json.h>
#include <math.h>
#include <netinet/in.h>
#include <stdarg.h>

#include "base/util.h"

struct input_parser {
	struct json_tokener *tokener;
	char *error;
	struct input input;
	uint32_t seen; /* keys, by their place in the table below */
	uint8_t bytes[INPUT_LINE_MAX / 2];
};

int input_parser_new(struct input_parser **ret_parser)
{
	struct input_parser *parser = calloc(1, sizeof(*parser));

	if (!parser)
		return -ENOMEM;
	parser->tokener = json_tokener_new_ex(8);
	if (!parser->tokener) {
		free(parser);
		return -ENOMEM;
	}
	json_tokener_set_flags(parser->tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	*ret_parser = parser;
	return 0;
}

void input_parser_free(struct input_parser *parser)
{
	if (!parser)
		return;
	json_tokener_free(parser->tokener);
	free(parser);
}

__attribute__((format(printf, 2, 3))) static int refuse(struct input_parser *parser, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(parser->error, INPUT_ERROR_MAX, format, args);
	va_end(args);
	return -EINVAL;
}

static int read_number(struct input_parser *parser, const char *key, struct json_object *value, int64_t max,
		       int64_t *ret)
{
	int64_t number = json_object_get_int64(value);

	if (!json_object_is_type(value, json_type_int) || number < 0 || number > max)
		return refuse(parser, "%s: a number from 0 to %lld is needed", key, (long long)max);
	*ret = number;
	return 0;
}

static int read_text(struct input_parser *parser, const char *key, struct json_object *value,
		     const char **ret)
{
	const char *text = json_object_get_string(value);

	if (!json_object_is_type(value, json_type_string) ||
	    strlen(text) != (size_t)json_object_get_string_len(value))
		return refuse(parser, "%s: a string is needed", key);
	*ret = text;
	return 0;
}

static int read_address(struct input_parser *parser, const char *key, struct json_object *value,
			struct addr *ret)
{
	const char *text;

	if (read_text(parser, key, value, &text))
		return -EINVAL;
	if (addr_parse(text, ret))
		return refuse(parser, "%s: '%.60s' is not an IPv4 or IPv6 address", key, text);
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_hex(struct input_parser *parser, const char *key, struct json_object *value)
{
	const char *text;
	size_t len;

	if (read_text(parser, key, value, &text))
		return -EINVAL;
	len = strlen(text);
	if (len % 2 || len / 2 > sizeof(parser->bytes))
		return refuse(parser, "%s: an even number of hexadecimal digits is needed", key);
	for (size_t i = 0; i < len / 2; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return refuse(parser, "%s: only hexadecimal digits are possible", key);
		parser->bytes[i] = high << 4 | low;
	}
	parser->input.bytes = parser->bytes;
	parser->input.len = len / 2;
	return 0;
}

static int read_from(struct input_parser *parser, const char *key, struct json_object *value)
{
	return read_address(parser, key, value, &parser->input.from);
}

static int read_to(struct input_parser *parser, const char *key, struct json_object *value)
{
	return read_address(parser, key, value, &parser->input.to);
}

/* IANA's keywords of the protocols that people name; any other has its number. */
static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {
	{ "tcp", IPPROTO_TCP },   { "udp", IPPROTO_UDP },
	{ "icmp", IPPROTO_ICMP }, { "icmpv6", IPPROTO_ICMPV6 },
	{ "sctp", IPPROTO_SCTP }, { "igmp", IPPROTO_IGMP },
	{ "ipip", IPPROTO_IPIP }, { "gre", IPPROTO_GRE },
	{ "esp", IPPROTO_ESP },   { "ah", IPPROTO_AH },
	{ "ospf", 89 },           { "vrrp", 112 },
	{ "dccp", IPPROTO_DCCP }, { "udplite", IPPROTO_UDPLITE },
	{ "ipv6", IPPROTO_IPV6 },
};

static int read_protocol(struct input_parser *parser, const char *key, struct json_object *value)
{
	const char *text;
	int64_t number = 0;

	if (!json_object_is_type(value, json_type_string)) {
		if (read_number(parser, key, value, 255, &number))
			return refuse(parser, "%s: a protocol's name or its number from 0 to 255 is needed",
				      key);
		parser->input.protocol = number;
		return 0;
	}
	if (read_text(parser, key, value, &text))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
		if (!strcmp(protocols[i].name, text)) {
			parser->input.protocol = protocols[i].number;
			return 0;
		}
	return refuse(parser, "%s: '%.60s' is not a protocol's name known here; its number is always", key,
		      text);
}

static int read_port(struct input_parser *parser, const char *key, struct json_object *value, uint16_t *ret)
{
	int64_t number = 0;

	if (read_number(parser, key, value, 65535, &number))
		return -EINVAL;
	*ret = number;
	return 0;
}

static int read_sport(struct input_parser *parser, const char *key, struct json_object *value)
{
	return read_port(parser, key, value, &parser->input.sport);
}

static int read_dport(struct input_parser *parser, const char *key, struct json_object *value)
{
	return read_port(parser, key, value, &parser->input.dport);
}

static int read_icmp(struct input_parser *parser, const char *key, struct json_object *value)
{
	if (!json_object_is_type(value, json_type_array) || json_object_array_length(value) != 2)
		return refuse(parser, "%s: a list of type and code is needed", key);
	for (size_t i = 0; i < 2; i++) {
		int64_t number = 0;

		if (read_number(parser, key, json_object_array_get_idx(value, i), 255, &number))
			return -EINVAL;
		parser->input.icmp[i] = number;
	}
	return 0;
}

static int read_flags(struct input_parser *parser, const char *key, struct json_object *value)
{
	static const char letters[] = "FSRPAUEC"; /* from the lowest bit of the header's byte */
	const char *text;

	if (read_text(parser, key, value, &text))
		return -EINVAL;
	parser->input.tcp_flags = 0;
	for (; *text; text++) {
		const char *letter = strchr(letters, *text);

		if (!letter)
			return refuse(parser, "%s: letters of SAFRPUEC are needed", key);
		parser->input.tcp_flags |= 1 << (letter - letters);
	}
	return 0;
}

static int read_bool(struct input_parser *parser, const char *key, struct json_object *value, bool *ret)
{
	if (!json_object_is_type(value, json_type_boolean))
		return refuse(parser, "%s: true or false is needed", key);
	*ret = json_object_get_boolean(value);
	return 0;
}

static int read_fragment(struct input_parser *parser, const char *key, struct json_object *value)
{
	struct input *input = &parser->input;
	int64_t number = 0;

	if (!json_object_is_type(value, json_type_object))
		return refuse(parser, "%s: an object with id, offset and more is needed", key);
	json_object_object_foreach(value, name, member)
	{
		if (!strcmp(name, "id")) {
			if (read_number(parser, "frag.id", member, UINT32_MAX, &number))
				return -EINVAL;
			input->fragment_id = number;
		} else if (!strcmp(name, "offset")) {
			if (read_number(parser, "frag.offset", member, 65528, &number))
				return -EINVAL;
			if (number % 8)
				return refuse(parser, "frag.offset: a multiple of 8 is needed");
			input->offset = number;
		} else if (!strcmp(name, "more")) {
			if (read_bool(parser, "frag.more", member, &input->more))
				return -EINVAL;
		} else {
			return refuse(parser, "frag.%.60s: unknown key", name);
		}
	}
	input->has_fragment = true;
	return 0;
}

static int read_vlan(struct input_parser *parser, const char *key, struct json_object *value)
{
	struct input *input = &parser->input;

	if (!json_object_is_type(value, json_type_array) || json_object_array_length(value) > INPUT_TAGS_MAX)
		return refuse(parser, "%s: a list of up to %d VLAN ids is needed", key, INPUT_TAGS_MAX);
	input->vlan_count = json_object_array_length(value);
	for (size_t i = 0; i < input->vlan_count; i++) {
		int64_t number = 0;

		if (read_number(parser, key, json_object_array_get_idx(value, i), 4095, &number))
			return -EINVAL;
		input->vlan[i] = number;
	}
	return 0;
}

static int read_interface(struct input_parser *parser, const char *key, struct json_object *value)
{
	const char *text;

	if (read_text(parser, key, value, &text))
		return -EINVAL;
	if (!*text || strlen(text) >= sizeof(parser->input.interface) || strpbrk(text, "/ \t"))
		return refuse(parser, "%s: '%.60s' cannot be the name of an interface", key, text);
	strcpy(parser->input.interface, text);
	return 0;
}

static int read_time(struct input_parser *parser, const char *key, struct json_object *value)
{
	double time = json_object_get_double(value);

	if ((!json_object_is_type(value, json_type_int) && !json_object_is_type(value, json_type_double)) ||
	    !isfinite(time) || time < 0 || time > 1e11)
		return refuse(parser, "%s: Unix seconds are needed", key);
	parser->input.time = time;
	parser->input.has_time = true;
	return 0;
}

static int read_hook(struct input_parser *parser, const char *key, struct json_object *value)
{
	const char *text;

	if (read_text(parser, key, value, &text))
		return -EINVAL;
	parser->input.egress = !strcmp(text, "egress");
	if (!parser->input.egress && strcmp(text, "ingress"))
		return refuse(parser, "%s: 'ingress' or 'egress' is needed", key);
	parser->input.has_hook = true;
	return 0;
}

static int read_word(struct input_parser *parser, const char *key, struct json_object *value, uint32_t *ret,
		     bool *ret_has)
{
	int64_t number = 0;

	if (read_number(parser, key, value, UINT32_MAX, &number))
		return -EINVAL;
	*ret = number;
	*ret_has = true;
	return 0;
}

static int read_seq(struct input_parser *parser, const char *key, struct json_object *value)
{
	return read_word(parser, key, value, &parser->input.seq, &parser->input.has_seq);
}

static int read_ack(struct input_parser *parser, const char *key, struct json_object *value)
{
	return read_word(parser, key, value, &parser->input.ack, &parser->input.has_ack);
}

enum {
	KEY_FROM,
	KEY_TO,
	KEY_PROTO,
	KEY_SPORT,
	KEY_DPORT,
	KEY_ICMP,
	KEY_FLAGS,
	KEY_FRAG,
	KEY_VLAN,
	KEY_PAYLOAD,
	KEY_FRAME,
	KEY_SEQ,
	KEY_ACK,
	KEY_HOOK,
	KEY_INTERFACE,
	KEY_TIME,
	KEYS
};
#define BIT(key) (1u << (key))

static const struct {
	const char *name;
	int (*read)(struct input_parser *parser, const char *key, struct json_object *value);
} keys[KEYS] = {
	[KEY_FROM] = { "from", read_from },
	[KEY_TO] = { "to", read_to },
	[KEY_PROTO] = { "proto", read_protocol },
	[KEY_SPORT] = { "sport", read_sport },
	[KEY_DPORT] = { "dport", read_dport },
	[KEY_ICMP] = { "icmp", read_icmp },
	[KEY_FLAGS] = { "flags", read_flags },
	[KEY_FRAG] = { "frag", read_fragment },
	[KEY_VLAN] = { "vlan", read_vlan },
	[KEY_PAYLOAD] = { "payload", read_hex },
	[KEY_FRAME] = { "frame", read_hex },
	[KEY_SEQ] = { "seq", read_seq },
	[KEY_ACK] = { "ack", read_ack },
	[KEY_HOOK] = { "hook", read_hook },
	[KEY_INTERFACE] = { "interface", read_interface },
	[KEY_TIME] = { "time", read_time },
};

static int read_key(struct input_parser *parser, const char *name, struct json_object *value)
{
	for (int key = 0; key < KEYS; key++) {
		if (strcmp(keys[key].name, name))
			continue;
		/* Before the value is read: payload and frame share the buffer. */
		if (key == KEY_FRAME && parser->seen & BIT(KEY_PAYLOAD))
			return refuse(parser, "frame: it stands instead of all other fields of a packet");
		parser->seen |= BIT(key);
		return keys[key].read(parser, name, value);
	}
	return refuse(parser, "%.60s: unknown key", name);
}

static bool has_ports(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

/* What belongs together, once every key has been read. */
static int check_whole(struct input_parser *parser)
{
	const uint32_t place = BIT(KEY_HOOK) | BIT(KEY_INTERFACE) | BIT(KEY_TIME);
	struct input *input = &parser->input;
	bool has_header = input->offset == 0; /* a later fragment has no ports */

	if (parser->seen & BIT(KEY_FRAME)) {
		input->is_frame = true;
		if (parser->seen & ~(place | BIT(KEY_FRAME)))
			return refuse(parser, "frame: it stands instead of all other fields of a packet");
		return 0;
	}
	for (int key = KEY_FROM; key <= KEY_PROTO; key++)
		if (!(parser->seen & BIT(key)))
			return refuse(parser, "%s: missing", keys[key].name);
	if (input->from.family != input->to.family)
		return refuse(parser, "to: of another address family than from");
	if (has_header && has_ports(input->protocol) && !(parser->seen & BIT(KEY_DPORT)))
		return refuse(parser, "dport: missing");
	if (has_header && (input->protocol == IPPROTO_ICMP || input->protocol == IPPROTO_ICMPV6) &&
	    !(parser->seen & BIT(KEY_ICMP)))
		return refuse(parser, "icmp: missing");
	if (input->from.family == 4 && input->fragment_id > UINT16_MAX)
		return refuse(parser, "frag.id: a number from 0 to 65535 is needed in IPv4");
	return 0;
}

static int read_object(struct input_parser *parser, struct json_object *object)
{
	if (!json_object_is_type(object, json_type_object))
		return refuse(parser, "not a JSON object");
	json_object_object_foreach(object, name, value)
	{
		int r = read_key(parser, name, value);

		if (r)
			return r;
	}
	return check_whole(parser);
}

int input_parse(struct input_parser *parser, const char *line, size_t len, struct input *ret_input,
		char ret_error[INPUT_ERROR_MAX])
{
	struct json_object *object;
	enum json_tokener_error error;
	int r;

	parser->error = ret_error;
	parser->input = (struct input){ .sport = 40000, .tcp_flags = 2 /* SYN */ };
	parser->seen = 0;
	if (strspn(line, " \t\r") >= len)
		return refuse(parser, "the line is blank");
	if (memchr(line, 0, len))
		return refuse(parser, "the line contains a zero byte");
	json_tokener_reset(parser->tokener);
	object = json_tokener_parse_ex(parser->tokener, line, len);
	error = json_tokener_get_error(parser->tokener);
	if (error == json_tokener_continue)
		return refuse(parser, "not JSON: the line ends too early");
	if (error != json_tokener_success)
		return refuse(parser, "not JSON: %s at byte %zu", json_tokener_error_desc(error),
			      json_tokener_get_parse_end(parser->tokener) + 1);
	r = read_object(parser, object);
	json_object_put(object);
	if (!r)
		*ret_input = parser->input;
	return r;
}
