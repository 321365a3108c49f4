/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A rule that asks for TLS 1.2, and what is no such beginning of a connection.
 */
#include "evasion.h"

#define TLS(flags_, seq_, ...) PACKET(TCP_(8443), .flags = flags_, .seq = seq_, .ack = 5001, __VA_ARGS__)
#define TLS_BACK(flags_, seq_, ...) .back = true, \
	PACKET(.sport = 8443, .dport = 40000, .flags = flags_, .seq = seq_, .ack = 1001, __VA_ARGS__)
#define SYN_ {PACKET(TCP_(8443), .seq = 1000), RULE}
#define OPENED_ SYN_, {TLS_BACK(F_SYN | F_ACK, 5000), FLOW}, {TLS(F_ACK, 1001), FLOW}
#define BYTES(bytes) .payload = bytes, .payload_len = sizeof(bytes) - 1
#define HELLO BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and more")
#define PLAIN BYTES("GET / HTTP/1.1\r\n")
#define HELLO_IN_OPTIONS BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00" "GET / HTTP/1.1\r\n")
#define PLAINTEXT .reason = ZW_DROP_PLAINTEXT

static const struct evasion_case cases[] = {
	{"a ClientHello passes", .steps = {OPENED_, {TLS(F_ACK, 1001, HELLO), FLOW}}},
	{"behind two VLAN tags, too", .steps = {OPENED_, {TLS(F_ACK, 1001, HELLO, .tags = 2), FLOW}}},
	{"behind IPv4 options, too", 4, .steps = {OPENED_, {TLS(F_ACK, 1001, HELLO, .options = "94040000"), FLOW}}},
	{"behind extension headers, too", 6, .steps = {OPENED_, {TLS(F_ACK, 1001, HELLO, .chain = "hop dst"), FLOW}}},
	{"plaintext", .steps = {OPENED_, {TLS(F_ACK | F_PSH, 1001, PLAIN), PLAINTEXT}}},
	{"urgent plaintext", .steps = {OPENED_, {TLS(F_ACK | F_URG, 1001, PLAIN), PLAINTEXT}}},
	{"plaintext in a FIN", .steps = {OPENED_, {TLS(F_FIN | F_ACK, 1001, PLAIN), PLAINTEXT}}},
	{"plaintext in a RST", .steps = {OPENED_, {TLS(F_RST, 1001, PLAIN), PLAINTEXT}}},
	{"plaintext behind IPv4 options", 4, .steps = {OPENED_, {TLS(F_ACK, 1001, PLAIN, .options = "94040000"), PLAINTEXT}}},
	{"plaintext behind extension headers", 6, .steps = {OPENED_, {TLS(F_ACK, 1001, PLAIN, .chain = "dst dst"), PLAINTEXT}}},
	{"plaintext behind TCP options that read as a ClientHello",
	 .steps = {OPENED_, {TLS(F_ACK, 1001, HELLO_IN_OPTIONS, .doff = 8), PLAINTEXT}}},
	{"a ClientHello that follows plaintext", .steps = {OPENED_, {TLS(F_ACK, 1001, PLAIN), PLAINTEXT},
	 {TLS(F_ACK, 1001, HELLO), PLAINTEXT}}},
	{"ten bytes of a ClientHello", .steps = {OPENED_,
	 {TLS(F_ACK, 1001, BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03")), PLAINTEXT}}},
	{"its first byte alone", .steps = {OPENED_, {TLS(F_ACK, 1001, BYTES("\x16")), PLAINTEXT}}},
	{"a ClientHello of TLS 1.1", .steps = {OPENED_,
	 {TLS(F_ACK, 1001, BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x02")), PLAINTEXT}}},
	{"a handshake record without a ClientHello", .steps = {OPENED_,
	 {TLS(F_ACK, 1001, BYTES("\x16\x03\x03\x02\x00\x0b\x00\x01\xfc\x03\x03")), PLAINTEXT}}},
	{"a record of data", .steps = {OPENED_,
	 {TLS(F_ACK, 1001, BYTES("\x17\x03\x03\x02\x00\x01\x00\x01\xfc\x03\x03")), PLAINTEXT}}},
	{"a ClientHello of SSL 2", .steps = {OPENED_,
	 {TLS(F_ACK, 1001, BYTES("\x80\x2e\x01\x03\x03\x00\x15\x00\x00\x00\x10")), PLAINTEXT}}},
	{"a ClientHello further on, and plaintext where the connection begins", .steps = {OPENED_, {TLS(F_ACK, 1101), FLOW},
	 {TLS(F_ACK, 1101, HELLO), PLAINTEXT}, {TLS(F_ACK, 1001, PLAIN), PLAINTEXT}}},
	{"one 100,000 bytes further on", .steps = {OPENED_, {TLS(F_ACK, 101001), FLOW}, {TLS(F_ACK, 101001, HELLO), PLAINTEXT}}},
	{"one from a byte before the connection's first", .steps = {OPENED_, {TLS(F_ACK, 1000, HELLO), PLAINTEXT}}},
	{"one that another SYN's number makes the first", .steps = {OPENED_, {PACKET(TCP_(8443), .seq = 2000), RULE},
	 {TLS(F_ACK, 2001), FLOW}, {TLS(F_ACK, 2001, HELLO), PLAINTEXT}}},
	{"the same before the handshake's end", .steps = {SYN_, {TLS_BACK(F_SYN | F_ACK, 5000), FLOW},
	 {PACKET(TCP_(8443), .seq = 2000), RULE}, {TLS(F_ACK, 2001), FLOW}, {TLS(F_ACK, 2001, HELLO), PLAINTEXT}}},
	{"the listener speaks first", .steps = {OPENED_, {TLS_BACK(F_ACK, 5001, BYTES("220 mail ESMTP\r\n")), PLAINTEXT}}},
	{"the listener sends the ClientHello", .steps = {OPENED_, {TLS_BACK(F_ACK, 5001, HELLO), PLAINTEXT}}},
	{"plaintext in the SYN", .steps = {{PACKET(TCP_(8443), .seq = 1000, PLAIN), PLAINTEXT}}},
	{"plaintext in a SYN said again", .steps = {SYN_, {PACKET(TCP_(8443), .seq = 1000, PLAIN), PLAINTEXT}}},
	{"a SYN+ACK with payload", .steps = {SYN_, {TLS_BACK(F_SYN | F_ACK, 5000, PLAIN), PLAINTEXT}}},
	{"a ClientHello in the middle of a connection that nobody saw begin", .steps = {{TLS(F_ACK, 1001, HELLO), STATE}}},
	{"an ACK of such a one", .steps = {{TLS(F_ACK, 1001), STATE}}},
	{"plaintext behind a first fragment that ends with the TCP header", .steps = {OPENED_,
	 {TLS(F_ACK, 1001, .more = true, .id = 7), PLAINTEXT},
	 {TLS(F_ACK, 1001, .fragment = true, .offset = 24, .id = 7, PLAIN), FRAGMENT}}},
	{"a later fragment that writes over the ClientHello", .steps = {OPENED_,
	 {TLS(F_ACK, 1001, .more = true, .id = 7, HELLO), FLOW},
	 {TLS(F_ACK, 1001, .fragment = true, .offset = 24, .id = 7, PLAIN), FRAGMENT}}},
};

GROUP(evasion_tls, "Where a rule asks for TLS 1.2", cases);
