#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# seed.sh - connections that are older than the firewall outlive its first apply, in both directions:
#
#   the client 10.1.0.2 fd00:1::2 --- vc  the node  vs --- the server 10.2.0.2 fd00:2::2
#              the node is 10.1.0.1 fd00:1::1 and 10.2.0.1 fd00:2::1, listens itself, and routes
#
# After the apply, the side that did not open a connection speaks first: without its flow, no rule allows that.
set -u
zonewall=$(realpath "${ZONEWALL:-build/zonewall}")
here=$(realpath "${BASH_SOURCE%/*}")
instance=zw-seed-$$
node=$instance-n
client=$instance-c
server=$instance-s
dir=$(mktemp -d)
# shellcheck source=tests/net/tap.bash
. "${BASH_SOURCE%/*}/tap.bash"
pids=()

in_ns() { nsenter --net="/run/netns/$1" "${@:2}"; }
zw() { in_ns "$node" "$zonewall" "$1" --instance "$instance" "${@:2}"; }

clean_up()
{
	[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null
	zw down >/dev/null 2>&1
	stop_talking
	for ns in "$node" "$client" "$server"; do ip netns del "$ns" 2>/dev/null; done
	rm -rf "$dir" "/run/zonewall/$instance" "/var/lib/zonewall/$instance"
}

join() # join NAMESPACE INTERFACE NET: the node has .1, the host .2
{
	ip link add "$2" netns "$node" type veth peer name eth0 netns "$1"
	ip -n "$node" addr add "10.$3.0.1/24" dev "$2"
	ip -n "$node" addr add "fd00:$3::1/64" dev "$2" nodad
	ip -n "$1" addr add "10.$3.0.2/24" dev eth0
	ip -n "$1" addr add "fd00:$3::2/64" dev eth0 nodad
	ip -n "$node" link set "$2" up
	ip -n "$1" link set eth0 up
	ip -n "$1" link set lo up
	ip -n "$1" route add default via "10.$3.0.1"
	ip -n "$1" -6 route add default via "fd00:$3::1"
}

# talk WORDS...: one line for talk.py, whose answer must be "yes".
talk()
{
	local answer
	echo "$*" >&7
	read -r -t 10 answer <&8 || answer="no answer to: $*"
	[ "$answer" = yes ] || { echo "$answer"; return 1; }
}
talks() { for line in "$@"; do talk "$line" || return 1; done; } # a line each
start_talking()
{
	rm -f "$dir/ask" "$dir/answer"
	mkfifo "$dir/ask" "$dir/answer"
	exec 7<>"$dir/ask" 8<>"$dir/answer"
	python3 "$here/talk.py" <&7 >&8 2>"$dir/talk.log" &
	talker=$!
}
stop_talking()
{
	[ -n "$talker" ] || return 0
	talk bye || kill "$talker" 2>/dev/null
	wait "$talker" 2>/dev/null
	talker=
}

policy() # policy FILE TCP XDP INTERFACE...
{
	local file=$dir/$1 tcp=$2 xdp=$3 list
	shift 3
	list=$(printf '"%s", ' "$@")
	cat >"$file" <<-END
		version: 1
		defaults: {action: drop, tcp: $tcp}
		failsafe: []
		interfaces: [{match: [${list%, }], xdp: $xdp}]
		zones:
		  client: [10.1.0.2, "fd00:1::2"]
		  server: [10.2.0.2, "fd00:2::2"]
		  node: [10.1.0.1, 10.2.0.1, "fd00:1::1", "fd00:2::1"]
		services: {ours: [tcp/7000-7009, udp/7000-7009, tcp/5201], theirs: [tcp/7010-7019, udp/7010-7019, proto/253]}
		rules:
		  - {id: never-7003, from: any, to: any, service: tcp/7003, action: drop}
		  - {id: to-node, from: client, to: node, service: ours, action: allow}
		  - {id: from-node, from: node, to: server, service: theirs, action: allow}
		  - {id: through, from: client, to: server, service: theirs, action: allow}
		  - {id: translated, from: client, to: node, service: tcp/7020, action: allow}
	END
}

dropped() # dropped [REASON]: packets, over all attach points
{
	zw status -o json | python3 -c '
import json, sys
points = json.load(sys.stdin)["attach_points"]
reason = sys.argv[1] if len(sys.argv) > 1 else None
print(sum(p["dropped"]["reasons"].get(reason, {"packets": 0})["packets"] if reason else p["dropped"]["packets"] for p in points))' "$@"
}
no_drops()
{
	local packets
	packets=$(dropped)
	[ "$packets" = 0 ] || { echo "$packets dropped"; zw status -o json; return 1; }
}

set_up()
{
	ip netns add "$node" && ip netns add "$client" && ip netns add "$server" || return 1
	ip -n "$node" link set lo up
	join "$client" vc 1
	join "$server" vs 2
	in_ns "$node" bash -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
}

# Connections of the node itself, each of another kind, all before the first apply.
open_ours()
{
	talks "listen all $node :: 7000" "listen four $node 10.1.0.1 7001" "listen gone $node :: 7002" \
		"listen never $node :: 7003" "listen far $server :: 7010" || return 1
	talks "connect in4 $client 10.1.0.1 7000 all" "connect in6 $client fd00:1::1 7000 all" \
		"connect bound $client 10.1.0.1 7001 four" "connect unheard $client 10.1.0.1 7002 gone" "drop gone" \
		"connect denied $client 10.1.0.1 7003 never" "connect half $client 10.1.0.1 7000 all" "shut half opener" \
		"connect out4 $node 10.2.0.2 7010 far" "connect out6 $node fd00:2::2 7010 far" || return 1
	talks "udp udp-out $node 10.2.0.1 40000 $server 10.2.0.2 7011" "udp udp-out6 $node fd00:2::1 40000 $server fd00:2::2 7011" \
		"udp udp-in $client 10.1.0.2 40001 $node 10.1.0.1 7004"
}
allowed_ones="in4 in6 bound unheard out4 out6 udp-out udp-out6 udp-in"

# Both connections of both streams are there, and say something.
running()
{
	for _ in $(seq 50); do
		sleep 0.1
		[ "$(in_ns "$node" ss -Htn state established '( sport = 5201 or sport = 7005 )' | wc -l)" != 4 ] || return 0
	done
	in_ns "$node" ss -Htn
	return 1
}

# iperf3 in both directions while the policy is applied for the first time.
streams()
{
	local status=0 first second
	in_ns "$client" timeout 10 iperf3 -c 10.1.0.1 -t 2 >"$dir/forth" 2>&1 & first=$!
	in_ns "$client" timeout 10 iperf3 -c fd00:1::1 -p 7005 -R -t 2 >"$dir/back" 2>&1 & second=$!
	running || status=1 # what is opened between seeding and deciding is not what this is about
	zw apply "$dir/policy" >"$dir/apply" 2>&1 || status=1
	wait "$first" || status=1
	wait "$second" || status=1
	[ $status -eq 0 ] || cat "$dir/forth" "$dir/back" "$dir/apply"
	return $status
}

serve()
{
	local pid
	for port in 5201 7005; do
		nsenter --net="/run/netns/$node" iperf3 -s -p "$port" >/dev/null 2>&1 &
		pid=$!
		pids+=("$pid")
	done
	for _ in $(seq 50); do
		in_ns "$node" bash -c ': </dev/tcp/127.0.0.1/5201 && : </dev/tcp/127.0.0.1/7005' 2>/dev/null && return 0
		sleep 0.1
	done
	return 1
}

only_revoked() # it sends again and again, so both are counted from one reading
{
	zw status -o json | python3 -c '
import json, sys
dropped = [p["dropped"] for p in json.load(sys.stdin)["attach_points"]]
revoked = sum(d["reasons"].get("revoked", {"packets": 0})["packets"] for d in dropped)
total = sum(d["packets"] for d in dropped)
print(revoked, "of", total)
sys.exit(revoked < 2 or revoked != total)'
}

revoked_is_told()
{
	local out
	for _ in $(seq 20); do
		out=$(zw drops -o json 2>&1)
		if grep '"reason":"revoked"' <<<"$out" | grep '"from_zones":\["node"' | grep -q '"rule":null'; then return 0; fi
		sleep 0.1
	done
	echo "$out"
	return 1
}

bare_ack() # bare_ack FAMILY: of a connection that nobody knows, to a port that policy allows
{
	local before after from=10.1.0.2 to=10.1.0.1
	[ "$1" = 4 ] || from=fd00:1::2 to=fd00:1::1
	before=$(dropped tcp-state)
	talk "segment $client $from 33333 $to 7000 16" || return 1
	for _ in $(seq 20); do
		sleep 0.1
		after=$(dropped tcp-state)
		[ "$after" = "$before" ] || break
	done
	[ $((after - before)) -eq 1 ] || { echo "$before, then $after"; return 1; }
}

# The node's own connections, which the kernel's sockets tell.
test_sockets() # test_sockets TCP XDP
{
	local out
	attached="sockets, $1, xdp: $2"
	policy policy "$1" "$2" vc vs
	start_talking
	check "connections are opened" open_ours
	serve || echo "Bail out! iperf3 does not start"
	check "a stream in each direction outlives the first apply" streams
	has "$(cat "$dir/apply")" "flows of live connections were taken over" || cat "$dir/apply"
	check "and nothing of them was dropped" no_drops
	nsenter --net="/run/netns/$node" "$zonewall" run --instance "$instance" "$dir/policy" >"$dir/run.log" 2>&1 &
	pids+=($!)
	for name in $allowed_ones; do
		check "$name: who did not open it speaks first" talk "other $name"
		check "$name: and is answered" talk "opener $name"
	done
	check "half: closed by its opener, it still gets data" talk "other half"
	check "half: and is closed by the other side" talk "shut half other"
	check "nothing was dropped" no_drops
	check "denied: the policy that denies it cuts it" talk "cut denied other"
	check "denied: in both directions" talk "cut denied opener"
	check "denied: counted as revoked, and as nothing else" only_revoked
	check "denied: its zones are told, and no rule" revoked_is_told
	if [ "$1" = strict ]; then
		check "the ACK of an unknown connection is dropped" bare_ack 4
		check "in IPv6 too" bare_ack 6
	fi
	kill "${pids[@]}" 2>/dev/null
	wait "${pids[@]}" 2>/dev/null
	pids=()
	check "another apply seeds nothing" not has "$(zw apply "$dir/policy" 2>&1)" "taken over"
	zw down >/dev/null
	stop_talking # now, so that no connection lingers until the next test
}

# An interface that a later apply attaches brings connections of its own.
test_later()
{
	attached="another interface"
	policy one strict off vs
	policy both strict off vc vs
	start_talking
	check "only one is attached" zw apply "$dir/one"
	check "connections are opened over the other" talks "listen all $node :: 7000" \
		"connect in4 $client 10.1.0.1 7000 all" "connect in6 $client fd00:1::1 7000 all"
	check "it is attached" has "$(zw apply "$dir/both" 2>&1)" "2 flows of live connections were taken over"
	for name in in4 in6; do
		check "$name: who did not open it speaks first" talk "other $name"
		check "$name: and is answered" talk "opener $name"
	done
	check "nothing was dropped" no_drops
	zw down >/dev/null
	stop_talking # now, so that no connection lingers until the next test
}

# Where there is no room for all, the others are told.
test_room()
{
	local out i connections=()
	attached="a table of eight"
	policy small loose off vc vs
	sed -i 's/tcp: loose/flows: 8/' "$dir/small"
	start_talking
	for i in 1 2 3 4 5 6 7 8 9 10; do connections+=("connect c$i $client 10.1.0.1 7000 all"); done
	check "ten connections are opened" talks "listen all $node :: 7000" "${connections[@]}"
	out=$(zw apply "$dir/small" 2>&1)
	check "eight find room" has "$out" "8 flows of live connections were taken over"
	check "two do not, which is a warning" has "$out" "warning: 2 live connections found no room"
	zw down >/dev/null
	stop_talking # now, so that no connection lingers until the next test
}

# What the node forwards is known to its connection tracking alone.
tracked() { in_ns "$node" cat /proc/sys/net/netfilter/nf_conntrack_count 2>/dev/null || echo 0; }
start_tracking()
{
	in_ns "$node" nft -f - <<-END
		table inet zw {
			chain in { type filter hook prerouting priority 0; ct state established accept; }
			chain out { type filter hook output priority 0; ct state established accept; }
		}
		table ip zwnat {
			chain pre { type nat hook prerouting priority -100; tcp dport 7020 dnat to 10.2.0.2:7010; }
			chain post { type nat hook postrouting priority 100; }
		}
	END
}
test_tracked()
{
	attached="nf_conntrack"
	policy policy strict off vc vs
	start_talking
	check "a connection older than tracking" talks "listen all $node :: 7000" "listen far $server :: 7010" \
		"connect older $client 10.1.0.1 7000 all" "connect older-through $client fd00:2::2 7010 far"
	start_tracking 2>"$dir/nft"
	check "it speaks, first from the side that did not open it" talks "other older" "opener older" \
		"other older-through" "opener older-through"
	check "connections are forwarded" talks "connect through4 $client 10.2.0.2 7010 far" \
		"connect through6 $client fd00:2::2 7010 far" \
		"udp udp4 $client 10.1.0.2 40000 $server 10.2.0.2 7011" \
		"udp udp6 $client fd00:1::2 40000 $server fd00:2::2 7011" \
		"raw proto-253 $client 10.1.0.2 $server 10.2.0.2 253"
	if [ "$(tracked)" = 0 ]; then
		skip "connections are not tracked here: $(head -n 1 "$dir/nft")"
		stop_talking
		return
	fi
	check "one is translated" talk "connect translated $client 10.1.0.1 7020 far"
	check "the policy is applied" zw apply "$dir/policy"
	for name in older older-through through4 through6 udp4 udp6 proto-253 translated; do
		check "$name: who did not open it speaks first" talk "other $name"
		check "$name: and is answered" talk "opener $name"
	done
	check "nothing was dropped" no_drops
	zw down >/dev/null
	stop_talking # now, so that no connection lingers until the next test
}

talker=
attached=-
trap clean_up EXIT
trap 'exit 1' INT TERM
set_up || { echo "Bail out! no network namespaces"; exit 1; }
test_sockets loose off
test_sockets strict generic
test_later
test_room
test_tracked
echo "1..$count"
