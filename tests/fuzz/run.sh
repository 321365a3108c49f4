#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A short run of each fuzzer over its corpus and what grows from it, as TAP. BUILD is where the fuzzers were built;
# FUZZ_SECONDS is how long each may take (20), FUZZ_JOBS how many run at once (as many as there are processors).
set -euo pipefail
cd "$(dirname "$0")"
seconds=${FUZZ_SECONDS:-20} jobs=${FUZZ_JOBS:-$(nproc)}
mapfile -t sources < <(compgen -G '*_fuzz.c' || true)
if [ ${#sources[@]} = 0 ]; then
	echo "1..0 # SKIP no fuzzers in this tree"
	exit 0
fi
grown=$(mktemp -d)
trap 'rm -rf "$grown"' EXIT
# What was freed is kept for less long than by default: it would not fit into the caches, and each input is short-lived.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=16

# One fuzzer. Its first line is a test's without its number.
fuzz() { # name
	local name=$1 own=$grown/$1 corpus=() folder input
	mkdir -p "$own/inputs"
	for folder in "corpus/$name" "corpus/${name%_fuzz}"; do
		[ ! -d "$folder" ] || corpus+=("$folder")
	done
	if "$BUILD/tests/fuzz/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$own/" "$own/inputs" "${corpus[@]}" >"$own/log" 2>&1; then
		echo "ok - $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$own/log") inputs"
	else
		echo "not ok - $name"
		tail -n 40 "$own/log" | sed 's/^/# /'
		for input in "$own"/crash-* "$own"/timeout-* "$own"/oom-* "$own"/leak-*; do
			[ ! -e "$input" ] || echo "# input, base64: $(base64 -w 0 "$input")"
		done
	fi
}

echo "1..${#sources[@]}"
for source in "${sources[@]}"; do
	while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n || true; done
	fuzz "${source%.c}" >"$grown/${source%.c}.result" &
done
wait
n=0
for source in "${sources[@]}"; do
	n=$((n + 1))
	sed "1s/ok/ok $n/" "$grown/${source%.c}.result"
done
