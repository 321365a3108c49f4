#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# publish_alternate.sh - traffic in both directions during many alternating applies of two policies, on every hook in every
# way of attaching. Both allow port 5001 and deny 5002, one allows 5003: of 5001 no packet is lost in either direction, of
# 5002 none passes. APPLIES=N how many.
# shellcheck source=tests/net/publish.bash
. "${BASH_SOURCE%/*}/publish.bash" "alternate-$$"
set_up
traffic=${BUILD:-build}/tests/net/publish_traffic
alternate() # alternate HOOKS XDP APPLIES
{
	local from to failed=0

	attached=$1
	service_policy p first "[udp/5001]" "$2"
	service_policy q second "[udp/5001, udp/5003]" "$2"
	zw apply "$dir/p" >/dev/null 2>&1
	coproc traffic_of { exec "$traffic" "$node" 10.99.0.1 "$peer" 10.99.0.2; }
	exec {from}<&"${traffic_of[0]}" # the array goes away with the process
	for ((i = 0; i < $3; i += 2)); do
		zw apply "$dir/q" >/dev/null 2>&1 || failed=$((failed + 1))
		zw apply "$dir/p" >/dev/null 2>&1 || failed=$((failed + 1))
	done
	to=${traffic_of[1]}
	exec {to}>&-
	check "$3 applies" test "$failed" = 0
	judge_traffic "$from" "$1: "
	exec {from}<&-
}

share=$((${APPLIES:-320} / 8 * 2)) # there and back
alternate "XDP native, TC egress" native $share
alternate "XDP generic, TC egress" generic $share
alternate "TC ingress and egress, $tc" off $share
if [ "$tc" = tcx ]; then
	zw down >/dev/null 2>&1
	export ZONEWALL_NO_TCX=1
	alternate "TC ingress and egress, clsact" off $share
fi
echo "1..$count"
