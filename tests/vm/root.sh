#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# root.sh IMAGE PACKAGES FILE:PLACE... - a disk with a root file system: the files of Debian packages that are installed here,
# those of what they depend on, a package database that knows these, and files in their places. What it boots with is
# /sbin/init, systemd's. For root, or else its files belong to somebody.
set -eu
image=$1 wanted=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
root=$work/root
mkdir "$root"
chmod 755 "$root"
# What /bin, /sbin, /lib lead to is to be there first.
for folder in bin sbin lib lib64; do mkdir -p "$root/usr/$folder"; done

# shellcheck disable=SC2016,SC2086 # dpkg-query's fields; a list of names
apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
	$wanted | sed -n 's/^\([a-z0-9][^ ]*\)$/\1/p' | sort -u |
	xargs dpkg-query -W -f '${db:Status-Abbrev} ${binary:Package}\n' 2>/dev/null | sed -n 's/^ii *//p' >"$work/packages"
xargs dpkg -L <"$work/packages" | grep '^/' | grep -vE '^/(\.|usr/share/(doc|man|locale|info|i18n|lintian)/.*)$' |
	sort -u | sed 's,^/,,' >"$work/files"
tar -C / --no-recursion --ignore-failed-read -cf - -T "$work/files" 2>/dev/null | tar -C "$root" -xf -
for folder in dev proc run sys tmp etc/alternatives var/lib/dpkg/info var/lib/dpkg/updates; do mkdir -p "$root/$folder"; done
chmod 1777 "$root/tmp"
cp -a /etc/alternatives/. "$root/etc/alternatives"
for file in passwd group nsswitch.conf ld.so.cache ld.so.conf shells; do cp -aL "/etc/$file" "$root/etc"; done
: >"$root/etc/shadow"
echo zw-vm >"$root/etc/hostname"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
echo "/dev/vda / ext4 defaults 0 0" >"$root/etc/fstab"
rm -f "$root/usr/sbin/policy-rc.d"

xargs dpkg-query -s <"$work/packages" >"$root/var/lib/dpkg/status"
: >"$root/var/lib/dpkg/available"
while read -r package; do
	for file in "/var/lib/dpkg/info/$package".* "/var/lib/dpkg/info/${package%%:*}".*; do
		[ ! -e "$file" ] || cp "$file" "$root/var/lib/dpkg/info"
	done
done <"$work/packages"
cp /var/lib/dpkg/info/format "$root/var/lib/dpkg/info"

for file; do
	mkdir -p "$root$(dirname "${file#*:}")"
	cp -P "${file%%:*}" "$root${file#*:}"
done
rm -f "$image"
/sbin/mke2fs -q -t ext4 -E root_owner=0:0 -d "$root" "$image" "$(($(du -sm "$root" | cut -f1) + 200))M"
