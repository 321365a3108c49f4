#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# diff_running.sh - what runs against policies: `zonewall diff running FILE` says what `apply FILE` then does.
# shellcheck source=tests/net/publish.bash
. "${BASH_SOURCE%/*}/publish.bash" "diff-$$"
set_up
mkdir "$dir/old" "$dir/new"
for side in old new; do
	cat >"$dir/$side/10-base.yaml" <<-END
		version: 1
		defaults: {action: drop, log: none}
		interfaces: [{match: [v0], xdp: off}]
		zones: {peer: [10.99.0.2], other: [10.99.0.3]}
		failsafe: [{id: way-in, from: peer, to: host, service: tcp/22}]
	END
	cat >"$dir/$side/20-rules.yaml" <<-END
		version: 1
		rules:
		  - {id: ping, from: peer, to: host, service: icmp/echo-request, action: allow}
	END
done
sed -i 's/from: peer, to: host, service: icmp/from: other, to: host, service: icmp/' "$dir/new/20-rules.yaml"

compare() { zw diff "$@" 2>&1; } # compare OLD NEW [OPTION...]
all() { local pattern; for pattern in "${@:2}"; do has "$1" "$pattern" || return 1; done; } # all TEXT PATTERN...
exits() { local status=0; "${@:2}" >"$dir/out" 2>&1 || status=$?; test "$status" = "$1" || { cat "$dir/out"; return 1; }; }

check "without a policy there is nothing to compare with" exits 4 compare running "$dir/old"
zw apply "$dir"/old/*.yaml >/dev/null 2>&1
number=$(zw status -o json | sed -n 's/.*"generation":\([0-9]*\).*/\1/p' | head -n 1)
check "what was applied is no change" test "$(compare running "$dir/old")" = "no change in meaning"
check "nor the other way round" test "$(compare "$dir/old" running)" = "no change in meaning"
check "nor itself" test "$(compare running running)" = "no change in meaning"
text=$(compare running "$dir/new")
check "another policy: what would be allowed" all "$text" "^+ other → host: icmp/8" "now     allow by rule ping ($dir/new/20-rules.yaml:3)"
check "and what denied" all "$text" "^- peer → host: icmp/8" "before  allow by rule ping ($dir/old/20-rules.yaml:3)"
check "the other way round" all "$(compare "$dir/new" running)" "^+ peer → host: icmp/8" "^- other → host: icmp/8"
check "as JSON, with the generation" has "$(compare running "$dir/new" -o json)" "\"old\":{\"source\":\"running\",\"generation\":$number},"
check "what widens fails, if it is told to" exits 1 compare running "$dir/new" --fail-on widened
check "no change does not" exits 0 compare running "$dir/old" --fail-on any
check "the peer is answered" pings 2
check "the other is not" not pings 3
sed -i 's/peer, to/any, to/' "$dir/old/20-rules.yaml"
check "the files of then count, whatever became of them" all "$(compare running "$dir/new")" "^- peer → host: icmp/8"
zw apply "$dir"/new/*.yaml >/dev/null 2>&1
check "after an apply it is as it was said: the other is answered" pings 3
check "the peer is not" not pings 2
check "and nothing differs any more" test "$(compare running "$dir/new")" = "no change in meaning"
ip -n "$node" addr add 10.99.0.9/24 dev v0
check "another address of this host is a change, until the next apply" all "$(compare running "$dir/new")" "^+ other → 10.99.0.9: icmp/8" "^+ peer → 10.99.0.9: tcp/22"
check "without root there is no answer, and it says why" exits 5 at_node setpriv --reuid 65534 --clear-groups "$zonewall" diff --instance "$instance" running "$dir/new"
echo "1..$count"
