#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# staged.sh - what staged rules, and a whole candidate staged beside the enforced policy, would change: seen, and changing nothing.
#
#   a e0 -- e1 b     10.1.0.1, .2
#
# Then random policies on a host whose interface is down: packets of random conversations go through the program of the
# generation that decides, and what was counted is what the oracle counts, exactly. SEED=N, POLICIES=N.
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "staged-$$"
: "${SEED:=1}" "${POLICIES:=20}"
add_hosts a b c
join a e0 b e1 1
ip link add e0 netns "$base-c" type veth peer name e1 netns "$base-c"

cat >"$dir/more.yaml" <<-END
	version: 1
	interfaces: [{match: [e0], xdp: off}]
	zones: {a: [10.1.0.1], b: [10.1.0.2]}
END
cat >"$dir/a.yaml" <<-END
	version: 1
	include: [more.yaml]
	defaults: {action: drop, flows: 4096}
	failsafe: []
	rules:
	  - {id: web, from: b, to: a, service: tcp/80, action: allow}
	  - {id: ping, from: b, to: a, service: icmp/echo-request, action: allow}
	  - {id: try-dns, from: b, to: a, service: udp/53, action: allow, mode: stage}
	  - {id: dns, from: b, to: a, service: udp/53, action: drop}
END
# The candidate: another web, no ping; its own zones by the same names.
cat >"$dir/candidate.yaml" <<-END
	version: 1
	defaults: {action: drop, flows: 4096}
	failsafe: []
	interfaces: [{match: [e0], xdp: off}]
	zones: {a: [10.1.0.1], b: [10.1.0.2, 10.1.0.3]}
	rules:
	  - {id: web, from: b, to: a, service: tcp/8080, action: allow}
END

staged() { zw a rules --staged -o json | python3 -c "$1"; } # staged PROGRAM: with the report in `r`, by rule in `s`
read_report='import json, sys
r = json.load(sys.stdin)
s = {rule["id"]: rule["staged"] for rule in r["rules"]}
'
counted_staged() # RULE: "ALLOWED DROPPED CHANGED"
{
	staged "$read_report"'x = s["'"$1"'"]; print(x["allowed"], x["dropped"], x["changed"])'
}
sums() { staged "$read_report"'c = r["candidate"]; print(c["newly_allowed"], c["newly_dropped"])'; }
pings() { at b ping -n -c "$1" -i 0.1 -W 1 10.1.0.1 >/dev/null 2>&1; }
knock() { at b timeout 0.2 bash -c "echo >/dev/$1/10.1.0.1/$2" 2>/dev/null; } # knock tcp|udp PORT: one first packet
quiet_apply() { zw a apply "$@" >"$dir/apply" 2>&1 || { cat "$dir/apply"; return 1; }; }

check "a policy with a staged rule is applied" quiet_apply "$dir/a.yaml"
knock udp 53
knock udp 53
check "a staged rule counts what it would let pass, and that it is another verdict" is "$(counted_staged try-dns)" "2 0 2"
check "the rule behind it decides" is "$(new_flows a dns)" 2
check "nothing is staged beside it" is "$(staged "$read_report"'print(r["candidate"])')" None
check "as a table it says how to go on" has "$(zw a rules --staged)" 'zonewall promote RULE FILE'

check "promote takes it out of its file" zw a promote try-dns "$dir/a.yaml"
check "the file has no staged rule any more" not has "$(cat "$dir/a.yaml")" stage
check "it is applied" quiet_apply "$dir/a.yaml"
knock udp 53
check "now it decides" is "$(new_flows a try-dns)" 1
check "no rule is staged" has "$(zw a rules --staged)" 'no rule is staged'

refused() # refused STATUS PATTERN ARGUMENTS...
{
	local got
	zw a apply "${@:3}" >"$dir/out" 2>&1
	got=$?
	{ [ $got = "$1" ] && grep -q -- "$2" "$dir/out"; } || { echo "status $got"; cat "$dir/out"; return 1; }
}
check "--stage is not on trial" refused 2 'leave out --stage' --stage --confirm 5s "$dir/candidate.yaml"
start ping b ping -n -i 0.2 10.1.0.1
soon says ping 'seq=2'
before=$(zw a status -o json | python3 -c 'import json,sys; print(json.load(sys.stdin)["generation"])')
check "a candidate is staged" quiet_apply --stage "$dir/candidate.yaml"
check "status tells of it" has "$(zw a status)" 'a candidate is staged'
pings 1
knock tcp 80
knock tcp 8080
knock tcp 9
check "what decides still does" pings 1
check "its rules are no rules of the list" not has "$(zw a rules)" candidate:
check "newly allowed: the other port; newly dropped: two pings and the old port" is "$(sums)" "1 3"
check "by its own rule" is "$(counted_staged candidate:web)" "1 0 1"
check "and by its default" is "$(counted_staged candidate:default)" "0 4 3"
flows_staged() { zw a flows --staged -o json | python3 -c '
import json, sys
for line in sys.stdin:
    f = json.loads(line)
    if f["schema"] == "zonewall.flow/1": print(f["protocol"], f["rule"], f["staged"])' | sort -u; }
check "an open connection that it would drop" has "$(flows_staged)" 'icmp ping candidate:default'
check "as a table, with both rules" has "$(zw a flows --staged --proto icmp)" 'ping .*staged candidate:default would drop it'

command_of a run
start run-a a "${command[@]}"
soon says run-a ready
sleep 1.2
check "a loader that adopts it leaves it staged" is "$(sums)" "1 3"
knock tcp 8080
knock tcp 9
drops_tell() { has "$(zw a drops --staged)" "$1"; }
check "a drop that it would allow is told so" soon drops_tell '10.1.0.1:8080/tcp .*; staged candidate:web would allow it'
check "one that it would drop, too, is not among them" not has "$(zw a drops --staged)" '10.1.0.1:9/'
check "the counts go on" is "$(sums)" "2 3"
ip -n "$base-a" addr add 10.7.7.7/24 dev e0
staged_anew() { says run-a 'host changed' || zw a status -o json | grep -q "\"generation\":$((before + 2))"; }
check "another address: published anew" soon staged_anew
check "with the candidate" has "$(zw a status)" 'a candidate is staged'
pings 1
check "which counts from then on" is "$(sums)" "0 1"

check "applying the policy ends it" quiet_apply "$dir/a.yaml"
check "no candidate any more" has "$(zw a rules --staged)" 'no rule is staged'
check "nothing of it in the totals" not has "$(cat "/var/lib/zonewall/$base-a/counters")" candidate
stop ping INT
lost=$(sed -n 's/.* \([0-9]*\)% packet loss.*/\1/p' "$dir/ping")
check "the old connection went on all the time, without a loss" is "$lost" 0
stop run-a
zw a down >/dev/null 2>&1
check "without a policy there is nothing to stage beside" refused 4 'nothing is published' --stage "$dir/candidate.yaml"

# What runs has rules that end: asked about by its tables and the kernel's program, at any time.
sed 's/try-dns.*/ends, from: b, to: a, service: udp\/53, action: allow, until: 2099-01-01T00:00:00Z}/' "$dir/a.yaml" >"$dir/ends.yaml"
sed 's/2099/2088/' "$dir/ends.yaml" >"$dir/sooner.yaml"
check "a policy with a rule that ends is applied" quiet_apply "$dir/ends.yaml"
explain() { zw a explain --running --from 10.1.0.2 --to 10.1.0.1 --service udp/53 "$@" 2>&1; }
check "now it allows, and later something else decides" has "$(explain)" 'drop from 2099-01-01T00:00:00Z on, by dns'
check "then it has ended" has "$(explain --at 2099-01-01T00:00:00Z)" '^drop .*udp/53$'
check "a policy in which it ends sooner narrows, for so long" has "$(zw a diff running "$dir/sooner.yaml" 2>&1)" \
	'^- b → a: udp/53, from 2088-01-01T00:00:00Z until 2099-01-01T00:00:00Z$'
zw a down >/dev/null 2>&1

# replays KIND: of how many random policies each
replays()
{
	local files seed good=0 wrong=0 hits=0 report
	for ((seed = SEED; seed < SEED + POLICIES; seed++)); do
		files=("$dir/p.yaml")
		[ "$1" = rules ] || files+=("$dir/c.yaml")
		"$tools/staged_replay" write "$seed" "${files[@]}"
		# A policy may say of itself what does not hold, or use what is refused: then there is nothing to count.
		zw c apply --no-test "$dir/p.yaml" >"$dir/out" 2>&1 || { echo "# seed $seed: $(grep -m1 error "$dir/out")"; continue; }
		[ "$1" = rules ] || zw c apply --no-test --stage "$dir/c.yaml" >"$dir/out" 2>&1 || { cat "$dir/out"; return 1; }
		at c "$tools/staged_replay" run "$seed" "$base-c" ${files[1]:+candidate} >"$dir/want" 2>"$dir/err"
		[ -s "$dir/err" ] && { sed 's/^/# /' "$dir/err"; wrong=$((wrong + 1)); }
		report='import json, sys
r = json.load(sys.stdin)
if r["candidate"]: print(r["candidate"]["newly_allowed"], r["candidate"]["newly_dropped"])
else:
    for rule in sorted(r["rules"], key=lambda rule: rule["id"]):
        s = rule["staged"]
        if rule["action"] != "pass": print(rule["id"], s["allowed"], s["dropped"], s["changed"])'
		zw c rules --staged -o json | python3 -c "$report" >"$dir/got"
		if diff "$dir/want" "$dir/got" >"$dir/diff"; then
			good=$((good + 1))
		else
			echo "# seed $seed"
			sed 's/^/# /' "$dir/diff"
			wrong=$((wrong + 1))
		fi
		hits=$((hits + $(awk -v k="$1" '{ n += k == "rules" ? $2 + $3 : $1 + $2 } END { print n + 0 }' "$dir/want")))
		zw c down >/dev/null 2>&1
		rm -rf "/var/lib/zonewall/$base-c" # totals outlive a generation
	done
	echo "# $1: $good policies, $hits counted"
	[ $wrong = 0 ] && [ $((good * 2)) -gt "$POLICIES" ] && [ $hits -gt 0 ]
}
echo "# SEED=$SEED"
replays rules
check "staged rules count what the oracle counts, exactly" test $? = 0
replays candidates
check "a candidate's two sums are what the oracle counts, exactly" test $? = 0
echo "1..$count"
