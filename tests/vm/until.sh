#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# until.sh - a rule that ends, and a clock that is set. The loader is dead but where it says otherwise. The clock is the
# machine's: only in a virtual machine of the test's own. publish.bash draws the hosts; one ping goes on all the time.
# shellcheck source=tests/net/publish.bash
. "${BASH_SOURCE%/*}/../net/publish.bash" "until-$$"
[ "$PWD" = /zonewall ] && [ -f /tests ] || { echo "1..0 # SKIP it sets the clock: only in a machine of its own"; exit 0; }
set_up
patience=30
tai=$(realpath "${BUILD:-build}/tests/vm/tai")

set_clock() { date -s "@$1" >/dev/null; } # set_clock SECONDS
move_clock() { set_clock $(($(date +%s) + $1)); }
ends_at() # ends_at SECONDS: a policy whose rule ends then is applied
{
	policy ends 10.99.0.2 off v0
	sed -i "s/action: allow}/action: allow, until: $(date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ)}/" "$dir/ends"
	zw apply "$dir/ends"
}
answers() { grep -c 'bytes from' "$dir/ping"; }
goes_on() # within a second
{
	local before
	before=$(answers)
	sleep 1
	[ "$(answers)" -gt "$before" ] || { tail -n 3 "$dir/ping"; return 1; }
}
is_over() # and no answer comes for a second
{
	local before
	sleep 0.1 # what was on its way
	before=$(answers)
	sleep 1
	is "$(answers)" "$before"
}
ends_within_a_second() # the instant being three seconds away
{
	goes_on || return 1
	sleep 3
	is_over
}
is_one_flow() { has "$(zw rules -o json)" '"id":"ping",[^}]*"flows":1,'; }
are_revoked() { has "$(zw status -o json)" '"revoked":{"packets":[1-9]'; }

until=$(($(date +%s) + 1800))
check "a rule that ends in half an hour" ends_at $until
start ping peer ping -n -i 0.1 -I 10.99.0.2 10.99.0.1
sleep 0.5
check "its connection goes on" goes_on
move_clock 3600
check "the clock set an hour on ends it at once" is_over
check "its packets are revoked" are_revoked
move_clock -3600
check "set back, the connection goes on" goes_on
check "as the flow that it was" is_one_flow
set_clock $((until - 3))
check "it ends within a second of its instant" ends_within_a_second

set_clock $((until - 600))
nsenter --net="/run/netns/$node" "$zonewall" run --instance "$instance" >"$dir/run.log" 2>&1 &
run=$!
ready() { grep -q ready "$dir/run.log" || { cat "$dir/run.log"; return 1; }; }
check "run is ready" soon ready
"$tai" 37
sleep 2
set_clock $((until - 20))
check "the loader tells the programs what time servers say of leap seconds" goes_on
kill -9 "$run"
wait "$run" 2>/dev/null
"$tai" 74
check "which without it make a rule end sooner by so many seconds" is_over
stop ping
echo "1..$count"
