#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# applies.sh BUILD - row P16 of the list of aims: packets lost or wrongly decided in 1,000 applies under load
# (quick: 56). tests/net/publish_alternate.sh does it, on all hooks: it alternates two policies while counted packets of
# 64 flows to each of three ports pass, each way. Lost are those that both policies allow and that did not arrive, or whose
# echo did not come back; wrongly decided are those that both deny and that arrived.
set -euo pipefail
build=$1
cd "$(dirname "$0")/.."
applies=1000
[ -z "${ZW_BENCH_QUICK:-}" ] || applies=56
out=$(APPLIES=$applies BUILD=$build bash tests/net/publish_alternate.sh)
echo "$out" | sed -n 's/^# /  /p'
# That each apply was done, and both policies decided, is that test's to say.
for what in "applies" "both policies did decide"; do
	grep -q "^ok .*$what" <<<"$out" && ! grep -q "^not ok .*$what" <<<"$out" && continue
	printf 'error: applies: the test failed: %s\n%s\n' "$what" "$out" >&2
	exit 1
done
wrong=0
while read -r sent _ arrived _ echoed _ denied _; do
	wrong=$((wrong + sent - arrived + sent - echoed + denied))
done < <(sed -n 's/^# .* sent //p' <<<"$out")
"$build/bench/figures" add -r P16 -n "of $applies applies, on all hooks" -u packets -v "$wrong"
