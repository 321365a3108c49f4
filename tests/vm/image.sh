#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# image.sh KERNEL IMAGE MODULES FILE[:PLACE]... - an initramfs whose first process is tests/vm/init.
#
# In it: busybox, the modules of the folder KERNEL with those that they need, and files with their shared libraries: in
# PLACE, or where they are here. A module that this kernel has built in, or lacks, is left out. Root is not needed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
kernel=$1 image=$2 modules=$3
shift 3
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
trap 'exit 1' INT TERM
chmod 755 "$root" # or only root may look into it
for folder in bin dev modules proc root run sys tmp var/lib; do mkdir -p "$root/$folder"; done
cp "$here/init" "$root/init"

# Debian's packages bring no modules.dep: what a module needs stands in itself. The order is the one to load them in.
add_module()
{
	! grep -qx "$1" "$root/modules/order" || return 0
	find "$kernel/modules" -name "$1.ko" -exec cat {} + -o -name "$1.ko.xz" -exec xz -dc {} + >"$root/modules/$1.ko"
	[ -s "$root/modules/$1.ko" ] || { rm "$root/modules/$1.ko"; return 0; }
	for needed in $(tr '\0' '\n' <"$root/modules/$1.ko" | sed -n 's/^depends=//p' | tr , ' '); do
		add_module "$needed"
	done
	echo "$1" >>"$root/modules/order"
}

add_file()
{
	mkdir -p "$root$(dirname "$2")"
	cp -L "$1" "$root$2"
	ldd "$1" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do
		[ -e "$root$library" ] || { mkdir -p "$root$(dirname "$library")" && cp -L "$library" "$root$library"; }
	done
}

: >"$root/modules/order"
add_file "$(command -v busybox)" /bin/busybox
for module in $modules; do add_module "$module"; done
for file; do add_file "${file%%:*}" "${file#*:}"; done
(cd "$root" && find . | busybox cpio -o -H newc -R 0:0 2>/dev/null) | gzip -1 >"$image"
