#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# publish_flood.sh - `apply` and `run` killed by SIGKILL at random points, on every hook in every way of attaching, under a
# flood in both directions: of port 5001, which all policies allow, no packet is lost, and of 5002, which all deny, none is
# delivered. KILLS=N how often; SEED=N repeats a run.
# shellcheck source=tests/net/publish.bash
. "${BASH_SOURCE%/*}/publish.bash" "flood-$$"
set_up
traffic=${BUILD:-build}/tests/net/publish_traffic
RANDOM=${SEED:=$$}
echo "# SEED=$SEED"

moment() { printf '0.%06d' $(((RANDOM * 32768 + RANDOM) % took_us)); }
# killed COMMAND...: begun, and killed within the time that an apply takes and half of it again
killed()
{
	nsenter --net="/run/netns/$node" "$zonewall" "$1" --instance "$instance" "${@:2}" >/dev/null 2>&1 &
	sleep "$(moment)"
	kill -9 $! 2>/dev/null
	wait $! 2>/dev/null
}

flood() # flood HOOKS XDP KILLS
{
	local from line name sent arrived echoed denied file=q begin

	attached=$1
	service_policy p first "[udp/5001]" "$2"
	service_policy q second "[udp/5001, udp/5003]" "$2"
	zw apply "$dir/q" >/dev/null 2>&1
	begin=${EPOCHREALTIME/./}
	check "a policy decides" zw apply "$dir/p"
	took_us=$(((${EPOCHREALTIME/./} - begin) * 3 / 2))
	coproc traffic_of { exec "$traffic" "$node" 10.99.0.1 "$peer" 10.99.0.2; }
	exec {from}<&"${traffic_of[0]}" # the array goes away with the process
	for ((i = 0; i < $3; i++)); do
		if [ $((i % 2)) = 0 ]; then killed apply "$dir/$file"; else killed run "$dir/$file"; fi
		[ $((i % 4)) != 3 ] || { [ $file = p ] && file=q || file=p; }
	done
	check "after $3 kills the next apply decides" zw apply "$dir/p"
	line=${traffic_of[1]}
	exec {line}>&-
	for name in in out; do
		read -r line <&"$from"
		echo "# $1: $line"
		read -r _ _ sent _ arrived _ echoed _ denied _ <<<"$line"
		check "$name: none of the agreed packets is lost on its way" test "$sent" -gt 0 -a "$sent" = "$arrived"
		check "$name: nor on its way back" test "$sent" = "$echoed"
		check "$name: no packet is delivered that all deny" test "$denied" = 0
	done
	exec {from}<&-
	zw down >/dev/null 2>&1
}

share=$((${KILLS:-40} / 4))
flood "XDP native, TC egress" native $share
flood "XDP generic, TC egress" generic $share
flood "TC ingress and egress, $tc" off $share
if [ "$tc" = tcx ]; then
	export ZONEWALL_NO_TCX=1
	flood "TC ingress and egress, clsact" off $share
fi
echo "1..$count"
