#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# coverage.sh FOLDER - what the fuzzers' corpora take of the code they are for: FOLDER holds the fuzzers, built with coverage.
# Fails if a way out of a condition of the parser is never taken and tests/fuzz/unreached.txt does not say why. GROWN, if it
# is set, is a folder whose NAME/ holds what grew of each corpus (NAME: yaml, pcap, ...): that counts, too.
set -euo pipefail
fuzzers=$(realpath "$1")
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

run() { # NAME: its corpus once; the profile is $dir/NAME
	local corpus=("tests/fuzz/corpus/$1")
	[ -z "${GROWN:-}" ] || [ ! -d "$GROWN/$1" ] || corpus+=("$GROWN/$1")
	LLVM_PROFILE_FILE=$dir/raw "$fuzzers/$1_fuzz" -runs=0 "${corpus[@]}" >"$dir/log" 2>&1 || { tail -n 20 "$dir/log"; exit 1; }
	llvm-profdata merge -o "$dir/$1" "$dir/raw"
}

lines() { # NAME FILE...: those that it takes, for each file
	local name=$1
	shift
	run "$name"
	llvm-cov export "$fuzzers/${name}_fuzz" -instr-profile="$dir/$name" -format=text -summary-only "$@" |
		python3 -c 'import json, os, sys
for file in json.load(sys.stdin)["data"][0]["files"]:
    lines = file["summary"]["lines"]
    if lines["count"]:
        print("  {}: {} of {} lines".format(os.path.relpath(file["filename"]), lines["covered"], lines["count"]))'
}

run packet
llvm-cov export "$fuzzers/packet_fuzz" -instr-profile="$dir/packet" -format=text bpf |
	tools/branches.py tests/fuzz/unreached.txt bpf/packet.h
for file in fragment.h decide.h flow.h flow_table.h zonewall.bpf.c; do
	echo "  $file: $(llvm-cov report "$fuzzers/packet_fuzz" -instr-profile="$dir/packet" "bpf/$file" |
		awk '$1 == "TOTAL" { print $(NF - 2) - $(NF - 1) " of " $(NF - 2) " branches" }')"
done
lines yaml user/base/yaml.c user/base/yaml_print.c
lines text user/base/addr.c user/policy/address.c user/policy/services.c user/policy/until.c
lines policy user/policy
lines json user/simulate/input.c user/simulate/line.c user/simulate/frame.c user/simulate/conversation.c
lines pcap user/simulate/capture.c user/simulate/headers.c user/simulate/replay.c
