#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# large_policy.sh [RULES [ZONES]] - prints a policy for benches: RULES rules over ZONES zones of four prefixes each, a twentieth
# of the ends CIDRs, two tiers. The same words give the same policy.
set -eu
rules=${1:-10000} zones=${2:-1000}

awk -v rules="$rules" -v zones="$zones" '
function number(n) { return int(rand() * n) }
function end() { return rand() < 0.05 ? sprintf("10.%d.%d.%d/%d", number(256), number(256), 0, 24) : "z" number(zones) }
function service(  port) { port = 1000 + number(200); return (rand() < 0.75 ? "tcp/" : "udp/") port (rand() < 0.75 ? "" : "-" port + number(100)) }
BEGIN {
	srand(1)
	print "version: 1\ndefaults: {action: drop}\ntiers: [guardrail, app]\nzones:"
	for (i = 0; i < zones; i++)
		printf "  z%d: [10.%d.%d.0/24, 172.%d.%d.0/26, 192.168.%d.%d, \"fd00:%x::/48\"]\n", i, i / 200, i % 200, 16 + i / 250, i % 250, i / 250, i % 250, i
	print "failsafe: [{id: ops, from: 192.0.2.1, to: host, service: tcp/22}]\nrules:"
	print "  - {id: no-telnet, tier: guardrail, from: any, to: any, service: tcp/23, action: drop}"
	print "  - {id: probes, tier: guardrail, from: z0, to: any, service: tcp/9100, action: allow}"
	for (i = 0; i < rules; i++)
		printf "  - {id: r%d, from: \"%s\", to: \"%s\", service: %s, action: %s}\n", i, end(), end(), service(), rand() < 0.75 ? "allow" : "drop"
}'
