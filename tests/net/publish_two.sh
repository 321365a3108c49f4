#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# publish_two.sh - two who apply at once: one of two that began with the same generation is refused, and undoes nothing that
# it has not seen. Two who serve: the second is refused. APPLIES=N of each.
# shellcheck source=tests/net/publish.bash
. "${BASH_SOURCE%/*}/publish.bash" "two-$$"
set_up
policy a 10.99.0.2 off v0
policy b 10.99.0.3 off v0
current() { zw status -o json | grep -o '"generation":[0-9]*' | head -n 1 | cut -d: -f2; }
lost='zonewall: generation [0-9]* \(was published by another meanwhile\|does not decide any more\): nothing was changed'

applies() # applies FILE: a line for each: "won GENERATION", "lost", or what else it says
{
	local i out
	for ((i = 0; i < ${APPLIES:-25}; i++)); do
		if out=$(zw apply -o json "$dir/$1" 2>"$dir/error.$1"); then
			sed 's/.*"generation":\([0-9]*\),.*/won \1/' <<<"$out"
		elif [ $? = 1 ] && grep -q "^$lost" "$dir/error.$1"; then
			echo lost
		else
			cat "$dir/error.$1"
		fi
	done
}
applies a >"$dir/of-a" &
first=$!
applies b >"$dir/of-b"
wait "$first"
made=$(grep -c '^won' "$dir/of-a" "$dir/of-b" | awk -F: '{ n += $2 } END { print n }')
echo "# $(grep -c '^won' "$dir/of-a") and $(grep -c '^won' "$dir/of-b") applies won, $(cat "$dir"/of-? | grep -c lost) lost"
check "each was done, or was refused and said why" not grep -v '^won [0-9]*$\|^lost$' "$dir/of-a" "$dir/of-b"
check "both were done at times" grep -q won "$dir/of-a"
check "both were done at times" grep -q won "$dir/of-b"
check "every one that was done was a generation of its own, and those refused took none" is \
	"$(cat "$dir"/of-? | sed -n 's/^won //p' | sort -n | uniq | wc -l) $(current)" "$made $made"
last=2
grep -q "won $made$" "$dir/of-b" && last=3
check "the last one decides" only_pings "$last"
check "two generations stay pinned" test "$(find "$pins" -maxdepth 1 -name 'gen-*' | wc -l)" = 2

echo "# who has not seen the other"
# It waits for the lock that somebody has, so it has seen what decides; then it is stopped, until something else decides.
exec {lock}<>"/run/zonewall/$instance/lock"
flock "$lock"
nsenter --net="/run/netns/$node" "$zonewall" apply --instance "$instance" "$dir/a" >"$dir/out" 2>&1 {lock}>&- &
waiting=$!
check "one that waits says so, and for whom" soon grep -q "waiting for another zonewall (process .*) that is publishing" "$dir/out"
kill -STOP "$waiting"
exec {lock}>&-
zw rollback >/dev/null 2>&1
decides=$(current)
kill -CONT "$waiting"
wait "$waiting"
check "what it had seen does not decide any more: exit status 1" test $? = 1
check "and said" grep -q "^$lost" "$dir/out"
check "with the way out" grep -q "^fix: look at the difference (zonewall diff running FILE), and apply again" "$dir/out"
check "nothing was changed" is "$(current)" "$decides"

echo "# two who serve"
nsenter --net="/run/netns/$node" "$zonewall" run --instance "$instance" >"$dir/run.log" 2>&1 &
run=$!
soon grep -q ready "$dir/run.log"
timeout 20 nsenter --net="/run/netns/$node" "$zonewall" run --instance "$instance" "$dir/a" >"$dir/out" 2>&1
check "the second: exit status 1" test $? = 1
check "names the first" grep -q "another 'zonewall run' (process $run) serves instance '$instance'" "$dir/out"
kill "$run"
wait "$run" 2>/dev/null
echo "1..$count"
