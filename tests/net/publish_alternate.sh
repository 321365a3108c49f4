#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# publish_alternate.sh - traffic during many alternating applies of two policies. Both allow port 5001 and deny 5002, one
# allows 5003: of 5001 no packet is lost in either direction, of 5002 none passes. APPLIES=N how many.
# shellcheck source=tests/net/publish.bash
. "${BASH_SOURCE%/*}/publish.bash" "alternate-$$"
set_up
traffic=${BUILD:-build}/tests/net/publish_traffic

make_policy() # make_policy FILE ID SERVICE XDP
{
	cat >"$dir/$1" <<-END
		version: 1
		defaults: {action: drop}
		interfaces: [{match: [v0], xdp: $4}]
		zones: {peer: [10.99.0.2], node: [10.99.0.1]}
		rules:
		  - {id: $2, from: peer, to: node, service: $3, action: allow}
	END
}

alternate() # alternate XDP APPLIES
{
	local from to line sent arrived echoed denied either failed=0

	make_policy p first "[udp/5001]" "$1"
	make_policy q second "[udp/5001, udp/5003]" "$1"
	zw apply "$dir/p" >/dev/null 2>&1
	coproc traffic_of { exec "$traffic" "$node" 10.99.0.1 "$peer"; }
	exec {from}<&"${traffic_of[0]}" # the array goes away with the process
	for ((i = 0; i < $2; i += 2)); do
		zw apply "$dir/q" >/dev/null 2>&1 || failed=$((failed + 1))
		zw apply "$dir/p" >/dev/null 2>&1 || failed=$((failed + 1))
	done
	to=${traffic_of[1]}
	exec {to}>&-
	read -r line <&"$from"
	exec {from}<&-
	echo "# $1: $line"
	read -r _ sent _ arrived _ echoed _ denied _ either <<<"$line"
	check "$1: $2 applies" test "$failed" = 0
	check "$1: none of the agreed packets is lost on its way" test "$sent" -gt 0 -a "$sent" = "$arrived"
	check "$1: nor on its way back" test "$sent" = "$echoed"
	check "$1: no packet passes that both deny" test "$denied" = 0
	check "$1: both policies did decide" test "$either" -gt 0 -a "$either" -lt "$sent"
}

alternate off $((${APPLIES:-300} / 2))
alternate native $((${APPLIES:-300} / 2))
echo "1..$count"
