#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# running.sh - asking about the policy that is applied: by its files as they were then, and by what the kernel has.
# shellcheck source=tests/net/publish.bash
. "${BASH_SOURCE%/*}/publish.bash" "running-$$"
set_up
mkdir "$dir/zones.d"
cat >"$dir/main.yaml" <<-END
	version: 1
	include: ["zones.d/*.yaml"]
	defaults: {action: drop, log: none}
	interfaces: [{match: [v0], xdp: off}]
	zones: {listed: {file: feed.txt}}
	rules:
	  - {id: web, from: peer, to: host, service: tcp/80, action: allow, owner: shop}
	  - {id: feed, from: listed, to: host, service: tcp/443, action: allow}
END
printf 'version: 1\nzones: {peer: [10.99.0.2]}\n' >"$dir/zones.d/peer.yaml"
printf '# a feed\n10.99.0.3\n' >"$dir/feed.txt"
policy other 10.99.0.2 off v0

ask() { zw explain --running --to 10.99.0.1 "$@" 2>&1; } # ask --from ... --service ...
web() { ask --from 10.99.0.2 --service tcp/80; }
all() { local pattern; for pattern in "${@:2}"; do has "$1" "$pattern" || return 1; done; } # all TEXT PATTERN...
exits() { local status=0; "${@:2}" >"$dir/out" 2>&1 || status=$?; test "$status" = "$1" || { cat "$dir/out"; return 1; }; }

check "without a policy there is nothing to explain" exits 4 web
zw apply "$dir/main.yaml" >/dev/null 2>&1
number=$(zw status -o json | sed -n 's/.*"generation":\([0-9]*\).*/\1/p' | head -n 1)
check "the deciding rule, its place and owner" all "$(web)" "^allow.* tcp/80$" "by rule web ($dir/main.yaml:7, owner shop)"
check "and that the kernel says the same" has "$(web)" "note: generation $number, which decides now; the kernel's program says the same"
check "an included file" has "$(web)" "10.99.0.2 is in peer"
check "a feed" has "$(ask --from 10.99.0.3 --service tcp/443)" "by rule feed"
check "nearest misses" all "$(ask --from 10.99.0.2 --service tcp/81)" "^drop" "service is tcp/80, not tcp/81"
check "between zones" all "$(zw explain --running --from peer --to host --service any 2>&1)" "^partly" "by rule web"
check "what leaves" all "$(zw explain --running --from 10.99.0.1 --to 10.99.0.2 --service udp/53 2>&1)" "^drop" "no rule allows it"
check "as JSON" has "$(zw explain --running -o json --from 10.99.0.2 --to 10.99.0.1 --service tcp/80 2>&1)" "\"generation\":$number,"
check "a misspelt zone is the question's mistake" exits 2 zw explain --running --from pear --to host --service any
check "files are another question" exits 2 zw explain --running "$dir/other" --from peer --to host --service any
before=$(web)
sed -i 's/tcp.80/tcp\/8080/' "$dir/main.yaml"
rm -r "$dir/zones.d" "$dir/feed.txt"
check "the files of then count, whatever became of them" test "$(web)" = "$before"
check "a feed that is gone" has "$(ask --from 10.99.0.3 --service tcp/443)" "by rule feed"

zw apply "$dir/other" >/dev/null 2>&1
check "after another apply that one is explained" all "$(web)" "^drop" "generation $((number + 1)),"
zw rollback >/dev/null 2>&1
check "after a rollback the former one" test "$(web)" = "$before"
check "asking counted nothing" has "$(zw rules -o json)" '"id":"web",[^}]*"packets":0,'

check "an audit of what is applied" all "$(zw audit --running 2>&1)" "^unused, 2 rules: .* since 20[0-9-]*T[0-9:]*Z .* when generation $number was" "  web  $dir/main.yaml:7  owner shop" \
	"^ownerless, 1 rule" "  feed  $dir/main.yaml:8"
check "an audit of files, with the counters of what is applied" all "$(zw audit --usage -o json "$dir/other" 2>&1)" "\"usage\":{\"generation\":$number,\"since\":\"20"

ip -n "$node" addr add 10.99.0.9/24 dev v0
check "rules and tables of two minds are told apart" exits 1 zw explain --running --from 10.99.0.2 --to 10.99.0.9 --service tcp/80
check "with what each says" all "$(cat "$dir/out")" "rules: allow (rule)" "tables: drop (default" "kernel: drop (default" "addresses have changed"
zw apply "$dir/other" >/dev/null 2>&1
rm "$pins/gen-$((number + 2))/zw_policy"
check "a generation without its files is refused" exits 1 web
check "with what to do" has "$(cat "$dir/out")" "fix: apply it again"
echo "1..$count"
