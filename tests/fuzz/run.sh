#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A short run of each fuzzer over its corpus and what grows from it, as TAP. BUILD is where the fuzzers were built;
# FUZZ_SECONDS is how long each may take (10).
set -euo pipefail
cd "$(dirname "$0")"
seconds=${FUZZ_SECONDS:-10}
mapfile -t sources < <(compgen -G '*_fuzz.c' || true)
if [ ${#sources[@]} = 0 ]; then
	echo "1..0 # SKIP no fuzzers in this tree"
	exit 0
fi
grown=$(mktemp -d)
trap 'rm -rf "$grown"' EXIT
echo "1..${#sources[@]}"
n=0
for source in "${sources[@]}"; do
	name=${source%.c}
	n=$((n + 1))
	mkdir -p "$grown/$name"
	corpus=()
	for folder in "corpus/$name" "corpus/${name%_fuzz}"; do
		[ ! -d "$folder" ] || corpus+=("$folder")
	done
	if "$BUILD/tests/fuzz/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$grown/" "$grown/$name" "${corpus[@]}" >"$grown/log" 2>&1; then
		echo "ok $n - $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$grown/log") inputs"
	else
		echo "not ok $n - $name"
		tail -n 40 "$grown/log" | sed 's/^/# /'
		for input in "$grown"/crash-* "$grown"/timeout-* "$grown"/oom-* "$grown"/leak-*; do
			[ ! -e "$input" ] || echo "# input, base64: $(base64 -w 0 "$input")"
		done
	fi
done
