#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What the kernel's stack would deliver on a denied port never passes, whatever its headers look like. The same frames
# are sent with nothing attached and under each way of attaching:
#
#   the sender 10.9.0.1 fd00:9::1 s0 -------- r0 10.9.0.2 fd00:9::2 the receiver, with r0.5 and r0.7 on top
#
#   differential.sh [CASES [SEED]]      or DIFFERENTIAL_CASES, DIFFERENTIAL_SEED
#
# Of the cases that are meant for the allowed port, most of those that the stack takes pass; the others are sent once more,
# alone, so that the counters say for which reasons they are refused.
set -u
zonewall=$(realpath "${ZONEWALL:-build/zonewall}")
program=$(realpath "${BUILD:-build}/tests/net/differential")
cases=${1:-${DIFFERENTIAL_CASES:-12000}}
seed=${2:-${DIFFERENTIAL_SEED:-$(date +%s)}}
instance=zw-differ-$$
sender=$instance-s
receiver=$instance-r
dir=$(mktemp -d)
count=0

in_ns() { nsenter --net="/run/netns/$1" "${@:2}"; }
zw() { in_ns "$receiver" env ${no_tcx:+ZONEWALL_NO_TCX=1} "$zonewall" "$1" --instance "$instance" "${@:2}"; }

clean_up()
{
	zw down >/dev/null 2>&1
	ip netns del "$sender" 2>/dev/null
	ip netns del "$receiver" 2>/dev/null
	rm -rf "$dir" "/run/zonewall/$instance" "/var/lib/zonewall/$instance"
}
no_tcx=
trap clean_up EXIT
trap 'exit 1' INT TERM

ok() # ok STATUS WHAT: returns STATUS
{
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; fi
	return "$1"
}

# Both take what they are sent: from anywhere, tagged, fragments soon forgotten. Neighbours are known, so nothing waits.
set_up()
{
	ip netns add "$sender" && ip netns add "$receiver" || exit 1
	ip link add s0 netns "$sender" address 02:00:00:00:09:01 type veth peer name r0 netns "$receiver" \
		address 02:00:00:00:09:02
	in_ns "$receiver" sh -c 'cd /proc/sys/net; for i in all default r0; do echo 0 >ipv4/conf/$i/rp_filter; done
		echo 1 >ipv4/ipfrag_time; echo 1 >ipv6/ip6frag_time; echo 0 >ipv4/icmp_echo_ignore_broadcasts
		echo 0 >ipv4/icmp_ratelimit; echo 1000000 >ipv4/icmp_msgs_per_sec; echo 1000000 >ipv4/icmp_msgs_burst' 2>/dev/null
	if ip -n "$receiver" link add link r0 name r0.5 type vlan id 5 2>/dev/null; then
		ip -n "$receiver" link add link r0 name r0.7 type vlan protocol 802.1ad id 7
		ip -n "$receiver" link add link r0.5 name r0.5.7 type vlan id 7
		ip -n "$receiver" addr add 10.9.5.2/24 dev r0.5
	else
		echo "# no VLAN devices in this kernel: of tagged frames the stack takes only those with VID 0"
	fi
	ip -n "$receiver" addr add 10.9.0.2/24 dev r0
	ip -n "$receiver" addr add fd00:9::2/64 dev r0 nodad
	ip -n "$sender" addr add 10.9.0.1/24 dev s0
	ip -n "$sender" addr add fd00:9::1/64 dev s0 nodad
	ip -n "$sender" link set s0 up
	for i in lo r0 r0.5 r0.7 r0.5.7; do ip -n "$receiver" link set "$i" up 2>/dev/null; done
	for address in 10.9.0.1 fd00:9::1; do
		ip -n "$receiver" neigh replace "$address" lladdr 02:00:00:00:09:01 nud permanent dev r0
	done
	# The sender's own stack must not answer what the receiver's does.
	ip -n "$sender" addr flush dev s0
	ip -n "$sender" link set s0 arp off
}

policy() # policy XDP
{
	cat >"$dir/policy.yaml" <<-END
		version: 1
		defaults: {action: drop, log: none}
		failsafe: []
		interfaces: [{match: [r0], xdp: $1}]
		zones: {sender: [10.9.0.1, "fd00:9::1"], receiver: [10.9.0.2, "fd00:9::2"]}
		rules:
		  - {id: service, from: sender, to: receiver, service: [udp/5001, tcp/5001], action: allow}
		  - {id: answers, from: receiver, to: any, service: any, action: allow}
	END
}

send() # send RESULT [OPTION...]
{
	"$program" "$sender" "$receiver" --seed "$seed" --cases "$cases" "${@:2}" >"$dir/$1.all" || return 1
	grep '^#' "$dir/$1.all"
	grep -v '^#' "$dir/$1.all" | sort >"$dir/$1"
}

number() { grep -c "^$2 " "$dir/$1"; } # number RESULT allowed|denied: how many were

reasons() # what the ingress hook dropped: REASON COUNT
{
	zw status -o json | python3 -c '
import json, sys
for point in json.load(sys.stdin)["attach_points"]:
    if point["hook"] != "egress":
        for reason, count in point["dropped"]["reasons"].items():
            print(reason, count["packets"] if isinstance(count, dict) else count)' | sort
}

decided() # how many frames the ingress hook decided
{
	zw status -o json | python3 -c '
import json, sys
print(sum(point[verdict]["packets"] for point in json.load(sys.stdin)["attach_points"] if point["hook"] != "egress"
          for verdict in ("allowed", "dropped")))'
}

refusals() # refusals LIST: REASON FRAMES, of these cases sent once more, alone
{
	reasons >"$dir/before"
	send alone --only allowed --list "$1" >"$dir/frames" || return 1
	reasons >"$dir/after"
	join -a 2 -e 0 -o 0,1.2,2.2 "$dir/before" "$dir/after" | awk '$3 > $2 { print $1, $3 - $2 }'
}

is_documented() { ! grep -qvE '^(malformed|fragment|tcp-state) ' "$1"; }

show_undocumented() # show_undocumented LIST: the first five of its cases with another reason, found by halves
{
	local half=$(($(wc -l <"$1") / 2))
	[ "$shown" -lt 5 ] || return
	refusals "$1" >"$1.why"
	is_documented "$1.why" && return
	if [ $half -eq 0 ]; then
		shown=$((shown + 1))
		grep '^# case' "$dir/frames"
		sed 's/^/# that was /' "$1.why"
		return
	fi
	head -n $half "$1" >"$1.1"
	tail -n +$((half + 1)) "$1" >"$1.2"
	show_undocumented "$1.1"
	show_undocumented "$1.2"
}

# What the stack would take on the allowed port and zonewall does not: headers that are malformed by its rules (source
# routes, more than eight extension headers, a third tag...), fragments that come before their first one, and TCP flags that
# no TCP sends. Sent once more, these cases are all that is counted.
refused_as_documented()
{
	local shown=0
	comm -23 "$dir/taken" "$dir/allowed" | sed -n 's/allowed //p' >"$dir/list"
	refusals "$dir/list" >"$dir/list.why" || return 1
	sed 's/\(.*\) \(.*\)/#   refused: \2 frames as \1/' "$dir/list.why"
	is_documented "$dir/list.why" && return
	show_undocumented "$dir/list"
	return 1
}

# Nothing was delivered on a denied port by what is meant for this one; else: what says so, and the frames.
none_denied() # none_denied RESULT WHAT: RESULT is what --only was
{
	[ "$(number "$1" denied)" -eq 0 ]
	ok $? "$mode: $2" && return
	grep '^denied' "$dir/$1" | head -n 5 | sed 's/^/# /'
	sed -n 's/^denied \([0-9]*\) .*/\1/p' "$dir/$1" | head -n 5 >"$dir/list"
	send again --only "$1" --list "$dir/list"
}

compare() # under $mode
{
	local whole passed frames before arrived
	before=$(decided)
	send denied --only denied || return 1
	frames=$(sed -n 's/^# .* cases in \([0-9]*\) frames.*/\1/p' "$dir/denied.all")
	arrived=$(($(decided) - before))
	[ "$arrived" -ge $((frames - frames / 50)) ]
	ok $? "$mode: what is sent arrives, but for the few frames that are too short"
	echo "# $arrived of $frames frames arrived"
	none_denied denied "nothing is delivered on a denied port"
	send allowed --only allowed || return 1
	none_denied allowed "nor by what is meant for the allowed one"
	whole=$(number taken allowed)
	passed=$(comm -12 "$dir/taken" "$dir/allowed" | grep -c ^allowed)
	[ "$passed" -gt $((whole * 3 / 4)) ]
	ok $? "$mode: most of what the stack delivers on the allowed port passes"
	echo "# $passed of $whole cases that the stack delivers on the allowed port pass"
	refused_as_documented >"$dir/refusals"
	ok $? "$mode: what does not is refused for a documented reason"
	cat "$dir/refusals"
}

[ -x "$program" ] || { echo "Bail out! there is no $program"; exit 1; }
set_up
echo "# seed $seed, $cases cases"
if ! send exposed --only denied || ! send taken --only allowed; then
	echo "Bail out! nothing can be sent"
	exit 1
fi
[ "$(number exposed denied)" -gt $((cases / 8)) ] && [ "$(number taken allowed)" -gt $((cases / 16)) ]
ok $? "with nothing attached the stack delivers many of the cases, on denied ports and on the allowed one"
echo "# $(number exposed denied) on denied ports, $(number taken allowed) on the allowed one"
sleep 2 # what its reassembly still holds would meet the fragments of the next pass
for mode in native generic tcx clsact; do
	xdp=off no_tcx=
	case $mode in clsact) no_tcx=1 ;; native | generic) xdp=$mode ;; esac
	policy "$xdp"
	if ! zw apply "$dir/policy.yaml" >"$dir/apply" 2>&1; then
		ok 1 "$mode: the policy is applied"
		sed 's/^/# /' "$dir/apply"
		continue
	fi
	compare || ok 1 "$mode: the frames can be sent"
	zw down >/dev/null
done
echo "1..$count"
