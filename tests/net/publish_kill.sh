#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# publish_kill.sh - `zonewall apply` killed at random points: the old policy or the new one, whole, and a clean next start.
# KILLS=N how often; SEED=N repeats a run.
# shellcheck source=tests/net/publish.bash
. "${BASH_SOURCE%/*}/publish.bash" "kill-$$"
set_up
RANDOM=${SEED:=$$}
echo "# SEED=$SEED"
policy a 10.99.0.2 native v0
policy b 10.99.0.3 native v0
now() { date +%s%N; }

# Random moments: half of them anywhere in the time that an apply takes, half around its end, where things change.
moment()
{
	local us=$(((RANDOM * 32768 + RANDOM) % took_us))
	[ $((RANDOM % 2)) -eq 0 ] && us=$((took_us * 3 / 4 + us / 2))
	printf '0.%06d' "$us"
}
zw apply "$dir/b" >/dev/null 2>&1
begin=$(now)
zw apply "$dir/a" >/dev/null 2>&1
took_us=$((($(now) - begin) / 1000))
before=$(link_ids)
current=2 old=0 new=0 wrong=0 links=0
for ((i = 0; i < ${KILLS:-20}; i++)); do
	next=$((5 - current))
	file=a
	[ "$next" -eq 3 ] && file=b
	apply_and_kill "$file" sleep "$(moment)"
	count_who_decides "$next"
	[ "$(link_ids)" = "$before" ] || links=$((links + 1))
done
echo "# old $old, new $new"
check "old or new, never a mix" test "$wrong" = 0
check "links are as they were" test "$links" = 0
zw apply "$dir/a" >/dev/null 2>&1
check "the next apply decides" only_pings 2
check "two generations stay pinned" test "$(find "$pins" -maxdepth 1 -name 'gen-*' | wc -l)" = 2

# Each answered echo request was a flow of the one rule, in whichever generation.
zw down >/dev/null 2>&1
total=$(sed -n 's/^rule ping \([0-9]*\) .*/\1/p' "/var/lib/zonewall/$instance/counters")
echo "# answered $(answered), counted $total"
check "no count is lost or doubled" test "$(answered)" = "$total"

# From nothing: the first apply killed, then one that is not.
fresh=0
for ((i = 0; i < ${KILLS:-20} / 4; i++)); do
	zw down >/dev/null 2>&1
	nsenter --net="/run/netns/$node" "$zonewall" apply --instance "$instance" "$dir/a" >/dev/null 2>&1 &
	sleep "$(moment)"
	kill -9 $! 2>/dev/null
	wait $! 2>/dev/null
	zw apply "$dir/a" >/dev/null 2>&1 && only_pings 2 >/dev/null || fresh=$((fresh + 1))
done
check "a first apply that was killed is mended by the next" test "$fresh" = 0
zw down >/dev/null
check "down leaves nothing" test ! -e "/sys/fs/bpf/zonewall/$instance"
echo "1..$count"
