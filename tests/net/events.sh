#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# events.sh - every dropped packet is told once, whatever happens to the reader; and the loader as a service.
# publish.bash draws the hosts; events_flood sends from 10.98.0.0/16 through v1. PACKETS=N: of a flood.
# shellcheck source=tests/net/publish.bash
. "${BASH_SOURCE%/*}/publish.bash" "events-$$"
flood_tool=${BUILD:-build}/tests/net/events_flood
packets=${PACKETS:-1000000}
run='' flood='' follower=''

kill_children()
{
	for pid in $run $flood $follower; do kill -CONT "$pid"; kill -9 "$pid"; done 2>/dev/null
	clean_up
}
set_up
trap kill_children EXIT

policy_file() # FILE MODE INTERFACES
{
	cat >"$dir/$1" <<-END
		version: 1
		defaults: {action: drop}
		interfaces: [{match: [$3], xdp: $2}]
		zones: {crowd: [10.98.0.0/16], peer: [10.99.0.2, 10.99.0.3]}
		services: {ping: icmp/echo-request}
		rules:
		  - {id: no-crowd, from: crowd, to: host, service: any, action: drop}
		  - {id: ping, from: peer, to: host, service: ping, action: allow}
	END
}

# start_run LOG ARGUMENT...: in the node, until its socket answers.
start_run()
{
	local log=$1
	shift
	: >"$dir/run.err" # the one before said "ready", too
	nsenter --net="/run/netns/$node" "$zonewall" run --instance "$instance" -o json --log "$log" "$@" \
		>"$dir/run.out" 2>"$dir/run.err" &
	run=$!
	for _ in {1..100}; do
		grep -q ready "$dir/run.err" && return 0
		kill -0 "$run" 2>/dev/null || break
		sleep 0.05
	done
	sed 's/^/# /' "$dir/run.err"
	return 1
}
stop_run() # SIGNAL
{
	local status
	kill "-$1" "$run"
	wait "$run" 2>/dev/null
	status=$?
	run=''
	return $status
}

mac() { ip -n "$node" -br link show v0 | awk '{print $3}'; }
flood() { "$flood_tool" "$peer" v1 "$(mac)" "$1" "$2"; } # COUNT FLOWS
start_flood() { "$flood_tool" "$peer" v1 "$(mac)" 0 "$1" >/dev/null & flood=$!; }
stop_flood() { kill "$flood"; wait "$flood" 2>/dev/null; flood=''; }

status() { zw status -o json 2>/dev/null; }
field() { status | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"; } # a number whose name occurs once
events() { status | events_in "$1"; }
events_in() { grep -o '"events":{[^}]*}' | grep -o "\"$1\":[0-9]*" | grep -o '[0-9]*$'; }
dropped() { status | dropped_in; }
dropped_in() { grep -o '"totals":.*' | grep -o '"dropped":{"packets":[0-9]*' | head -1 | grep -o '[0-9]*$'; }
counted() { cat -- "$@" 2>/dev/null | grep -o '"count":[0-9]*' | awk -F: '{ sum += $2 } END { printf "%d\n", sum }'; }
# shellcheck disable=SC2016
received() { at_node awk '/^Ip:/ && $3 ~ /^[0-9]+$/ { print $4 }' /proc/net/snmp; } # InReceives

# sum LOG...: everything that was dropped stands in the logs, is pending, or is counted as lost. Exactly.
sum()
{
	local now told pending lost drops logged
	now=$(status) # in one look: a stopped reader is asked first, which takes three seconds
	pending=$(events_in pending <<<"$now") lost=$(events_in lost <<<"$now") logged=$(events_in logged <<<"$now")
	drops=$(dropped_in <<<"$now") told=$(counted "$@")
	echo "$told told + $pending pending + $lost lost, $drops dropped, $logged logged, ring full $(events_in ring_full <<<"$now") times"
	[ $((told + pending + lost)) = "$drops" ] && [ "$drops" = "$logged" ] && [ "$pending" -ge "${at_least:-0}" ]
}
nothing_pending() { for _ in {1..50}; do [ "$(events pending)" = 0 ] && return 0; sleep 0.1; done; events pending; return 1; }

check "without anything published there is nothing to adopt" \
	has "$(zw run 2>&1; echo "status $?")" "status 4"
out=$(zw drops 2>&1)
check "drops without run: exit status 4" test $? = 4
check "and says so" has "$out" "'zonewall run' is not running"

for mode in native off; do
	echo "# a running reader, xdp: $mode"
	policy_file "$mode" "$mode" v0
	log=$dir/log.$mode
	start_run "$log" "$dir/$mode"
ok $? "run"
	before=$(received)
	check "a flood of one flow" test "$(flood "$packets" 1)" = "$packets"
	check "a flood of 4,000 flows" flood $((packets / 4)) 4000
	check "a flood of 65,536 flows" flood "$packets" 65536
	check "soon nothing is pending" nothing_pending
	check "told + pending + lost = dropped: $(sum "$log")" sum "$log"
	check "told = dropped" test "$(counted "$log")" = "$(dropped)"
	check "at least $((packets * 2)) were dropped" test "$(dropped)" -ge $((packets * 2))
	check "nothing passed" test "$(received)" = "$before"
	[ "$mode" = off ] || check "some are folded, and those have no addresses" grep -q '"from":null,"to":null.*"folded":true' "$log"
	# shellcheck disable=SC2016
	check "events are JSON" perl -MJSON::PP -ne '$. % 20 or decode_json($_)->{schema} eq "zonewall.event/1" or die' "$log"
	[ "$mode" = native ] && check "the rule counts as many" has "$(zw rules -o json)" \
		"\"id\":\"no-crowd\".*\"packets\":$(zw status -o json | grep -o '"rule":{"packets":[0-9]*' | head -1 | grep -o '[0-9]*$')"

	echo "# a reader that is stopped, xdp: $mode"
	kill -STOP "$run"
	flood $((packets / 4)) 1 >/dev/null
	flood "$packets" 65536 >/dev/null
	at_least=$packets check "told + pending + lost = dropped, and most of it is pending" sum "$log"
	kill -CONT "$run"
	check "then nothing" nothing_pending
	check "told + pending + lost = dropped: $(sum "$log")" sum "$log"
	check "told = dropped" test "$(counted "$log")" = "$(dropped)"
	stop_run TERM
	ok $? "SIGTERM: exit status 0"
	zw down >/dev/null 2>&1
	packets=$((packets / 5)) # the other modes only where the entry points differ
done

echo "# one packet, again and again, at two attach points by turns: each has an entry of its own"
policy_file turns native "v0, v2"
start_run "$dir/log.turns" "$dir/turns"
ok $? "run"
for _ in {1..60}; do
	for end in v1 v3; do taskset -c 0 "$flood_tool" "$peer" "$end" "$(mac)" 1 1 >/dev/null; done
done
check "soon nothing is pending" nothing_pending
check "told + pending + lost = dropped: $(sum "$dir/log.turns")" sum "$dir/log.turns"
check "120 were dropped" test "$(dropped)" = 120
check "and told in fewer than 60 events: $(grep -c . "$dir/log.turns")" test "$(grep -c . "$dir/log.turns")" -lt 60
stop_run TERM
zw down >/dev/null 2>&1

echo "# a reader that is killed"
start_run "$dir/log.1" "$dir/native"
ok $? "run"
links=$(link_ids)
before=$(received)
start_flood 3000
sleep 1
stop_run KILL
sleep 1
check "nobody reads: pending" test "$(events pending)" -gt 1000
start_run "$dir/log.2"
ok $? "another adopts what is pinned"
sleep 1
stop_run KILL
start_run "$dir/log.3"
ok $? "and another"
sleep 1
stop_flood
check "links are as they were" test "$links" = "$(link_ids)"
check "nothing denied passed" test "$(received)" = "$before"
check "nothing is pending in the end" nothing_pending
# What a killed reader was writing is counted as lost, though some of it may have been written.
between() # LOG...: told + pending <= dropped <= told + pending + lost
{
	local now told pending lost drops
	now=$(status) told=$(counted "$@")
	pending=$(events_in pending <<<"$now") lost=$(events_in lost <<<"$now") drops=$(dropped_in <<<"$now")
	echo "$told told + $pending pending + $lost lost, $drops dropped"
	[ $((told + pending)) -le "$drops" ] && [ "$drops" -le $((told + pending + lost)) ]
}
check "told + pending + lost = dropped, over three readers, but for what was being written" between "$dir"/log.[123]

echo "# what people see"
out=$("$zonewall" run --instance "$instance" 2>&1)
check "a second run is refused: exit status 1" test $? = 1
check "and named" has "$out" "another 'zonewall run' (process $run) serves instance '$instance'"
by_default() { status | grep -o '"totals":.*' | grep -o '"default":{"packets":[0-9]*' | tail -1 | grep -o '[0-9]*$'; }
# drop_one: one packet of another source, once more where the flood left no room for it in the queue. Sets from, in ns.
drop_one()
{
	local before now
	before=$(by_default)
	for _ in {1..20}; do
		from=$(date +%s%N)
		at_peer bash -c 'echo x >/dev/udp/10.99.0.1/4444'
		for _ in {1..5}; do
			now=$(by_default)
			[ "${now:-0}" -gt "${before:-0}" ] && return 0
			sleep 0.02
		done
	done
	echo "not one of 20 packets is counted" >&2
	return 1
}
# followed: is a drop told to the one who follows, and how long did it take? Asking status is a client, too.
followed()
{
	local from
	for _ in {1..100}; do status | grep -q '"clients":2' && break; sleep 0.02; done
	drop_one || return 1
	for _ in {1..200}; do [ -s "$dir/follow" ] && break; sleep 0.05; done
	[ -s "$dir/follow" ] || { echo "# a drop was not told within 10 s"; return 1; }
	took=$((($(date +%s%N) - from) / 1000000))
}
# seen FILTER...: is it told within 1.5 s? The machine may stall twice; a drop that is never told is not forgiven.
seen()
{
	local took told
	for _ in {1..3}; do
		: >"$dir/follow"
		zw drops -f -n 0 -o json "$@" >"$dir/follow" 2>/dev/null &
		follower=$!
		followed
		told=$?
		kill "$follower"
		wait "$follower" 2>/dev/null
		follower=''
		[ $told = 0 ] || return 1
		[ "$took" -le 1500 ] && return 0
		echo "# told after $took ms"
	done
	return 1
}
start_flood 65536
sleep 1.5
seen --reason default
ok $? "a single drop by default is seen within 1.5 s of a flood by a rule, of 65,536 sources"
stop_flood
start_flood 1
sleep 1.5
seen --from 10.99.0.2 --port 4444
ok $? "and with its source in a flood of one"
stop_flood
check "with its zones" has "$(cat "$dir/follow")" '"from_zones":\["peer"\],"to_zones":\["host"\]'
check "its interface" has "$(cat "$dir/follow")" '"interface":"v0","hook":"xdp","direction":"ingress"'
check "and why" has "$(cat "$dir/follow")" '"verdict":"drop","reason":"default","rule":null'
check "as text" has "$(zw drops --from peer --port 4444)" \
	'drop 10.99.0.2:[0-9]* → 10.99.0.1:4444/udp peer → host default (no rule allows it) on v0'
check "by rule" has "$(zw drops -n 5000 --rule no-crowd)" "crowd → host rule no-crowd"
check "by reason" not has "$(zw drops --reason default)" no-crowd
check "by CIDR" test "$(zw drops -n 5 --from 10.98.0.0/16 --to 10.99.0.1/32 | wc -l)" = 5
check "by interface" test -z "$(zw drops --interface v2)"
check "the last minute" test -n "$(zw drops --since 1m -n 3)"
out=$(zw drops --port x 2>&1)
check "a wrong filter: exit status 2" test $? = 2
check "status" has "$(zw status -v)" "zonewall run is alive (process $run"
check "status names the attach point" has "$(zw status)" "v0 *xdp *native *ok"
check "rules" has "$(zw rules)" "no-crowd *drop *any"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	out=$(setpriv --reuid=65534 --regid=65534 --clear-groups "$zonewall" status --instance "$instance" 2>&1)
	check "a stranger: exit status 5" test $? = 5
	check "which names the group" has "$out" "group 'zonewall'"
fi

echo "# the loader follows"
stop_run TERM
policy_file any native '"v*"'
start_run "$dir/log.4" "$dir/any"
ok $? "run"
ip -n "$node" link add v8 type veth peer name v9
ip -n "$node" link set v8 up
for _ in {1..20}; do zw status | grep -q 'v8 *xdp' && break; sleep 0.1; done
check "an interface that appears is attached" has "$(zw status)" "v8 *xdp *native *ok"
before=$(field generation)
ip -n "$node" addr add 10.99.0.77/24 dev v0
for _ in {1..20}; do [ "$(field generation)" = "$before" ] || break; sleep 0.1; done
check "an address of the host publishes again" test "$(field generation)" -gt "$before"
check "and is said" grep -q "the addresses of this host have changed" "$dir/run.err"
before=$(field generation)
cp "$dir/any" "$dir/good"
echo "nonsense" >"$dir/any"
kill -HUP "$run"
sleep 0.5
check "SIGHUP with a bad file changes nothing" test "$(field generation)" = "$before"
check "and says what is wrong" grep -q "error:" "$dir/run.err"
cp "$dir/good" "$dir/any"
kill -HUP "$run"
sleep 0.5
check "with a good one it is applied" test "$(field generation)" -gt "$before"
zw apply "$dir/native" >/dev/null 2>&1
sleep 1.5
check "an apply of another process is noticed" grep -q "published by another process" "$dir/run.err"
kill -STOP "$run" # so that it does not look in between, and end
zw down >/dev/null 2>&1
zw apply "$dir/native" >/dev/null 2>&1
kill -CONT "$run"
sleep 1.5
rows() { zw drops -o json -n 100000 --from 10.98.0.0; }
before=$(rows | wc -l)
flood 100 1 >/dev/null
# However many rows it tells them in.
told_since() { is "$(rows | tail -n "+$((before + 1))" | counted)" "$(dropped)"; }
check "down and another apply: it reads what is published now" soon told_since
zw down >/dev/null 2>&1
for _ in {1..30}; do kill -0 "$run" 2>/dev/null || break; sleep 0.1; done
check "after down it ends" not kill -0 "$run"
wait "$run"
ok $? "with exit status 0"
run=''

echo "# filters of traffic control, as before kernel 6.6"
export ZONEWALL_NO_TCX=1
start_run "$dir/log.5" "$dir/off"
ok $? "run"
at_node tc qdisc del dev v0 clsact
for _ in {1..20}; do zw status | grep -q 'v0 *ingress *clsact *ok' && break; sleep 0.1; done
check "what others removed comes back" has "$(zw status)" "v0 *ingress *clsact *ok"
stop_run TERM
zw down >/dev/null 2>&1
echo "1..$count"
