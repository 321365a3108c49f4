#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `zonewall show`: policies in one piece, byte for byte, as stand in show/NAME.yaml beside this file; and every example
# policy, shown, is accepted.
# shellcheck source=tests/golden/golden.bash
. "${BASH_SOURCE%/*}/golden.bash"

for policy in policies/three-tier.yaml tests/golden/check/accepted-everything.yaml; do
	"$ZONEWALL" show --effective "$policy" >"$folder/out" 2>"$folder/err"
	result $? "$policy is shown"
	same "$here/show/$(basename "$policy")" "$folder/out" "$policy is shown as expected"
done

for policy in policies/*.yaml; do
	"$ZONEWALL" show "$policy" >"$folder/shown.yaml" 2>/dev/null && "$ZONEWALL" check "$folder/shown.yaml" >"$folder/out" 2>&1
	result $? "$policy, shown, is accepted"
done

"$ZONEWALL" show -o json policies/quickstart.yaml 2>/dev/null |
	grep -q '^{"schema":"zonewall.show/1","policy":{"version":1,"defaults":{"action":"drop",'
result $? "as JSON it has the keys of the language"
printf 'version: 1\ndefaults: {action: drop}\nzones: {a: [10.0.0.1/24]}\n' >"$folder/bad.yaml"
"$ZONEWALL" show "$folder/bad.yaml" >"$folder/out" 2>"$folder/err"
[ $? = 3 ] && [ ! -s "$folder/out" ] && grep -q 'bad.yaml:3:13: error:' "$folder/err"
result $? "of a policy with a mistake nothing is shown but the mistake"
echo "1..$n"
