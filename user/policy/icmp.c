// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the IANA registries "Internet Control Message Protocol (ICMP) Parameters" and "Internet Control Message Protocol
 * version 6 (ICMPv6) Parameters". Where IANA's name has more words than people write, the common one stands too.
 */
#include <stddef.h>
#include <string.h>

#include "base/util.h"
#include "policy/icmp.h"
#include "policy/near.h"

struct name {
	int version, type, code; /* code -1: the type itself */
	const char *name;
};

static const struct name names[] = {
	{ 4, 0, -1, "echo-reply" },
	{ 4, 3, -1, "destination-unreachable" },
	{ 4, 3, 0, "net-unreachable" },
	{ 4, 3, 1, "host-unreachable" },
	{ 4, 3, 2, "protocol-unreachable" },
	{ 4, 3, 3, "port-unreachable" },
	{ 4, 3, 4, "fragmentation-needed-and-dont-fragment-was-set" },
	{ 4, 3, 4, "fragmentation-needed" },
	{ 4, 3, 5, "source-route-failed" },
	{ 4, 3, 6, "destination-network-unknown" },
	{ 4, 3, 7, "destination-host-unknown" },
	{ 4, 3, 8, "source-host-isolated" },
	{ 4, 3, 9, "communication-with-destination-network-is-administratively-prohibited" },
	{ 4, 3, 10, "communication-with-destination-host-is-administratively-prohibited" },
	{ 4, 3, 11, "destination-network-unreachable-for-type-of-service" },
	{ 4, 3, 12, "destination-host-unreachable-for-type-of-service" },
	{ 4, 3, 13, "communication-administratively-prohibited" },
	{ 4, 3, 14, "host-precedence-violation" },
	{ 4, 3, 15, "precedence-cutoff-in-effect" },
	{ 4, 4, -1, "source-quench" },
	{ 4, 5, -1, "redirect" },
	{ 4, 5, 0, "redirect-datagram-for-the-network" },
	{ 4, 5, 1, "redirect-datagram-for-the-host" },
	{ 4, 5, 2, "redirect-datagram-for-the-type-of-service-and-network" },
	{ 4, 5, 3, "redirect-datagram-for-the-type-of-service-and-host" },
	{ 4, 6, -1, "alternate-host-address" },
	{ 4, 6, 0, "alternate-address-for-host" },
	{ 4, 8, -1, "echo-request" },
	{ 4, 8, -1, "echo" },
	{ 4, 9, -1, "router-advertisement" },
	{ 4, 9, 0, "normal-router-advertisement" },
	{ 4, 9, 16, "does-not-route-common-traffic" },
	{ 4, 10, -1, "router-solicitation" },
	{ 4, 10, -1, "router-selection" },
	{ 4, 11, -1, "time-exceeded" },
	{ 4, 11, 0, "time-to-live-exceeded-in-transit" },
	{ 4, 11, 1, "fragment-reassembly-time-exceeded" },
	{ 4, 12, -1, "parameter-problem" },
	{ 4, 12, 0, "pointer-indicates-the-error" },
	{ 4, 12, 1, "missing-a-required-option" },
	{ 4, 12, 2, "bad-length" },
	{ 4, 13, -1, "timestamp" },
	{ 4, 14, -1, "timestamp-reply" },
	{ 4, 15, -1, "information-request" },
	{ 4, 16, -1, "information-reply" },
	{ 4, 17, -1, "address-mask-request" },
	{ 4, 18, -1, "address-mask-reply" },
	{ 4, 30, -1, "traceroute" },
	{ 4, 31, -1, "datagram-conversion-error" },
	{ 4, 32, -1, "mobile-host-redirect" },
	{ 4, 33, -1, "ipv6-where-are-you" },
	{ 4, 34, -1, "ipv6-i-am-here" },
	{ 4, 35, -1, "mobile-registration-request" },
	{ 4, 36, -1, "mobile-registration-reply" },
	{ 4, 37, -1, "domain-name-request" },
	{ 4, 38, -1, "domain-name-reply" },
	{ 4, 39, -1, "skip" },
	{ 4, 40, -1, "photuris" },
	{ 4, 40, 0, "bad-spi" },
	{ 4, 40, 1, "authentication-failed" },
	{ 4, 40, 2, "decompression-failed" },
	{ 4, 40, 3, "decryption-failed" },
	{ 4, 40, 4, "need-authentication" },
	{ 4, 40, 5, "need-authorization" },
	{ 4, 42, -1, "extended-echo-request" },
	{ 4, 42, 0, "no-error" },
	{ 4, 43, -1, "extended-echo-reply" },
	{ 4, 43, 0, "no-error" },
	{ 4, 43, 1, "malformed-query" },
	{ 4, 43, 2, "no-such-interface" },
	{ 4, 43, 3, "no-such-table-entry" },
	{ 4, 43, 4, "multiple-interfaces-satisfy-query" },
	{ 6, 1, -1, "destination-unreachable" },
	{ 6, 1, 0, "no-route-to-destination" },
	{ 6, 1, 1, "communication-with-destination-administratively-prohibited" },
	{ 6, 1, 2, "beyond-scope-of-source-address" },
	{ 6, 1, 3, "address-unreachable" },
	{ 6, 1, 4, "port-unreachable" },
	{ 6, 1, 5, "source-address-failed-ingress-egress-policy" },
	{ 6, 1, 6, "reject-route-to-destination" },
	{ 6, 1, 7, "error-in-source-routing-header" },
	{ 6, 1, 8, "headers-too-long" },
	{ 6, 2, -1, "packet-too-big" },
	{ 6, 3, -1, "time-exceeded" },
	{ 6, 3, 0, "hop-limit-exceeded-in-transit" },
	{ 6, 3, 1, "fragment-reassembly-time-exceeded" },
	{ 6, 4, -1, "parameter-problem" },
	{ 6, 4, 0, "erroneous-header-field-encountered" },
	{ 6, 4, 1, "unrecognized-next-header-type-encountered" },
	{ 6, 4, 2, "unrecognized-ipv6-option-encountered" },
	{ 6, 4, 3, "ipv6-first-fragment-has-incomplete-ipv6-header-chain" },
	{ 6, 128, -1, "echo-request" },
	{ 6, 129, -1, "echo-reply" },
	{ 6, 130, -1, "multicast-listener-query" },
	{ 6, 131, -1, "multicast-listener-report" },
	{ 6, 132, -1, "multicast-listener-done" },
	{ 6, 133, -1, "router-solicitation" },
	{ 6, 134, -1, "router-advertisement" },
	{ 6, 135, -1, "neighbor-solicitation" },
	{ 6, 136, -1, "neighbor-advertisement" },
	{ 6, 137, -1, "redirect-message" },
	{ 6, 137, -1, "redirect" },
	{ 6, 138, -1, "router-renumbering" },
	{ 6, 138, 0, "router-renumbering-command" },
	{ 6, 138, 1, "router-renumbering-result" },
	{ 6, 138, 255, "sequence-number-reset" },
	{ 6, 139, -1, "icmp-node-information-query" },
	{ 6, 140, -1, "icmp-node-information-response" },
	{ 6, 141, -1, "inverse-neighbor-discovery-solicitation-message" },
	{ 6, 142, -1, "inverse-neighbor-discovery-advertisement-message" },
	{ 6, 143, -1, "version-2-multicast-listener-report" },
	{ 6, 144, -1, "home-agent-address-discovery-request-message" },
	{ 6, 145, -1, "home-agent-address-discovery-reply-message" },
	{ 6, 146, -1, "mobile-prefix-solicitation" },
	{ 6, 147, -1, "mobile-prefix-advertisement" },
	{ 6, 148, -1, "certification-path-solicitation-message" },
	{ 6, 149, -1, "certification-path-advertisement-message" },
	{ 6, 151, -1, "multicast-router-advertisement" },
	{ 6, 152, -1, "multicast-router-solicitation" },
	{ 6, 153, -1, "multicast-router-termination" },
	{ 6, 154, -1, "fmipv6-messages" },
	{ 6, 155, -1, "rpl-control-message" },
	{ 6, 156, -1, "ilnpv6-locator-update-message" },
	{ 6, 157, -1, "duplicate-address-request" },
	{ 6, 158, -1, "duplicate-address-confirmation" },
	{ 6, 159, -1, "mpl-control-message" },
	{ 6, 160, -1, "extended-echo-request" },
	{ 6, 160, 0, "no-error" },
	{ 6, 161, -1, "extended-echo-reply" },
	{ 6, 161, 0, "no-error" },
	{ 6, 161, 1, "malformed-query" },
	{ 6, 161, 2, "no-such-interface" },
	{ 6, 161, 3, "no-such-table-entry" },
	{ 6, 161, 4, "multiple-interfaces-satisfy-query" },
};

int icmp_find_type(int version, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].version == version && names[i].code < 0 && !strcmp(names[i].name, name))
			return names[i].type;
	return -1;
}

int icmp_find_code(int version, int type, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].version == version && names[i].type == type && names[i].code >= 0 &&
		    !strcmp(names[i].name, name))
			return names[i].code;
	return -1;
}

const char *icmp_suggest(int version, int type, const char *name)
{
	struct near near = near_begin(name);

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].version == version &&
		    (type < 0 ? names[i].code < 0 : names[i].type == type && names[i].code >= 0))
			near_try(&near, names[i].name, i);
	return near_found(&near) ? names[near.best].name : NULL;
}
