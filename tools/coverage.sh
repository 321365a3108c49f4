#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# coverage.sh FUZZER - which ways out of the parser's conditions its corpus takes. FUZZER was built with coverage; fails if
# one is never taken and tests/fuzz/unreached.txt does not say why.
set -euo pipefail
fuzzer=$(realpath "$1")
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
LLVM_PROFILE_FILE=$dir/raw "$fuzzer" -runs=0 tests/fuzz/corpus/packet >"$dir/log" 2>&1 || { tail -n 20 "$dir/log"; exit 1; }
llvm-profdata merge -o "$dir/data" "$dir/raw"
llvm-cov export "$fuzzer" -instr-profile="$dir/data" -format=text bpf |
	tools/branches.py tests/fuzz/unreached.txt bpf/packet.h
for file in fragment.h decide.h flow.h flow_table.h zonewall.bpf.c; do
	echo "  $file: $(llvm-cov report "$fuzzer" -instr-profile="$dir/data" "bpf/$file" |
		awk '$1 == "TOTAL" { print $(NF - 2) - $(NF - 1) " of " $(NF - 2) " branches" }')"
done
