#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What `zonewall audit` prints, byte for byte: each NAME.yaml in tests/golden/audit has its NAME.expected. A line "# audit: WORDS"
# gives the command other words than NAME.yaml, "# formats: WORDS" lists the formats that are printed (else text). UPDATE=1 writes
# the expected files anew. Then what depends on the day, the command line, and what a machine reads.
set -u
here=$(cd "$(dirname "$0")" && pwd)
ZONEWALL=$(realpath "${ZONEWALL:-${BUILD:-build}/zonewall}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$here/audit" || exit 1
count=0 failed=0

report() { # STATUS DESCRIPTION
	count=$((count + 1))
	if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; failed=1; fi
}
audit() { NO_COLOR=1 timeout 60 "$ZONEWALL" audit "$@" 2>&1; }
has() { # DESCRIPTION STATUS PATTERN WORDS...: exit status, and a line of the output
	local got status
	got=$(audit "${@:4}")
	status=$?
	[ $status = "$2" ] && grep -q -- "$3" <<<"$got"
	report $? "$1"
	[ $status = "$2" ] || sed "s/^/# $status: /" <<<"$got"
}

run_case() { # FILE
	local words formats
	words=$(sed -n 's/^# audit: //p' "$1")
	formats=$(sed -n 's/^# formats: //p' "$1")
	for format in ${formats:-text}; do
		# shellcheck disable=SC2086
		audit -o "$format" ${words:-$1} | sed 's/([0-9]*[smhd] ago)/(long ago)/'
		echo "exit status ${PIPESTATUS[0]}"
	done
}

for case in *.yaml; do
	name=${case%.yaml}
	got=$(run_case "$case")
	[ -z "${UPDATE:-}" ] || printf '%s\n' "$got" >"$name.expected"
	difference=$(diff -u "$name.expected" <(printf '%s\n' "$got") 2>&1)
	report $? "$name"
	[ -z "$difference" ] || sed 's/^/# /' <<<"$difference"
done

ends() { # DAYS: a policy whose one rule ends in so many days and an hour
	printf 'version: 1\ndefaults: {action: drop}\nrules:\n  - {id: r, from: 10.0.0.1, to: 10.0.0.2, service: tcp/1, action: allow, owner: o, until: %s}\n' \
		"$(date -u -d "$1 days 1 hour" +%Y-%m-%dT%H:%M:%SZ)" >"$folder/ends.yaml"
}
ends 29
has "a rule that ends in 29 days ends soon" 0 '^expiring, 1 rule' "$folder/ends.yaml"
has "and with --fail that is a failure" 1 'ends .* (in 29d)' --fail expired,expiring "$folder/ends.yaml"
has "not within seven days" 0 '^findings: 0;' --soon 7 --fail all "$folder/ends.yaml"
ends 30
has "30 days and an hour are not soon" 0 '^findings: 0;' "$folder/ends.yaml"
ends -1
has "a rule that has ended" 1 '^expired, 1 rule' --fail expired "$folder/ends.yaml"
has "--fail of another kind" 0 '^expired, 1 rule' --fail unused,wide "$folder/ends.yaml"

has "no file" 2 'a policy file is needed'
has "files and --running" 2 'takes neither files nor --host' --running clean.yaml
has "a kind that there is not" 2 'fix: all, shadowed, redundant' --fail shaded clean.yaml
has "a length that there is not" 2 'not a prefix length' --wide 33 clean.yaml
has "days that are none" 2 'not a number of days' --soon 7d clean.yaml
has "an instance that is not there" 4 'nothing is published' --instance "golden-$$" --usage clean.yaml

command -v python3 >/dev/null || { echo "ok $((count + 1)) - # SKIP python3 is missing"; echo "1..$((count + 1))"; exit $failed; }
audit -o json --host 10.9.9.9 all.yaml | python3 -c '
import json, sys
report = json.load(sys.stdin)
counts = dict.fromkeys(report["counts"], 0)
for finding in report["findings"]:
    counts[finding["kind"]] += 1
    assert (finding["rule"] is None) == (finding["kind"] in ("unreachable", "unnamed")), finding
    assert not finding["place"] or finding["place"].startswith("all.yaml:"), finding
assert counts == report["counts"], counts
assert all(count for kind, count in counts.items() if kind not in ("unused", "expiring")), counts' 2>"$folder/err"
report $? "the JSON counts what it lists, and the case has every kind that needs neither a host nor a day"
sed 's/^/# /' "$folder/err"
echo "1..$count"
exit $failed
