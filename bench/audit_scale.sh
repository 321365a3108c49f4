#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# audit_scale.sh [RULES [ZONES]] - how long `zonewall check` and `zonewall audit` take for a large policy (large_policy.sh; no
# root), and how much memory: as it is; over few zones, so that hundreds of rules lie over each other; and with a fifth of the
# rules for a host whose addresses are not known. Prints what; seconds of processor time; MiB; what was found.
set -eu
ZONEWALL=${ZONEWALL:-build/zonewall}
rules=${1:-10000} zones=${2:-2000}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${BASH_SOURCE%/*}/large_policy.sh" "$rules" "$zones" >"$folder/plain.yaml"
"${BASH_SOURCE%/*}/large_policy.sh" "$rules" $((rules / 200 + 10)) >"$folder/crowded.yaml"
awk '/id: r[0-9]*[05],/ { sub(/to: "[^"]*"/, "to: host") } 1' "$folder/plain.yaml" >"$folder/host.yaml"

# measure FILE WORDS...: processor time, the least of three, since others use the machine too; memory
measure() {
	local best=999 kib user system
	for _ in 1 2 3; do
		/usr/bin/time -f '%U %S %M' -o "$folder/time" "$ZONEWALL" "${@:2}" "$folder/$1.yaml" >"$folder/out" 2>"$folder/err" ||
			{ cat "$folder/err" >&2; exit 1; }
		read -r user system kib <"$folder/time"
		best=$(awk -v a="$user" -v b="$system" -v c="$best" 'BEGIN { print a + b < c ? a + b : c }')
	done
	printf '%-8s %-6s %5.2f s %4d MiB  ' "$1" "$2" "$best" $((kib / 1024))
}

echo "$rules rules, $zones zones"
for what in plain crowded host; do
	host=(--host 192.0.2.99)
	[ $what != host ] || host=()
	measure $what check "${host[@]}"
	grep ' warnings*$' "$folder/err"
	measure $what audit "${host[@]}"
	grep -E '^(shadowed|redundant|partly-shadowed),' "$folder/out" | sed 's/:.*//; s/ rules*$//' | paste -sd';' -
done
