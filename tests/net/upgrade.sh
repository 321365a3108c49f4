#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# upgrade.sh - a zonewall of another ABI takes over what this one has published, and this one takes it back: with the same
# layout of everything no packet of any flow is lost and no count; with other layouts it is said before, live connections go
# on, and nothing denied passes. Killed at random points (KILLS=N, SEED=N) it decides by the old policy or the new one. What
# cannot be taken over is refused. publish.bash draws the hosts; `make others` builds the other two.
# shellcheck source=tests/net/publish.bash
. "${BASH_SOURCE%/*}/publish.bash" "upgrade-$$"
others=$(realpath -m "${BUILD:-build}")/other
this=$zonewall
for file in "$others/same/zonewall" "$others/changed/zonewall"; do
	[ -x "$file" ] || { echo "1..0 # SKIP there is no $file (make others)"; exit 0; }
done
set_up
run='' traffic='' stream='' server=''
trap 'kill $run $traffic $stream $server 2>/dev/null; use this; clean_up' EXIT
abi_of() { sed -n 's/^#define ZW_ABI //p' "$others/$1/include/zonewall.h"; }
folder=/sys/fs/bpf/zonewall/$instance
# use VERSION: this, same or changed
use() { case $1 in this) zonewall=$this pins=$folder/abi-$abi ;; *) zonewall=$others/$1/zonewall pins=$folder/abi-$(abi_of "$1") ;; esac; }
# is_alone: what is attached leads to its gate, and no other ABI has a folder
is_alone() { is "$(echo "$folder"/*)" "$pins" && not has "$(zw status -o json)" '"healthy":false'; }
applies() { zw apply "$dir/$1" >"$dir/out" 2>&1 || { cat "$dir/out"; return 1; }; }
ids() { [ "$attached" = clsact ] || link_ids; } # a filter is replaced by another one
# rules FILE PINGER XDP: 10.99.0.PINGER may ping; both policies let in port 5001, and out what the iperf3 of the node asks for
rules()
{
	cat >"$dir/$1" <<-END
		version: 1
		defaults: {action: drop}
		interfaces: [{match: [v0], xdp: $3}]
		failsafe: []
		zones: {pinger: [10.99.0.$2], peer: [10.99.0.0/24], node: [10.99.0.1]}
		rules:
		  - {id: ping, from: pinger, to: node, service: icmp/echo-request, action: allow}
		  - {id: echo, from: peer, to: node, service: udp/5001, action: allow}
		  - {id: out, from: node, to: peer, service: tcp/6000, action: allow}
	END
}

# 64 flows of datagrams that are answered, and as many that are denied; and a TCP connection that the node opened, so that its
# data is answers.
begin_traffic() # begin_traffic SECONDS
{
	coproc counter_of { exec "$tools/publish_traffic" "$node" 10.99.0.1 "$peer" 10.99.0.2; }
	# shellcheck disable=SC2154 # of coproc
	traffic=$counter_of_PID
	exec {from}<&"${counter_of[0]}" # the array goes away with the process
	nsenter --net="/run/netns/$node" iperf3 -J -R -c 10.99.0.2 -p 6000 -t "$1" -b 200M >"$dir/stream.json" 2>&1 &
	stream=$!
	sleep 0.5
}
end_traffic() # in $sent $arrived $echoed $denied, out $sent_out $arrived_out; of TCP $streamed, the exit status, and $again, what was sent twice
{
	local to=${counter_of[1]}
	exec {to}>&-
	read -r _ _ sent _ arrived _ echoed _ denied _ <&"$from" # into the node
	read -r _ _ sent_out _ arrived_out _ <&"$from" # and out of it, where all is denied
	exec {from}<&-
	wait "$stream"
	streamed=$?
	again=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["end"]["sum_sent"]["retransmits"])' <"$dir/stream.json")
	traffic='' stream=''
	echo "# sent $sent, arrived $arrived, echoed $echoed, denied $denied; TCP sent $again again"
}
# What all hooks have dropped, by reason: "default=12"
drops()
{
	zw status -o json | python3 -c '
import collections, json, sys
drops = collections.Counter()
for point in json.load(sys.stdin)["attach_points"]:
    drops.update({reason: count["packets"] for reason, count in point["dropped"]["reasons"].items()})
print(*(f"{reason}={count}" for reason, count in sorted(drops.items()) if count))'
}
pinged_flows() # new flows by the rule of pings, under whatever generation
{
	zw rules -o json | python3 -c '
import json, sys
print(sum(rule["flows"] for rule in json.load(sys.stdin)["rules"] if rule["id"] == "ping"))'
}

nsenter --net="/run/netns/$peer" iperf3 -s -p 6000 >/dev/null 2>&1 &
server=$!
for attached in $tc xdp clsact; do
	export ZONEWALL_NO_TCX=
	xdp=off
	case $attached in clsact) export ZONEWALL_NO_TCX=1 ;; xdp) xdp=native ;; esac
	rules one 2 "$xdp"
	rules two 3 "$xdp"
	use this
	check "a policy" applies one
	links=$(ids)
	flows=$(pinged_flows)
	: >"$dir/answered"
	begin_traffic 6
	use same
	check "is taken over by another ABI with the same layout" applies two
	check "which says so" has "$(cat "$dir/out")" "taken over from a zonewall of ABI $abi"
	check "and decides alone" is_alone
	check "at the same links" is "$(ids)" "$links"
	check "by its policy" only_pings 3
	check "it can go back to the policy that the other ABI published" zw rollback
	check "which decides again" only_pings 2
	use this
	check "it is taken back" applies two
	check "and decides alone" is_alone
	check "by its policy" only_pings 3
	end_traffic
	check "TCP went on" is "$streamed" 0
	check "no datagram was lost on its way in" is "$arrived" "$sent"
	check "nor any answer" is "$echoed" "$sent"
	check "nothing denied arrived" is "$((denied + arrived_out))" 0
	# To two denied ports as many were sent each, out of the node to three; and three times a ping that is denied.
	check "every denied packet was counted once, and no other dropped" is "$(drops)" "default=$((2 * sent + 3 * sent_out + 3))"
	check "and each new flow was counted once" is "$(($(pinged_flows) - flows))" "$(answered)"

	begin_traffic 6
	use changed
	check "it is taken over by one with other layouts" applies one
	for what in tables flows "attach points" events; do
		check "which says what is lost of $what" has "$(cat "$dir/out")" "ABI $abi has another layout of $what"
	done
	check "and takes live connections over" has "$(cat "$dir/out")" "flows of live connections were taken over"
	check "and decides alone" is_alone
	check "by its policy" only_pings 2
	check "there is nothing to go back to" not zw rollback
	use this
	check "taken back" applies two
	check "and decides alone" is_alone
	check "by its policy" only_pings 3
	end_traffic
	check "TCP went on" is "$streamed" 0
	check "nothing denied arrived" is "$denied" 0
	check "datagrams whose opener goes on sending pass" is "$arrived" "$sent"
	check "down" zw down
done
attached=''
export ZONEWALL_NO_TCX=
rules one 2 off
rules two 3 off
says() { "${@:2}" >"$dir/out" 2>&1; has "$(cat "$dir/out")" "$1"; } # says WHAT COMMAND...

# The loader of the other ABI that is running: it ends, and puts nothing back.
start_run()
{
	nsenter --net="/run/netns/$node" "$zonewall" run --instance "$instance" >"$dir/run.log" 2>&1 &
	run=$!
	soon grep -q ready "$dir/run.log"
}
ended() { not kill -0 "$run"; }
use this
zw apply "$dir/one" >/dev/null 2>&1
start_run
check "run" is $? 0
use same
check "another ABI's command says what is published" says "by a zonewall of ABI $abi, and this one is of ABI" zw rollback
check "and how to go on" has "$(cat "$dir/out")" "'zonewall restore'.*takes it over"
check "restore takes it over" zw restore
check "which decides by the same policy" only_pings 2
check "the run of before ends" soon ended
check "and says why" has "$(cat "$dir/run.log")" "another ABI has taken over"
check "with a status by which it is started again" not wait "$run"
check "and has put nothing back" is_alone
check "nor told of drift" not grep drift: "$dir/run.log"
use this
start_run
check "a run that starts takes over" has "$(cat "$dir/run.log")" "taken over from a zonewall of ABI $(abi_of same)"
check "and decides alone" is_alone
check "by the same policy" only_pings 2
kill "$run"
wait "$run"
run=''

# On trial
check "a trial" zw apply --confirm 60s "$dir/two"
use same
check "is not taken over" not applies one
check "which is said" has "$(cat "$dir/out")" "on trial"
check "and goes on" only_pings 3
use this
zw rollback >/dev/null
use same
check "a take-over on trial" zw apply --confirm 60s "$dir/two"
check "decides" only_pings 3
check "and goes back to what the other ABI has published" zw rollback
check "which decides" only_pings 2
use changed
check "which cannot be with another layout of tables" not zw apply --confirm 60s "$dir/two"
check "so nothing is changed" only_pings 2

# What is not understood
use same
mv "$pins/gate/zw_book" "$pins/gate/zw_other"
use this
check "a gate of unknown layout is not taken over" not applies two
check "which is said, and what to do" has "$(cat "$dir/out")" "cannot take over.*nothing was changed"
check "and nothing is attached twice" is "$(echo "$folder"/*)" "$folder/abi-$(abi_of same)"
check "nothing is changed" only_pings 2
check "down takes it off" zw down
check "all of it" test ! -e "$folder"
check "everything passes" pings 3

# Killed at random points, every other time just when its folder is there: the other ABI each time, and the other policy.
RANDOM=${SEED:=$$}
echo "# SEED=$SEED"
use this
zw apply "$dir/one" >/dev/null 2>&1
use same
began=$(date +%s%N)
zw apply "$dir/one" >/dev/null 2>&1
took_us=$((($(date +%s%N) - began) / 1000))
moment() # moment KILL
{
	if [ $(($1 % 2)) -eq 0 ]; then
		while [ ! -e "$pins" ] && kill -0 $! 2>/dev/null; do :; done
	else
		sleep "$(printf '0.%06d' $((took_us / 2 + (RANDOM * 32768 + RANDOM) % took_us * 3 / 4)))"
	fi
}
begin_traffic 1
old=0 new=0 wrong=0 both=0 current=2
for ((i = 0; i < ${KILLS:-40}; i++)); do
	next=$((5 - current))
	if [ -e "$folder/abi-$abi" ]; then use same; else use this; fi
	[ "$next" = 2 ] && file=one || file=two
	apply_and_kill "$file" moment "$i"
	[ -e "$folder/abi-$abi" ] && [ -e "$folder/abi-$(abi_of same)" ] && both=$((both + 1))
	count_who_decides "$next"
done
echo "# the policy of before $old times, the new one $new; with two folders $both; an apply takes $((took_us / 1000)) ms"
check "some were killed in the midst of taking over" test "$both" -gt 0
check "killed, it decides by the old policy or by the new one" is "$wrong" 0
use this
check "the next apply takes all of it" applies one
check "and decides alone" is_alone
check "by its policy" only_pings 2
end_traffic
check "no datagram was lost" is "$arrived $echoed" "$sent $sent"
check "nothing denied arrived" is "$denied" 0
check "down" zw down
check "leaves nothing" test ! -e "$folder"
echo "1..$count"
