#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# readme.sh [--write] - the table of tricks in the README is that of the cases; --write puts it there.
set -u
cd "${BASH_SOURCE%/*}/../.." || exit 1
print=${BUILD:-build}/tests/evasion/run_print
table=$(mktemp)
trap 'rm -f "$table"' EXIT
"$print" table >"$table" || { echo "Bail out! $print fails"; exit 1; }

if [ "${1:-}" = --write ]; then
	sed -i -e "/^<!-- the cases/,/^<!-- end/{/^<!-- end/r $table
		d}" README.md
	exit
fi
if difference=$(diff <(sed -n '/^<!-- the cases/,/^<!-- end/p' README.md) "$table"); then
	echo "ok 1 - the table in the README is that of the cases ($(grep -c '^| .* |$' "$table") lines)"
else
	echo "not ok 1 - the table in the README is that of the cases"
	printf '%s\n' "$difference" | sed 's/^/# /' | head -n 20
	echo "# fix: tests/evasion/readme.sh --write"
fi
echo 1..1
