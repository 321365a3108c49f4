#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# units.sh - what `make install` puts where, and whether systemd takes the units as they are meant: no manager is needed.
# net/service.sh tries what they start.
set -u
cd "${BASH_SOURCE%/*}/../.." || exit 1
# shellcheck source=tests/net/tap.bash
. tests/net/tap.bash
build=${BUILD:-build}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
units=$dir/tree/opt/zw/lib/systemd/system

make_install()
{
	make -s --no-print-directory BUILD="$(realpath --relative-to=. "$build")" DESTDIR="$dir/tree" PREFIX=/opt/zw install
}
check "make install DESTDIR= PREFIX=" make_install
expected="lib/systemd/system/zonewall-boot.service lib/systemd/system/zonewall.service lib/sysusers.d/zonewall.conf
	lib/tmpfiles.d/zonewall.conf sbin/zonewall share/bash-completion/completions/zonewall share/doc/zonewall/README.md
	share/doc/zonewall/policies/README.md share/fish/vendor_completions.d/zonewall.fish
	share/man/man1/zonewall.1 share/man/man5/zonewall.yaml.5 share/zsh/site-functions/_zonewall"
for file in $expected; do check "there is $file" test -s "$dir/tree/opt/zw/$file"; done
check "nothing outside of PREFIX" is "$(cd "$dir/tree" && find . -type f -not -path './opt/zw/*')" ""
check "the units start what was installed" is \
	"$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$units"/*.service | sort -u)" /opt/zw/sbin/zonewall
check "what was installed runs" "$dir/tree/opt/zw/sbin/zonewall" version

if [ -z "$(type -P systemd-analyze)" ]; then
	skip "there is no systemd-analyze (Debian package systemd)"
	echo "1..$count"
	exit 0
fi
# Where they are now, or systemd misses what they start.
sed -i "s,/opt/zw/sbin/zonewall,$dir/tree&," "$units"/*.service
said() { systemd-analyze verify --man=no "$units/zonewall.service" "$units/zonewall-boot.service" 2>&1; }
check "systemd-analyze verify has nothing to say" is "$(said)" ""
for unit in zonewall zonewall-boot; do
	check "$unit: an exposure of 2.5 at most" systemd-analyze security --no-pager --offline=yes --threshold=25 "$units/$unit.service"
	check "$unit: three capabilities and no more" is "$(sed -n 's/^CapabilityBoundingSet=//p' "$units/$unit.service")" \
		"CAP_BPF CAP_NET_ADMIN CAP_PERFMON"
	check "$unit: stopping it takes nothing off" not grep -q '^ExecStop' "$units/$unit.service"
	for line in DefaultDependencies=no 'Before=network-pre.target.*' Wants=network-pre.target; do
		check "$unit: before the network: $line" grep -qx "$line" "$units/$unit.service"
	done
done
group() { systemd-sysusers --root="$dir/tree" --dry-run "$dir/tree/opt/zw/lib/sysusers.d/zonewall.conf" 2>&1; }
check "sysusers makes the group" has "$(group)" "group 'zonewall'"
systemd-tmpfiles --root="$dir/tree" --create "$dir/tree/opt/zw/lib/tmpfiles.d/zonewall.conf" 2>"$dir/said"
check "tmpfiles makes the folders" test -d "$dir/tree/run/zonewall" -a -d "$dir/tree/var/lib/zonewall"
echo "1..$count"
