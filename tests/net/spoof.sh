#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Hosts that speak for others, under each way of attaching (`interfaces: source:`):
#
#   red  10.1.0.2 fd00:1::2 --- red0  the node  blue0 --- blue  10.2.0.2 fd00:2::2
#                                     g*, p*, d*: interfaces that appear later, all of the host green 10.3.N.2
#
# Every host may open everything: only where a packet enters tells it from a forged one.
set -u
zonewall=$(realpath "${ZONEWALL:-build/zonewall}")
instance=zw-spoof-$$
node=$instance-n
red=$instance-r
blue=$instance-b
green=$instance-g
dir=$(mktemp -d)
# shellcheck source=tests/net/tap.bash
. "${BASH_SOURCE%/*}/tap.bash"
run=

in_ns() { nsenter --net="/run/netns/$1" "${@:2}"; }
zw() { in_ns "$node" env ${no_tcx:+ZONEWALL_NO_TCX=1} "$zonewall" "$1" --instance "$instance" "${@:2}"; }

clean_up()
{
	[ -z "$run" ] || kill -9 "$run" 2>/dev/null
	zw down >/dev/null 2>&1
	for ns in "$node" "$red" "$blue" "$green"; do ip netns del "$ns" 2>/dev/null; done
	rm -rf "$dir" "/run/zonewall/$instance" "/var/lib/zonewall/$instance"
}
attached=set-up no_tcx=
trap clean_up EXIT
trap 'exit 1' INT TERM

mac() { ip -n "$1" -br link show "$2" | awk '{print $3}'; }

# join HOST INTERFACE NET PEER: the node has .1, the host .2. Neighbours are known, so that only what is sent is counted.
join()
{
	local at=$1 interface=$2 net=$3 peer=${4:-eth0}
	ip link add "$interface" netns "$node" type veth peer name "$peer" netns "$at"
	ip -n "$node" addr add "10.$net.1/24" dev "$interface"
	ip -n "$node" addr add "fd00:${net%.*}:${net#*.}::1/64" dev "$interface" nodad
	ip -n "$at" addr add "10.$net.2/24" dev "$peer"
	ip -n "$at" addr add "fd00:${net%.*}:${net#*.}::2/64" dev "$peer" nodad
	ip -n "$node" link set "$interface" up
	ip -n "$at" link set "$peer" up
	ip -n "$at" neigh replace "10.$net.1" lladdr "$(mac "$node" "$interface")" dev "$peer" nud permanent
	ip -n "$at" neigh replace "fd00:${net%.*}:${net#*.}::1" lladdr "$(mac "$node" "$interface")" dev "$peer" nud permanent
}

# policy FILE XDP WITH: with or without sources
policy()
{
	local source=1
	[ "$3" = with ] || source=
	cat >"$dir/$1" <<-END
		version: 1
		defaults: {action: drop, log: none}
		failsafe: []
		interfaces:
		  - {match: [red0, blue0, "[gpd]*"], xdp: $2}
		${source:+"  - {match: [red0], source: red}"}
		${source:+"  - {match: [blue0, e7], source: blue}"}
		${source:+"  - {match: [\"g*\", dbound], source: green}"}
		zones:
		  red: [10.1.0.0/24, "fd00:1:0::/64", "fe80::/10"]
		  blue: [10.2.0.0/24, "fd00:2:0::/64", "fe80::/10"]
		  green: [10.3.0.0/16, "fd00:3::/32", "fe80::/10"]
		  all: {zones: [red, blue, green]}
		rules: [{id: open, from: [all, host], to: any, service: any, action: allow}]
	END
}

counted() # counted INTERFACE VERDICT REASON: packets at its ingress hook
{
	zw status -o json | python3 -c '
import json, sys
name, verdict, reason = sys.argv[1:]
points = json.load(sys.stdin)["attach_points"]
print(sum(p[verdict]["reasons"].get(reason, {}).get("packets", 0) for p in points
          if p["interface"] == name and p["hook"] != "egress"))' "$@"
}
pings() { in_ns "$1" ping -n -q -c 3 -i 0.05 -W 0.5 "${@:3}" "$2" >/dev/null; }

# is_spoofed HOST INTERFACE FORGED TARGET: three echo requests from there are three drops; is_taken: one new flow.
counts()
{
	local before after
	before=$(counted "$1" "$2" "$3")
	in_ns "$5" ping -n -q -c 3 -i 0.05 -W 0.1 -I "$6" "$7" >/dev/null
	after=$(counted "$1" "$2" "$3")
	[ $((after - before)) -eq "$4" ] || { echo "$2 $3 at $1: $before, then $after"; return 1; }
}
is_spoofed() { counts "$2" dropped spoofed 3 "$1" "$3" "$4"; }
is_taken() { counts "$2" allowed rule 1 "$1" "$3" "$4"; }
sources() # "red0 red blue0 blue": ingress hooks that have a source
{
	zw status -o json | python3 -c '
import json, sys
points = json.load(sys.stdin)["attach_points"]
print(*sorted(p["interface"] + "=" + p["source"] for p in points if p["source"]),
      *("egress" for p in points if p["source"] and p["hook"] == "egress"))'
}
are_sources() { [ "$(sources)" = "$*" ] || { echo "sources: $(sources)"; return 1; }; }
within_two_seconds() { for _ in {1..20}; do sleep 0.1; "$@" >"$dir/last" 2>&1 && return; done; cat "$dir/last" "$dir/run.log"; return 1; }

for ns in "$node" "$red" "$blue" "$green"; do ip netns add "$ns" && ip -n "$ns" link set lo up; done
join "$red" red0 1.0
join "$blue" blue0 2.0
in_ns "$node" bash -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
for host in "$red" "$blue"; do
	net=1; [ "$host" = "$red" ] || net=2
	ip -n "$host" route add default via "10.$net.0.1"
	ip -n "$host" -6 route add default via "fd00:$net:0::1"
done
# Until the hosts' link-local addresses are no longer tentative.
for host in "$node" "$red" "$blue"; do
	for _ in {1..40}; do ip -n "$host" -6 addr show tentative | grep -q . || break; sleep 0.1; done
done
# Red takes addresses of blue's network, of the node, and of nobody.
for address in 10.2.0.3 192.0.2.3 10.2.0.1; do ip -n "$red" addr add "$address/32" dev eth0; done
for address in fd00:2:0::3 2001:db8::3; do ip -n "$red" addr add "$address/128" dev eth0 nodad; done

for attached in tcx clsact native generic; do
	xdp=off no_tcx=
	case $attached in clsact) no_tcx=1 ;; native | generic) xdp=$attached ;; esac
	policy bound "$xdp" with
	policy free "$xdp" without
	check "the policy is applied" zw apply "$dir/bound"
	check "status tells the sources of ingress hooks" are_sources blue0=blue red0=red
	check "red reaches blue" pings "$red" 10.2.0.2 -I 10.1.0.2
	check "in IPv6" pings "$red" fd00:2:0::2 -I fd00:1:0::2
	check "blue reaches red" pings "$blue" 10.1.0.2
	check "red cannot speak for blue" is_spoofed "$red" red0 10.2.0.3 10.1.0.1
	check "nor in IPv6" is_spoofed "$red" red0 fd00:2:0::3 fd00:1:0::1
	check "nor to blue, through the node" is_spoofed "$red" red0 10.2.0.3 10.2.0.2
	check "nor for the world" is_spoofed "$red" red0 192.0.2.3 10.1.0.1
	check "nor in IPv6" is_spoofed "$red" red0 2001:db8::3 fd00:1:0::1
	check "nor for the node" is_spoofed "$red" red0 10.2.0.1 10.1.0.1
	check "a policy without sources is applied" zw apply "$dir/free"
	check "nothing is bound" are_sources ""
	check "red speaks for blue" is_taken "$red" red0 10.2.0.3 10.1.0.1
	check "but still not for the node" is_spoofed "$red" red0 10.2.0.1 10.1.0.1
	check "rollback" zw rollback
	check "protects again" is_spoofed "$red" red0 10.2.0.3 10.1.0.1
	check "apply of the same" zw apply "$dir/bound"
	check "keeps protecting" is_spoofed "$red" red0 10.2.0.3 10.1.0.1
	check "down" zw down
done

attached=tcx xdp=off no_tcx=
policy bound off with
policy free off without
zw apply "$dir/bound" >/dev/null 2>&1
check "status shows the source" has "$(zw status)" 'red0 *ingress *[a-z]* *ok *red '
# An address that the node has: duplicate address detection asks from the unspecified address and is answered.
ip -n "$red" addr add fd00:1:0::1/64 dev eth0
tried() { ip -n "$red" -6 addr show dev eth0 | grep 'fd00:1::1/64' | grep -q dadfailed; }
for _ in {1..40}; do tried && break; sleep 0.1; done
check "duplicate address detection works through it" tried
ip -n "$red" addr del fd00:1:0::1/64 dev eth0

echo "# interfaces that appear while zonewall runs"
: >"$dir/run.log"
nsenter --net="/run/netns/$node" "$zonewall" run --instance "$instance" >"$dir/run.log" 2>&1 &
run=$!
for _ in {1..50}; do grep -q ready "$dir/run.log" && break; sleep 0.1; done
appear() # appear INTERFACE NET: with two forged addresses behind it
{
	join "$green" "$1" "3.$2" "e$1"
	ip -n "$green" addr add "10.2.0.$2/32" dev "e$1"
}
appear g4 4
check "a new interface is bound" within_two_seconds are_sources blue0=blue g4=green red0=red
check "its host reaches the node" pings "$green" 10.3.4.1 -I 10.3.4.2
check "it cannot speak for others" is_spoofed "$green" g4 10.2.0.4 10.3.4.1
zw apply "$dir/free" >/dev/null 2>&1
appear g5 5
appear p6 6
check "under a policy without sources one is attached" within_two_seconds is_taken "$green" g5 10.2.0.5 10.3.5.1
check "and another" within_two_seconds is_taken "$green" p6 10.2.0.6 10.3.6.1
check "rollback" zw rollback
check "binds what came after it was made" is_spoofed "$green" g5 10.2.0.5 10.3.5.1
check "and only that" are_sources blue0=blue g4=green g5=green red0=red
check "what it does not bind is open" is_taken "$green" p6 10.2.0.6 10.3.6.1
ip -n "$node" link set p6 down && ip -n "$node" link set p6 name g6 && ip -n "$node" link set g6 up
check "a name that is bound binds" within_two_seconds are_sources blue0=blue g4=green g5=green g6=green red0=red
ip -n "$node" link del g4
check "one that is gone is gone" within_two_seconds are_sources blue0=blue g5=green g6=green red0=red
appear p4 4
check "one that takes over its slot is not bound" within_two_seconds is_taken "$green" p4 10.2.0.4 10.3.4.1
kill -9 "$run"
{ wait "$run"; } 2>/dev/null
run=
check "without the loader the bound stay bound" is_spoofed "$green" g5 10.2.0.5 10.3.5.1

echo "# no room in the table of attach points"
for i in {0..7}; do ip -n "$node" link add "d$i" index $((5000 + i)) type veth peer name "e$i" 2>"$dir/last" || break; done
if [ "$i" -lt 7 ] || ! ip -n "$node" link show d7 >/dev/null 2>&1; then
	check "# skip: interfaces cannot be given indices here" true
else
	ip -n "$node" link add dfree index $((5000 + 2048)) type veth peer name efree
	check "an interface that is not bound does without its entry" zw apply "$dir/bound"
	ip -n "$node" link set dfree name dbound
	out=$(zw apply "$dir/bound" 2>&1)
	status=$?
	check "one that is bound is refused" test "$status" = 1
	check "and said why" has "$out" "'dbound'.*table of attach points is taken, without which its 'source' cannot be enforced"
	check "while all others stay bound" is_spoofed "$red" red0 10.2.0.3 10.1.0.1
	ip -n "$node" link del d3
	zw apply "$dir/free" >/dev/null 2>&1
	check "once there is room it is applied" zw apply "$dir/bound"
	check "and bound" has "$(sources)" dbound=green
fi
echo "1..$count"
