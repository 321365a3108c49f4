#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# test_scale.sh [RULES [ZONES [PROOFS]]] - how long `zonewall test` takes for a large policy (large_policy.sh; no root) with
# PROOFS entries of never and always: half zone to zone, the others between zones and any, each tenth any to any. All of
# them hold, so nothing ends early.
# Prints what; entries; seconds of processor time of test, and what an entry took of it in milliseconds.
set -eu
ZONEWALL=${ZONEWALL:-build/zonewall}
rules=${1:-10000} zones=${2:-1000} proofs=${3:-100}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${BASH_SOURCE%/*}/large_policy.sh" "$rules" "$zones" >"$folder/policy.yaml"

# kind FROM TO SERVICE: the entries of one kind of proof, in a file of their own.
kind() {
	awk -v proofs="$proofs" -v zones="$zones" -v list="$1" -v from="$2" -v to="$3" -v service="$4" '
	function end(what) { return what == "zone" ? "z" 1 + int(rand() * (zones - 1)) : what }
	BEGIN {
		srand(2)
		print "version: 1\n" list ":"
		for (i = 0; i < proofs; i++)
			printf "  - {id: p%d, from: %s, to: %s, service: %s}\n", i, end(from), end(to), service
	}'
}
kind never zone zone '[tcp/1-999, udp/1-999, sctp, proto/47]' >"$folder/zone-to-zone.yaml"
kind never any zone '[tcp/1-999, udp/1-999, sctp, proto/47]' >"$folder/any-to-zone.yaml"
kind never zone any '[tcp/1-999, udp/1-999, sctp, proto/47]' >"$folder/zone-to-any.yaml"
kind never any any tcp/23 >"$folder/any-to-any.yaml"
kind always z0 any tcp/9100 >"$folder/always-to-any.yaml"
{
	echo 'version: 1'
	echo 'never:'
	head -n $((2 + proofs / 2)) "$folder/zone-to-zone.yaml" | tail -n +3
	for part in any-to-zone zone-to-any; do
		head -n $((2 + proofs / 5)) "$folder/$part.yaml" | tail -n +3 | sed "s/id: p/id: $part/"
	done
	head -n $((2 + proofs / 10)) "$folder/any-to-any.yaml" | tail -n +3 | sed 's/id: p/id: a/'
} >"$folder/mixed.yaml"

# seconds COMMAND...: of processor time, the least of three, since others use the machine too
seconds() {
	local TIMEFORMAT='%U %S' best=999
	for _ in 1 2 3; do
		{ time "$@" >"$folder/out" 2>"$folder/err" || { cat "$folder/out" "$folder/err" >&2; exit 1; }; } 2>"$folder/time"
		best=$(awk -v b="$best" '{ print $1 + $2 < b ? $1 + $2 : b }' "$folder/time")
	done
	echo "$best"
}

host=192.0.2.99
check=$(seconds "$ZONEWALL" check --host $host "$folder/policy.yaml")
bare=$(seconds "$ZONEWALL" test --host $host "$folder/policy.yaml")
echo "$rules rules, $zones zones: check $check s, test without entries $bare s"
for what in zone-to-zone any-to-zone zone-to-any any-to-any always-to-any mixed; do
	all=$(seconds "$ZONEWALL" test --host $host "$folder/policy.yaml" "$folder/$what.yaml")
	count=$(grep -c 'id:' "$folder/$what.yaml")
	awk -v what="$what" -v n="$count" -v all="$all" -v bare="$bare" 'BEGIN {
		printf "%-14s %4d entries: test %.2f s, %.2f ms an entry\n", what, n, all, (all - bare) / n * 1000 }'
done
