#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# deb.sh - the Debian package is built, and lintian has nothing to say; installing it attaches nothing, an upgrade loses no
# packet, removing it takes everything off. It is installed into a copy of this system that is gone afterwards (an overlay
# in memory, in a mount namespace), under an instance and on hosts of the test's own (publish.bash).
set -u
cd "${BASH_SOURCE%/*}/../.." || exit 1
for command in dh lintian dpkg-buildpackage scdoc git; do
	[ -n "$(type -P $command)" ] || { echo "1..0 # SKIP there is no $command"; exit 0; }
done
# shellcheck source=tests/net/publish.bash
. tests/net/publish.bash "deb-$$"
trap 'rm -rf "$dir"' EXIT

check "the package is built, and lintian has nothing to say" tools/deb.sh "$dir/deb"
package=$(echo "$dir"/deb/zonewall_*.deb)
mkdir "$dir/control"
dpkg-deb -e "$package" "$dir/control"
check "postinst starts nothing" not grep -E 'deb-systemd-invoke +(start|restart)|systemctl .*start ' "$dir/control/postinst"
check "postinst enables nothing" not grep "was-enabled.*||" "$dir/control/postinst"
check "an upgrade does not stop the loader before" test ! -e "$dir/control/preinst"
if [ "$(id -u)" != 0 ]; then
	skip "installing it needs root"
	echo "1..$count"
	exit 0
fi

set_up
node_links() { at_node bpftool net show 2>/dev/null | grep -c zw_; }
# "${inside[@]}" COMMAND...: in the node, in the copy of this system. One shell makes it, the others enter it.
mkdir "$dir/memory"
# shellcheck disable=SC2016
nsenter --net="/run/netns/$node" unshare -m --propagation private bash -c '
	mount -t tmpfs tmpfs "$0" && mkdir "$0/upper" "$0/work" "$0/tree" &&
	mount -t overlay overlay -o "lowerdir=/,upperdir=$0/upper,workdir=$0/work" "$0/tree" || exit 1
	for at in proc sys dev; do mount --rbind "/$at" "$0/tree/$at" || exit 1; done
	mount -t tmpfs tmpfs "$0/tree/run"
	echo $$ >"$0/ready"
	cat /proc/$$/mounts >/dev/null
	sleep 3600' "$dir/memory" &
copy=$!
remove_copy() { kill "$copy" $(pgrep -P "$copy") 2>/dev/null; clean_up; }
trap remove_copy EXIT
made() { nsenter -t "$copy" -m test -e "$dir/memory/ready"; }
if ! soon made >/dev/null; then
	skip "this kernel makes no copy of the system's root (overlayfs)"
	echo "1..$count"
	exit 0
fi
nsenter -t "$copy" -m cp "$package" "$dir/memory/tree/zonewall.deb"
inside=(env "ZONEWALL_INSTANCE=$instance" nsenter -t "$copy" -m -n chroot "$dir/memory/tree" env DEBIAN_FRONTEND=noninteractive)
installed() { "${inside[@]}" dpkg -i --force-depends /zonewall.deb >"$dir/out" 2>&1 || { cat "$dir/out"; return 1; }; }
exists() { "${inside[@]}" test -e "$1"; }

check "it is installed" installed
check "with its command" "${inside[@]}" zonewall version
check "and its group" "${inside[@]}" getent group zonewall
check "nothing is attached" is "$(node_links)" 0
check "nothing is pinned" test ! -e "/sys/fs/bpf/zonewall/$instance"
check "no unit is enabled" is "$("${inside[@]}" find /etc/systemd -name 'zonewall*')" ""
policy one 10.99.0.2 off v0
nsenter -t "$copy" -m cp "$dir/one" "$dir/memory/tree/policy.yaml"
check "a policy is applied" "${inside[@]}" zonewall apply /policy.yaml
check "and decides" only_pings 2
links=$(link_ids)
at_peer ping -q -w 5 -i 0.002 -I 10.99.0.2 10.99.0.1 >"$dir/ping" 2>&1 &
ping=$!
check "it is installed again, as an upgrade is" installed
wait "$ping"
check "which loses no packet: $(sed -n 's/ packets transmitted.*//p' "$dir/ping") sent" has "$(cat "$dir/ping")" " 0% packet loss"
check "and attaches nothing anew" is "$links" "$(link_ids)"
check "it is removed" "${inside[@]}" dpkg -r zonewall
check "with all that it attached" is "$(node_links)" 0
check "and pinned" test ! -e "/sys/fs/bpf/zonewall/$instance"
check "what is saved stays" exists "/var/lib/zonewall/$instance/confirmed"
check "until it is purged" "${inside[@]}" dpkg -P zonewall
check "then nothing is left" not exists /var/lib/zonewall
check "but the group" "${inside[@]}" getent group zonewall
echo "1..$count"
