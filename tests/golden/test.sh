#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What `zonewall test` prints, byte for byte: each NAME.yaml in tests/golden/test has its NAME.expected. A line "# test: WORDS"
# gives the command other words than NAME.yaml, "# formats: WORDS" lists the formats that are printed (else text).
# UPDATE=1 writes the expected files anew. Then: every packet shown is decided by `zonewall simulate` as `test` says, and what
# is printed for machines can be read by them, whatever names stand in it.
set -u
here=$(cd "$(dirname "$0")" && pwd)
ZONEWALL=$(realpath "${ZONEWALL:-${BUILD:-build}/zonewall}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$here/test" || exit 1
count=0 failed=0

report() { # STATUS DESCRIPTION
	count=$((count + 1))
	if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; failed=1; fi
}

words_of() { # FILE
	local words
	words=$(sed -n 's/^# test: //p' "$1")
	echo "${words:-$1}"
}

run_case() { # FILE
	local words formats
	words=$(words_of "$1")
	formats=$(sed -n 's/^# formats: //p' "$1")
	for format in ${formats:-text}; do
		# shellcheck disable=SC2086
		NO_COLOR=1 timeout 60 "$ZONEWALL" test -o "$format" $words 2>&1
		echo "exit status $?"
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

command -v python3 >/dev/null || { echo "ok $((count + 1)) - # SKIP python3 is missing"; echo "1..$((count + 1))"; exit $failed; }

# The packets of a case for each hook, and what became of them. Left out: what simulate would
# send as neighbour discovery, which no policy decides.
cat >"$folder/packets.py" <<'END'
import json, sys
keys = ("verdict", "reason", "rule", "from_zones", "to_zones")
files = {hook + end: open(f"{sys.argv[2]}/{hook}.{end}", "w") for hook in ("xdp", "tc-egress") for end in ("in", "want")}
for result in json.load(open(sys.argv[1]))["results"]:
    packet = result.get("packet")
    if not packet or packet["proto"] == "icmpv6" and packet["icmp"][0] in range(133, 137):
        continue
    hook = "tc-egress" if packet.get("hook") == "egress" else "xdp"
    files[hook + "in"].write(json.dumps(packet) + "\n")
    files[hook + "want"].write(json.dumps({k: result[k] for k in keys}, separators=(",", ":")) + "\n")
END
engines=tables
[ "$(id -u)" = 0 ] && [ -z "${TABLES_ONLY:-}" ] && engines="tables kernel"
for case in holds fails defaults-allow host-unknown formats; do
	words=$(words_of $case.yaml)
	# shellcheck disable=SC2086
	"$ZONEWALL" test -o json $words >"$folder/json" 2>/dev/null
	python3 "$folder/packets.py" "$folder/json" "$folder"
	report $? "$case: JSON is read"
	cp $case.yaml "$folder/"
	for engine in $engines; do
		for hook in xdp tc-egress; do
			[ -s "$folder/$hook.in" ] || continue
			# shellcheck disable=SC2086
			(cd "$folder" && "$ZONEWALL" simulate --engine $engine --hook $hook $words <$hook.in >out 2>err)
			diff "$folder/$hook.want" "$folder/out" >"$folder/diff"
			report $? "$case: simulate, $engine, $hook: the same decision of $(wc -l <"$folder/$hook.in") packets"
			sed 's/^/# /' "$folder/diff"
		done
	done
done

# Names that mean something to XML, JSON and YAML, and bytes that are no text at all.
strange="$folder/a&b<c>\"d'e"$'\x01\xff'".yaml"
cp formats.yaml "$strange"
"$ZONEWALL" test -o junit "$strange" >"$folder/xml"
python3 - "$folder/xml" <<'END'
import sys, xml.etree.ElementTree as tree
suite = tree.parse(sys.argv[1]).getroot()[0]
cases = suite.findall("testcase")
count = lambda kind: sum(case.find(kind) is not None for case in cases)
assert suite.get("tests") == str(len(cases)) == "6"
assert suite.get("failures") == str(count("failure")) == "3"
assert suite.get("errors") == str(count("error")) == "1"
assert "a&b<c>\"d'e??" in cases[1].find("failure").text
END
report $? "JUnit is well-formed, and its numbers are right"
for format in json tap; do
	"$ZONEWALL" test -o $format "$strange" >"$folder/$format"
done
python3 -c 'import json, sys; assert json.load(open(sys.argv[1]))["failed"] == 4' "$folder/json"
report $? "JSON is well-formed"
python3 - "$folder/tap" <<'END'
import json, sys
for line in open(sys.argv[1]):
    if line.startswith("  ") and ": " in line:
        json.loads(line.split(": ", 1)[1])
END
report $? "TAP's explanations are JSON's strings"
sed 's/^version: 1/version: 2/' formats.yaml >"$strange"
"$ZONEWALL" test -o junit "$strange" >"$folder/xml" 2>/dev/null
[ $? = 3 ] && python3 -c 'import sys, xml.etree.ElementTree as t; assert t.parse(sys.argv[1]).find(".//error") is not None' "$folder/xml"
report $? "JUnit tells of a policy with errors"
echo "1..$count"
exit $failed
