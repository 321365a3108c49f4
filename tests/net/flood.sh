#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# flood.sh - floods of forged first packets, twice as many flows as the table holds: 1,000 slow confirmed flows lose
# nothing, new clients get in, failsafe works, what is denied stays denied, and the table takes no more memory.
#
#    peer v1 10.99.0.2 ------------- v0 10.99.0.1 the node: servers, 500 clients of the peer
#         v3 forged 10.64.0.0/13 --- v2              void: where its answers to the forged sources end
#
# FLOWS=N of the table, SECONDS_EACH=N at least for a flood. FLOWS=262144 is what `auto` gives.
# shellcheck source=tests/net/publish.bash
. "${BASH_SOURCE%/*}/publish.bash" "flood-$$"
tools=${BUILD:-build}/tests/net
flows=${FLOWS:-65536}
seconds=${SECONDS_EACH:-4}
servers=() keepers=() flood=''

stop() { [ $# -eq 0 ] || { kill "$@"; wait "$@"; } 2>/dev/null; }
kill_children()
{
	stop "${keepers[@]}"
	stop $flood
	stop "${servers[@]}"
	clean_up
}
set_up
trap kill_children EXIT

policy_file() # FLOWS XDP
{
	cat <<-END
		version: 1
		defaults: {action: drop, log: none, flows: $1}
		interfaces: [{match: [v0, v2], xdp: $2}, {match: [void], xdp: off}]
		zones: {peer: [10.99.0.2], node: [10.99.0.1], crowd: [10.64.0.0/13], silent: [10.99.7.7]}
		failsafe: [{id: rescue, from: peer, to: node, service: tcp/22}]
		rules:
		  - {id: slow-in, from: peer, to: node, service: [tcp/7000, udp/7000], action: allow}
		  - {id: slow-out, from: node, to: peer, service: [tcp/7000, udp/7000], action: allow}
		  - {id: new, from: peer, to: node, service: tcp/7002, action: allow}
		  - {id: crowd, from: crowd, to: [node, silent], service: [tcp/9, tcp/7002, udp/7002], action: allow}
	END
}

serve() # NAMESPACE PORT
{
	nsenter --net="/run/netns/$1" "$tools/flood_flows" serve "$2" &
	servers+=($!)
}
keep() # NAMESPACE ADDRESS N: connections from it, and as many UDP flows
{
	nsenter --net="/run/netns/$1" "$tools/flood_flows" keep "$2" 7000 "$3" >"$dir/keep.$1" 2>&1 &
	keepers+=($!)
}
ready() { for _ in {1..150}; do grep -qs ready "$dir/keep.$1" && return 0; sleep 0.1; done; return 1; }

status() { zw status -o json; }
in_table() { status | grep -o '"ipv4":{[^}]*}' | grep -o "\"$1\":[0-9]*" | grep -o '[0-9]*$'; }
rule() { zw rules -o json | grep -o "{[^{}]*\"id\":\"$1\"[^{}]*}" | grep -o "\"$2\":[0-9]*" | grep -o '[0-9]*$'; }
entered() # packets that were let in from the forged sources' interface
{
	# shellcheck disable=SC2016
	status | perl -MJSON::PP -e 'my $n = 0; $_->{interface} eq "v2" && $_->{hook} ne "egress" and $n += $_->{allowed}{packets}
		for @{decode_json(join "", <STDIN>)->{attach_points}}; print $n'
}
memory() { for map in /sys/fs/bpf/zonewall/"$instance"/abi-*/state/zw_*; do bpftool map show pinned "$map"; done | grep -o 'value [0-9]*B.*memlock.*'; }
connect() { at_peer timeout "${2:-20}" "$tools/flood_flows" connect 10.99.0.1 "$1" 2>&1; }

# The slow flows, all confirmed, in a table where none of them shares a bucket with three others: one in a hundred
# tables of 65,536 has such a bucket, which protects three. (That is what `not protected` in status tells.)
begin() # XDP
{
	for _ in 1 2 3; do
		zw down >/dev/null 2>&1
		policy_file "$flows" "$1" >"$dir/policy"
		zw apply "$dir/policy" >"$dir/out" 2>&1 || { cat "$dir/out"; return 1; }
		opened_in=$(rule slow-in flows) opened_out=$(rule slow-out flows)
		keepers=()
		rm -f "$dir"/keep.*
		keep "$peer" 10.99.0.1 250
		keep "$node" 10.99.0.2 250
		ready "$peer" && ready "$node" || return 1
		[ "$(in_table unprotected)" != 0 ] || return 0
		stop "${keepers[@]}"
	done
	return 1
}
new_client() # WHAT: while the flood lasts
{
	local worst=0 took tries=0
	while kill -0 "$flood" 2>/dev/null; do
		took=$(connect 7002)
		[[ $took =~ ^[0-9]+$ ]] || { echo "no connection: $took"; return 1; }
		tries=$((tries + 1))
		[ "$took" -le "$worst" ] || worst=$took
		sleep 0.1
	done
	echo "$tries connections, the slowest took $worst ms"
	[ "$tries" -gt 0 ] && [ "$worst" -le 3000 ]
}
start_flood() # PROTOCOL ADDRESS PORT FLOWS SECONDS
{
	"$tools/flood_forge" "$peer" v3 "$(ip -n "$node" -br link show v2 | awk '{print $3}')" "$@" >"$dir/sent" &
	flood=$!
}

ip -n "$node" link add void type veth peer name nothing netns "$peer"
ip -n "$node" addr add 10.98.0.1/24 dev void
ip -n "$node" link set void up
ip -n "$peer" link set nothing up
ip -n "$node" neigh add 10.98.0.2 lladdr 02:00:00:00:00:01 dev void # nobody's: frames to it end there
ip -n "$node" route add 10.64.0.0/13 via 10.98.0.2
ip -n "$node" route add blackhole 10.99.7.0/24
for at in all default v0 v2; do at_node sysctl -qw "net.ipv4.conf.$at.rp_filter=0"; done
at_node sysctl -qw net.ipv4.tcp_syncookies=1 net.ipv4.tcp_synack_retries=1
for port in 22 7000 7002 7003; do serve "$node" "$port"; done
serve "$peer" 7000
sleep 0.3

for mode in native off; do
	echo "# xdp: $mode, a table of $flows flows"
	begin "$mode"
	ok $? "1,000 slow flows are confirmed and protected"
	before=$(memory)
	for kind in "a closed port:tcp:10.99.0.1:9" "a silent port:tcp:10.99.7.7:9" \
		"an answering port:tcp:10.99.0.1:7002" "answered UDP queries:udp:10.99.0.1:7002"; do
		IFS=: read -r what protocol address port <<<"$kind"
		counted=$(entered)
		start_flood "$protocol" "$address" "$port" $((flows * 2)) "$seconds"
		out=$(new_client)
		ok $? "a flood to $what: new clients get in, $out"
		check "and the failsafe port answers" connect 22
		wait "$flood"
		flood=''
		arrived=$(($(entered) - counted))
		check "at least $((flows * 2)) of the $(cat "$dir/sent") sent entered: $arrived" test $arrived -ge $((flows * 2))
	done
	start_flood tcp 10.99.0.1 9 $((flows * 2)) 2
	check "what is denied stays denied" not connect 7003 1
	wait "$flood"
	flood=''
	check "the maps are as they were" test "$(memory)" = "$before"
	check "status tells how many gave way: $(in_table replaced)" test "$(in_table replaced)" -gt "$flows"
	has "$(zw status)" "IPv4: $(in_table replaced) unconfirmed flows gave their slots to newer ones"
	ok $? "as text, too"
	stop "${keepers[@]}"
	keepers=()
	for host in "$peer" "$node"; do
		read -r lost sent missing < <(tail -n 1 "$dir/keep.$host")
		check "no slow connection of ${host##*-} is lost" test "$lost" = 0
		check "each of the $sent slow datagrams of ${host##*-} is answered" test "$missing" = 0
	done
	echo "# not protected: $(in_table unprotected)"
	check "no slow flow was opened twice, in: $(($(rule slow-in flows) - opened_in))" test $(($(rule slow-in flows) - opened_in)) = 500
	check "no slow flow was opened twice, out: $(($(rule slow-out flows) - opened_out))" test $(($(rule slow-out flows) - opened_out)) = 500
done

echo "# a full table: one bucket, three flows of it protected"
zw down >/dev/null 2>&1
policy_file 4 native >"$dir/policy"
zw apply "$dir/policy" >/dev/null 2>&1
keep "$peer" 10.99.0.1 10
# Before the flood, which leaves hardly a slot to its flow until that is answered.
not_protected() { for _ in {1..100}; do [ "$(in_table unprotected)" = 0 ] || return 0; sleep 0.1; done; return 1; }
check "status tells how many are not protected" not_protected
start_flood udp 10.99.0.1 7002 1000 3
check "the failsafe port answers" connect 22
check "what is denied stays denied" not connect 7003 1
wait "$flood"
flood=''
check "what is allowed passes without state: nothing is dropped where it enters" \
	has "$(zw status -v)" "v2 *xdp *native *ok *[^ ]* *0 "
check "status tells how many found no room: $(in_table refused)" test "$(in_table refused)" -gt 0
echo "1..$count"
