#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run.sh BUILD [--quick] - `make bench`: each part measures and appends its figures (bench/figure.h); then
# BUILD/bench.json is the list of all, and the table of aims is printed. Parts see ZW_BENCH_QUICK=1 if it is to be
# quick. A part that fails is told, and the others are run all the same; the exit status is 1 then, or if a row was
# not measured.
set -u
build=$1
cd "$(dirname "$0")/.." || exit 1
export ZW_BENCH_JSON=$PWD/$build/bench.lines
[ "${2:-}" != --quick ] || export ZW_BENCH_QUICK=1
failed=

part() { # NAME COMMAND...
	local name=$1 began=$SECONDS
	shift
	echo "--- $name"
	"$@" || failed+=" $name"
	echo "    $((SECONDS - began)) s"
}

rm -f "$ZW_BENCH_JSON"
touch "$ZW_BENCH_JSON"
in_namespace() { part "$1" bench/bench.sh "$build/bench/$1" "${@:2}"; }
quick=${ZW_BENCH_QUICK:-}
in_namespace verdicts
in_namespace floods
if [ -z "$quick" ]; then # of no row
	in_namespace blocked
	in_namespace limits
	in_namespace terms
fi
in_namespace two_cpus
in_namespace clocks
# shellcheck disable=SC2086 # none of them, or two
in_namespace live ${quick:+5 10}
part accepted bench/accepted.sh "$build" ${quick:+2}
in_namespace apply_cost
part applies bench/applies.sh "$build"
[ -n "$quick" ] || part flow_lru "$build/bench/flow_lru"
echo "measured in $SECONDS s"
"$build/bench/figures" table "$ZW_BENCH_JSON" "$build/bench.json" || failed+=" rows"
[ -z "$failed" ] || echo "failed or not measured:$failed" >&2
[ -z "$failed" ]
