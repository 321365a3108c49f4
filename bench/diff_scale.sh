#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# diff_scale.sh [RULES [ZONES]] - how long `zonewall diff` takes between two large policies (large_policy.sh; no root), and how much
# memory. The new policy differs in nothing; in four rules; in a zone's address and another zone's; in a rule from any to any; in
# a tenth of its rules.
# Prints what; seconds of processor time; MiB; the last line of the answer. First what reading and compiling both takes alone.
set -eu
ZONEWALL=${ZONEWALL:-build/zonewall}
rules=${1:-10000} zones=${2:-2000}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${BASH_SOURCE%/*}/large_policy.sh" "$rules" "$zones" >"$folder/old.yaml"

# variant NAME AWK: the policy as awk makes it
variant() { awk "$2" "$folder/old.yaml" >"$folder/$1.yaml"; }
variant same 1
variant four-rules '/id: r50,/ { next } /id: r70,/ { sub(/(tcp|udp).[0-9-]+/, "tcp/7777") } /id: r90,/ { sub(/allow/, "drop") } 1
	/id: r300,/ { print "  - {id: extra, from: z3, to: [z4, z5], service: tcp/8080, action: allow}" }'
variant two-zones '/^  z7: / { sub(/\[/, "[203.0.113.0/24, ") } /^  z9: / { sub(/, 172[^,]*/, "") } 1'
variant any-to-any '/id: probes/ { sub(/from: z0/, "from: any") } 1'
variant a-tenth '/id: r[0-9]*7,/ { sub(/(tcp|udp).[0-9-]+/, "tcp/7777") } 1'

# measure COMMAND...: "SECONDS MIB", of processor time the least of three, since others use the machine too
measure() {
	local best=999 mib=0 seconds kib
	for _ in 1 2 3; do
		/usr/bin/time -f '%U %S %M' -o "$folder/time" "$@" >"$folder/out" 2>"$folder/err" || { cat "$folder/err" >&2; exit 1; }
		read -r user system kib <"$folder/time"
		seconds=$(awk -v a="$user" -v b="$system" 'BEGIN { print a + b }')
		best=$(awk -v a="$seconds" -v b="$best" 'BEGIN { print a < b ? a : b }')
		mib=$((kib / 1024))
	done
	echo "$best $mib"
}

host=192.0.2.99
read -r seconds mib <<<"$(measure "$ZONEWALL" test --host $host "$folder/old.yaml")"
echo "$rules rules, $zones zones: reading and compiling one $seconds s, $mib MiB"
for what in same four-rules two-zones any-to-any a-tenth; do
	read -r seconds mib <<<"$(measure "$ZONEWALL" diff --host $host "$folder/old.yaml" "$folder/$what.yaml")"
	printf '%-12s %5.2f s %4d MiB  %s\n' "$what" "$seconds" "$mib" "$(tail -n 1 "$folder/out")"
done
