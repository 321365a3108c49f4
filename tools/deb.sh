#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# deb.sh DIR - builds the Debian package of this tree's files, as they are now, into DIR, beside the tree; then lintian.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "$1"
out=$(realpath "$1")
rm -rf "$out"/zonewall "$out"/zonewall_* "$out"/zonewall-*
mkdir "$out/zonewall"
git ls-files -z --cached --others --exclude-standard | xargs -0 -I{} find {} -maxdepth 0 -print0 2>/dev/null |
	tar --null -cf - -T - | tar -xf - -C "$out/zonewall"
cd "$out/zonewall"
if ! dpkg-buildpackage -us -uc -b >"$out/log" 2>&1; then
	tail -n 30 "$out/log"
	exit 1
fi
lintian --allow-root --fail-on error,warning,info "$out"/zonewall_*.changes
ls "$out"/zonewall_*.deb
