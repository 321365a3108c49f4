#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# confirm.sh - the dead man of `apply --confirm`: a policy that cuts the administrator off goes back by itself, whatever
# became of the process that applied it; publish.bash draws the hosts. Every 10 ms probe.py sends a datagram, opens a
# connection, and goes on with an old one.
#
# REPEATS=N how often the administrator is cut off (moments of `apply` before the policy is there do not count); RACES=N confirmations about when the time is over; SEED=N repeats a run.
# shellcheck source=tests/net/publish.bash
. "${BASH_SOURCE%/*}/publish.bash" "confirm-$$"
set_up
RANDOM=${SEED:=$$}
echo "# SEED=$SEED"
probe=$(realpath "${BASH_SOURCE%/*}/probe.py")
ip -n "$node" addr add 10.98.0.1/24 dev v2
ip -n "$peer" addr add 10.98.0.2/24 dev v3

admin() # admin FILE XDP: what the administrator may
{
	cat >"$dir/$1" <<-END
		version: 1
		defaults: {action: drop, log: none}
		failsafe: []
		interfaces: [{match: [v0], xdp: $2}]
		zones: {peer: [10.99.0.2/31], node: [10.99.0.1]}
		rules: [{id: admin, from: peer, to: node, service: [udp/5001, tcp/5002], action: allow}]
	END
}
cut() # cut FILE XDP: nobody may anything
{
	cat >"$dir/$1" <<-END
		version: 1
		defaults: {action: drop, log: none}
		failsafe: []
		interfaces: [{match: [v0], xdp: $2}]
	END
}
for mode in native generic off; do
	admin "admin-$mode" "$mode"
	cut "cut-$mode" "$mode"
done
now() { date +%s%N; }
from_other_net() { at_peer ping -n -c 1 -W 0.3 -I 10.98.0.2 10.98.0.1 >/dev/null 2>&1; } # over v2
says() { zw status | grep -q -- "$1" || { zw status; return 1; }; }
start_run()
{
	nsenter --net="/run/netns/$node" "$zonewall" run --instance "$instance" >"$dir/run.log" 2>&1 &
	run=$!
	soon grep -q ready "$dir/run.log"
}

# judge TIME: what the probes saw, a policy of TIME seconds having cut them. Its time began between the last one that passed and
# the first that failed. Of that the earliest moment is taken, so the reaction looks slower than it was by two intervals at
# most; unless the probes themselves had to wait for longer, on a machine that is busy.
judge()
{
	python3 - "$1" "$dir/seen" <<-'END'
		import json, sys
		time, seen = float(sys.argv[1]), json.load(open(sys.argv[2]))
		old, wrong, took = seen["old"], [], []
		for kind in "udp", "tcp":
		    gap = seen[kind]
		    if not gap:
		        continue
		    if not gap["again"]:
		        wrong.append(f"{kind} never passes again")
		        continue
		    over = max(gap["before"], gap["first"] - 0.02) + time
		    took.append(max(0, gap["last"] - over))
		    wrong += [f"{kind} fails {1000 * (at - over):.0f} ms after the deadline"
		              for at in gap["late"] + [gap["last"]] if at - over > 0.1]
		    if gap["again"] - gap["before"] < time - 0.01:
		        wrong.append(f"{kind} passes after {gap['again'] - gap['before']:.3f} s already")
		if old["came"] != old["sent"] or not old["ordered"]:
		    wrong.append(f"the old connection: {old}")
		print("; ".join(wrong) if wrong else f"back {1000 * max(took):.0f}" if took else "untouched")
	END
}

# cut_off KIND MODE: while probes are sent, a policy cuts them off for a second.
#   run-kill, run-stop      `zonewall run` gets SIGKILL, SIGSTOP as soon as the policy is there
#   apply-kill, apply-stop  `zonewall apply` gets it at some moment of its work, mostly about its end
cut_off()
{
	local signal=KILL line pid
	[[ $1 = *-stop ]] && signal=STOP
	zw apply "$dir/admin-$2" >/dev/null 2>&1 && zw confirm >/dev/null 2>&1
	[[ $1 = apply-* ]] || start_run
	coproc probes { exec python3 "$probe" "$node" 10.99.0.1 "$peer" 2>&1; }
	exec {from}<&"${probes[0]}" {to}>&"${probes[1]}" # the array goes away with the process
	exec {probes[1]}>&-
	read -r -t 20 line <&"$from"
	sleep 0.2
	nsenter --net="/run/netns/$node" "$zonewall" apply --instance "$instance" --confirm 1s "$dir/cut-$2" \
		>"$dir/apply.log" 2>&1 {from}<&- {to}>&- & # or who is stopped keeps the probes' input open
	pid=$!
	if [[ $1 = run-* ]]; then
		wait "$pid"
		kill "-$signal" "$run"
	else
		sleep "$(printf '0.%06d' $((took_us * 3 / 4 + RANDOM * 32768 % (took_us / 2))))"
		kill "-$signal" "$pid" 2>/dev/null
	fi
	sleep 1.6
	exec {to}>&-
	read -r -t 20 line <&"$from"
	exec {from}<&-
	echo "$line" >"$dir/seen"
	[[ $1 = apply-* ]] || pid=$run
	kill -9 "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	judge 1
}

echo "# the administrator is cut off"
zw apply "$dir/cut-off" >/dev/null 2>&1
begin=$(now)
zw apply "$dir/admin-off" >/dev/null 2>&1
took_us=$((($(now) - begin) / 1000))
kinds=(run-kill apply-stop run-stop apply-kill)
back=0 untouched=0 slowest=0
for ((i = 0; back < ${REPEATS:-8} && i < 4 * ${REPEATS:-8}; i++)); do
	kind=${kinds[i % 4]}
	mode=off
	case $((i / 4 % 4)) in 1) mode=native ;; 2) mode=generic ;; 3) export ZONEWALL_NO_TCX=1 ;; esac
	[ $((i % 16)) -ne 12 ] || zw down >/dev/null 2>&1 # so that filters take the links' place
	result=$(cut_off "$kind" "$mode")
	case $result in
	back*)
		back=$((back + 1))
		[ "${result#back }" -le "$slowest" ] || slowest=${result#back }
		;;
	untouched) untouched=$((untouched + 1)) ;;
	*) echo "# $i, $kind, $mode: $result" ;;
	esac
	unset ZONEWALL_NO_TCX
	[ $((i % 16)) -ne 15 ] || zw down >/dev/null 2>&1
done
echo "# back $back times, at most $slowest ms after the deadline; $untouched times the process was killed or stopped before the policy was there"
check "$back of ${REPEATS:-8} times it goes back within 100 ms, and the old connection goes on" test "$back" = "${REPEATS:-8}"
check "no other outcome" test $((back + untouched)) = "$i"

echo "# confirm and rollback"
zw down >/dev/null 2>&1
rm -rf "/var/lib/zonewall/$instance" # so that generations are counted from 1
policy two 10.99.0.2 off v0
policy three 10.99.0.3 off v0
policy both 10.99.0.3 off v0 v2
zw apply "$dir/two" >/dev/null 2>&1
zw confirm >"$dir/out" 2>&1
check "nothing to confirm: exit status 1" test $? = 1
check "and said" grep -q "nothing waits to be confirmed: generation 1 decides" "$dir/out"
out=$(zw apply --confirm 3s "$dir/three" 2>&1)
check "on trial, and said until when" has "$out" "on trial: in 3s generation 1 is back, unless it is confirmed before: zonewall confirm"
check "it decides" only_pings 3
check "status says so" says "generation 2, on trial: in .*s generation 1 is back unless it is confirmed"
check "as JSON" has "$(zw status -o json)" '"gate":"on-trial","trial":{"left_seconds":[0-9],"fallback":1},"reverted":null'
check "confirm" zw confirm
sleep 3.2
check "status says nothing more of it" has "$(zw status -o json)" '"generation":2,"gate":"confirmed","trial":null,"reverted":null'
check "confirmed, it goes on deciding" only_pings 3
zw confirm >/dev/null 2>&1
check "a second confirm: exit status 1" test $? = 1
check "rollback" zw rollback
check "to the policy before" only_pings 2
zw apply --confirm 30s "$dir/three" >/dev/null 2>&1
check "rollback of a trial" has "$(zw rollback 2>&1)" "generation 1 is current (before: 3)"
check "to the policy before, at once" only_pings 2
check "there is nothing to confirm then" not zw confirm
check "the trial is gone, and what was before it not kept: rollback again fails" not zw rollback
check "still the same" only_pings 2

echo "# the next command says what happened"
zw apply --confirm 3s "$dir/three" >/dev/null 2>&1
sleep 3.1
check "status of a trial that went back" says "generation 1, since generation 4 was not confirmed in time"
check "as JSON" has "$(zw status -o json)" '"generation":1,"gate":"reverted","trial":null,"reverted":4'
zw confirm >"$dir/out" 2>&1
check "too late: exit status 1" test $? = 1
check "said what became of it" grep -q "warning: generation 4 was not confirmed in time: generation 1 decides again" "$dir/out"
check "and that it is too late" grep -q "too late to confirm generation 4" "$dir/out"
check "the generation is gone" test ! -e "$pins/gen-4"
check "status still knows" says "since generation 4 was not confirmed in time"
check "confirming once more is still too late" has "$(zw confirm 2>&1)" "^zonewall: it is too late to confirm generation 4"
check "the policy before decides" only_pings 2
zw apply --confirm 3s "$dir/three" >/dev/null 2>&1
sleep 3.1
check "an apply says it, too" has "$(zw apply "$dir/two" 2>&1)" "generation 5 was not confirmed in time: generation 1 decides again"
check "after an apply that is over" not says "not confirmed in time"
start_run
zw apply --confirm 3s "$dir/three" >/dev/null 2>&1
patience=6
check "run notices by itself" soon grep -q "generation 7 was not confirmed in time: generation 6 decides again" "$dir/run.log"
kill "$run"
wait "$run" 2>/dev/null
check "and has cleared away" test ! -e "$pins/gen-7"

echo "# several in a row"
zw apply --confirm 30s "$dir/three" >/dev/null 2>&1
out=$(zw apply "$dir/two" 2>&1)
check "an apply while one is on trial is on trial, too" has "$out" "on trial: in [23][0-9]s generation 6 is back"
zw apply --confirm 3s "$dir/three" >/dev/null 2>&1
check "and with a time of its own" only_pings 3
sleep 3.1
check "goes back to what was before the first" only_pings 2
has "$(zw status)" "generation 6" >/dev/null
check "which was never on trial" test $? = 0
zw confirm >/dev/null 2>&1
check "generations of trials are gone" test "$(find "$pins" -maxdepth 1 -name 'gen-*' | wc -l)" -le 2

echo "# over nothing"
zw down >/dev/null 2>&1
out=$(zw apply --confirm 3s "$dir/two" 2>&1)
check "there is no policy to go back to, and said so" has "$out" "on trial: in 3s everything passes again"
check "it decides" only_pings 2
sleep 3.1
check "everything passes again" pings 3
check "status says so" says "generation 0 (everything passes), since generation [0-9]* was not confirmed in time"
check "as does the next command" has "$(zw rollback 2>&1)" "was not confirmed in time: everything passes again, as before"
check "nothing is attached any more" links_are 0
check "a policy after that" zw apply "$dir/two"
check "decides" only_pings 2
zw down >/dev/null 2>&1
zw apply --confirm 30s "$dir/two" >/dev/null 2>&1
check "rollback to nothing" has "$(zw rollback 2>&1)" "everything passes, as before generation"
check "everything passes" pings 3
zw apply --confirm 30s "$dir/two" >/dev/null 2>&1
check "confirmed over nothing" zw confirm
check "there is no generation before to go back to" not zw rollback
check "and the policy decides" only_pings 2

echo "# interfaces that not both policies name"
zw apply "$dir/two" >/dev/null 2>&1
check "v2 is not attached: everything passes there" from_other_net
out=$(zw apply --confirm 3s "$dir/both" 2>&1)
check "the policy on trial attaches it" has "$out" "v2 *egress *$tc *attached"
check "and decides there" not from_other_net
sleep 3.1
check "when it has gone back, everything passes there, without a command" from_other_net
check "though it is attached" links_are $((4 * tc_links))
zw confirm >/dev/null 2>&1
check "until the next command" links_are $((2 * tc_links))
zw apply "$dir/both" >/dev/null 2>&1
check "v2 is attached and decided" not from_other_net
out=$(zw apply --confirm 3s "$dir/three" 2>&1)
check "a policy on trial that does not name it detaches nothing" links_are $((4 * tc_links))
check "but lets everything pass there" from_other_net
sleep 3.1
check "when it has gone back, v2 is decided again, without a command" not from_other_net
zw apply --confirm 30s "$dir/three" >/dev/null 2>&1
out=$(zw confirm 2>&1)
check "confirmed, it is detached, and said so" has "$out" "v2 *egress *$tc *detached"
check "everything passes there" from_other_net
check "and v0 is decided" only_pings 3
check "what was noted of interfaces is forgotten" is "$(bpftool map dump pinned "$pins/gate/zw_unnamed" | grep -c key)" 0

echo "# confirmations about when the time is over"
zw apply "$dir/two" >/dev/null 2>&1
confirmed=0 late=0 wrong=0
for ((i = 0; i < ${RACES:-4}; i++)); do
	zw apply "$dir/two" >/dev/null 2>&1
	zw apply --confirm 1s "$dir/three" >/dev/null 2>&1
	at_peer ping -n -q -i 0.002 -w 2 -I 10.99.0.2 10.99.0.1 >/dev/null 2>&1 & # so that packets take part
	pinging=$!
	sleep "0.$(printf '%03d' $((880 + RANDOM % 110)))"
	if zw confirm >/dev/null 2>&1; then
		confirmed=$((confirmed + 1))
		only_pings 3 >/dev/null || wrong=$((wrong + 1))
	else
		late=$((late + 1))
		only_pings 2 >/dev/null || wrong=$((wrong + 1))
	fi
	kill "$pinging" 2>/dev/null
	wait "$pinging" 2>/dev/null
done
echo "# confirmed $confirmed, too late $late"
check "what confirm says is what decides" test "$wrong" = 0

echo "# what is refused"
for time in 0 0.5s 2d x -5 1w; do
	zw apply --confirm="$time" "$dir/two" >"$dir/out" 2>&1
	check "--confirm $time: exit status 2" test $? = 2
	check "and said" grep -q -- "--confirm: not a time from 1s to 1d, like 30s, 10m or 2h: '$time'" "$dir/out"
done
zw confirm now >/dev/null 2>&1
check "confirm takes no arguments: exit status 2" test $? = 2
zw down >/dev/null 2>&1
zw confirm >"$dir/out" 2>&1
check "nothing published: exit status 4" test $? = 4
check "and said" grep -q "nothing is published under the instance name" "$dir/out"
echo "1..$count"
