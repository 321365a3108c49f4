#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# lint.sh - what no compiler says: scripts, licence lines, marks, paths of one machine, and that the programs never
# change, transmit or redirect a packet. Run by make lint after the builds with -Werror; BUILD holds their objects.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build}
failures=0

complain() { # WHAT PLACES
	[ -n "$2" ] || return 0
	printf 'lint: %s:\n%s\n' "$1" "  ${2//$'\n'/$'\n'  }"
	failures=$((failures + 1))
}

mapfile -t files < <(git ls-files | grep -v '^COPYING$')
mapfile -t sources < <(git ls-files '*.c' '*.h' '*.sh' '*.pl' '*.py' '*.scd' 'policies/*.yaml' 'policies/*.json' Makefile \
	.ci/run .clang-format | grep -v '^tests/golden/\|^tests/fuzz/corpus/')
mapfile -t golden_scripts < <(git ls-files 'tests/golden/*.sh' 'tests/golden/*.py')
mapfile -t scripts < <(git ls-files '*.sh' .ci/run)

echo "  LINT    scripts"
if command -v shellcheck >/dev/null; then
	complain "shellcheck" "$(shellcheck -x -P SCRIPTDIR -S warning -e SC1007,SC1083,SC2093,SC2155 -f gcc "${scripts[@]}" || true)"
else
	complain "a tool is missing" "shellcheck (Debian package shellcheck)"
fi

echo "  LINT    licence lines"
complain "no 'SPDX-License-Identifier: GPL-2.0-only' in the first three lines" "$(
	for file in "${sources[@]}" "${golden_scripts[@]}"; do
		head -n 3 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-only' || echo "$file"
	done
)"

echo "  LINT    marks, paths, white space"
complain "unfinished work is in the tree" "$(grep -nwIE 'TO''DO|FIX''ME|X''XX' "${sources[@]}" || true)"
complain "a path of one machine" "$(grep -nIE '/(home|root|work)/[a-z]|/tmp/[a-z]+/' "${files[@]}" || true)"
complain "white space at the end of a line" "$(grep -nE '[ 	]+$' "${sources[@]}" || true)"

# The programs decide; they never change, transmit or redirect.
echo "  LINT    what the programs call"
forbidden='store_bytes|redirect|csum_replace|vlan_push|vlan_pop|change_proto|change_type|change_tail|change_head'
forbidden+='|adjust_room|adjust_head|adjust_tail|adjust_meta|set_tunnel|set_hash|trace_printk'
if compgen -G "$build/*.bpf.o" >/dev/null; then
	complain "the programs call what they must not" \
		"$(tools/helpers.py "$build"/*.bpf.o | grep -E ": .*($forbidden)" || true)"
else
	complain "nothing to look at" "no objects in $build: run make lint"
fi

[ $failures = 0 ] || { echo "lint: $failures kinds of fault"; exit 1; }
echo "lint: nothing to say"
