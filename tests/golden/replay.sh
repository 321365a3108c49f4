#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What `zonewall simulate --pcap` prints, byte for byte, and its exit status: each case has its NAME.expected in
# tests/golden/replay. Captures are written by replay/capture.py. UPDATE=1 writes the expected files anew: read the difference.
set -u
zonewall=$(realpath "${ZONEWALL:-${BUILD:-build}/zonewall}")
cd "$(dirname "$0")/replay" || exit 1
captures=$(mktemp -d)
trap 'rm -rf "$captures"' EXIT
count=0

report() # status description
{
	count=$((count + 1))
	if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; fi
}

replay() # arguments...: in the captures' folder, so that no path stands in what is printed
{
	(cd "$captures" && NO_COLOR=1 timeout 60 "$zonewall" simulate "$@" 2>&1; echo "exit status $?")
}

is() # name arguments...
{
	local name=$1 got difference
	shift
	got=$(replay "$@")
	[ -z "${UPDATE:-}" ] || printf '%s\n' "$got" > "$name.expected"
	if difference=$(diff -u "$name.expected" <(printf '%s\n' "$got") 2>&1); then
		report 0 "$name: $*"
	else
		report 1 "$name: $*"
		printf '%s\n' "$difference" | sed 's/^/# /'
	fi
}

same() # description one other
{
	[ "$2" = "$3" ]
	report $? "$1"
	[ "$2" = "$3" ] || diff <(echo "$2") <(echo "$3") | sed 's/^/# /'
}

cp ./*.yaml "$captures"
for link in ethernet sll sll2 raw radio; do python3 capture.py $link > "$captures/$link.pcap"; done
python3 capture.py ethernet cut > "$captures/cut.pcap"
python3 capture.py ethernet back > "$captures/back.pcap"
python3 capture.py ethernet lines > "$captures/lines"
head -c 24 "$captures/ethernet.pcap" > "$captures/none.pcap"
head -c 200 "$captures/ethernet.pcap" > "$captures/broken.pcap"
: > "$captures/empty.pcap"
printf 'version: 1\nrules: []\n' > "$captures/bad.yaml"
host=10.2.0.9,fd00:2::9

is totals policy.yaml --pcap ethernet.pcap
is json policy.yaml --pcap ethernet.pcap -o json
sed '/id: no-telnet/i\  - {id: try-names, from: any, to: any, service: udp/53, action: drop, mode: stage}\n  - {id: try-all, from: gateway, to: db, service: any, action: allow, mode: stage}' policy.yaml >"$captures/staged.yaml"
is staged staged.yaml --pcap ethernet.pcap
is staged-json staged.yaml --diff policy.yaml --pcap ethernet.pcap -o json
is host policy.yaml --host $host --pcap ethernet.pcap
is interface policy.yaml --interface veth-db --pcap ethernet.pcap
is egress policy.yaml --hook tc-egress --interface veth-db --pcap ethernet.pcap
is limit policy.yaml --limit 1 --pcap ethernet.pcap
is diff policy.yaml --diff old.yaml --pcap ethernet.pcap
is diff-json policy.yaml --diff old.yaml --pcap ethernet.pcap -o json
is diff-same policy.yaml --diff policy.yaml --pcap ethernet.pcap
is cut policy.yaml --pcap cut.pcap
is back policy.yaml --pcap back.pcap
is none policy.yaml --pcap none.pcap
is none-json policy.yaml --pcap none.pcap -o json
is broken policy.yaml --pcap broken.pcap
is broken-json policy.yaml --pcap broken.pcap -o json
is empty policy.yaml --pcap empty.pcap
is no-capture policy.yaml --pcap policy.yaml
is absent policy.yaml --pcap absent.pcap
is radio policy.yaml --pcap radio.pcap
is diff-without-capture policy.yaml --diff old.yaml
is diff-bad-policy policy.yaml --diff bad.yaml --pcap ethernet.pcap
is bad-limit policy.yaml --limit few --pcap ethernet.pcap

# The same packets are decided alike whatever shows them: who knows the host knows which way they went, as cooked captures do.
without_head() { tail -n +2; }
want=$(replay policy.yaml --host $host --pcap ethernet.pcap | without_head)
for link in sll sll2 raw; do
	same "the same packets, link type $link" "$want" "$(replay policy.yaml --host $host --pcap $link.pcap | without_head)"
done
same "a capture on standard input" "$want" "$(replay policy.yaml --host $host --pcap - < "$captures/ethernet.pcap" | without_head)"
same "the old policy in several files" "$(replay policy.yaml --diff old.yaml --pcap ethernet.pcap | grep -v '^old')" \
	"$(replay policy.yaml --diff old-rules.yaml --diff old.yaml --pcap ethernet.pcap | grep -v '^old')"

# Totals are what simulate answers to the same frames as lines.
by_line()
{
	"$zonewall" simulate "$captures/policy.yaml" --stateful < "$captures/lines" |
		python3 -c 'import collections, json, sys
for key, n in sorted(collections.Counter((a["verdict"], a["reason"], a["rule"] or "") for a in map(json.loads, sys.stdin)).items()):
    print(*key, n)'
}
by_capture()
{
	replay policy.yaml --pcap ethernet.pcap -o json "$@" | head -n 1 | python3 -c 'import json, sys
for t in sorted((t["verdict"], t["reason"], t["rule"] or "", t["packets"]) for t in json.load(sys.stdin)["totals"]):
    print(*t)'
}
same "totals are those of the same frames as lines" "$(by_line)" "$(by_capture)"

if [ "$(id -u)" = 0 ]; then
	same "totals of the kernel's engine" "$(by_line)" "$(by_capture --engine kernel)"
	is totals policy.yaml --pcap ethernet.pcap --engine kernel
	is host policy.yaml --pcap ethernet.pcap --host $host --engine kernel
	is diff policy.yaml --pcap ethernet.pcap --diff old.yaml --engine kernel
	is diff-json policy.yaml --pcap ethernet.pcap --diff old.yaml -o json --engine kernel
	is cut policy.yaml --pcap cut.pcap --engine kernel
	is back policy.yaml --pcap back.pcap --engine kernel
	is none policy.yaml --pcap none.pcap --engine kernel
else
	echo "# the kernel's engine needs root: skipped"
fi
echo "1..$count"
