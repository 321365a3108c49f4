#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# system.sh - the Debian package under systemd as the first process of a machine: installed, upgraded to another version and
# ABI under traffic, there again after a reboot before a packet is let in, and removed. SYSTEM_KERNEL=6.1; VM_LIMIT=900
# seconds; DEB=FILE, a package that has been built already.
#
# The machine boots from a disk made of this system's own packages. Its network card is a datagram socket, whose other end is
# wire.py. What system_exam.sh says there in TAP is said here; that and its console stay in build/vm/system.*.
# shellcheck source=tests/net/tap.bash
. "${BASH_SOURCE%/*}/../net/tap.bash"
here=${BASH_SOURCE%/*}
build=${BUILD:-build}
cache=build/vm
kernel=${SYSTEM_KERNEL:-6.1}
second=$build/other/same
modules="virtio_pci virtio_blk virtio_net veth sch_ingress cls_bpf inet_diag tcp_diag udp_diag"
packages="systemd systemd-sysv base-files bash coreutils dash debianutils diffutils dpkg findutils grep gzip init-system-helpers
	iperf3 iproute2 libc-bin mount passwd perl-base procps sed tar util-linux libbpf1 libjson-c5 libmnl0 libsmartcols1 libyaml-0-2 zlib1g"

for command in qemu-system-x86_64 busybox xz dh lintian scdoc git iperf3; do
	[ -n "$(type -P $command)" ] || { echo "1..0 # SKIP there is no $command"; exit 0; }
done
[ -x /sbin/mke2fs ] || { echo "1..0 # SKIP there is no mke2fs"; exit 0; }
[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP the machine's disk is made by root"; exit 0; }
[ -x "$second/zonewall" ] || { echo "1..0 # SKIP there is no $second/zonewall (make others)"; exit 0; }
# shellcheck disable=SC2086 # a list of names
dpkg-query -W $packages >/dev/null 2>&1 || { echo "1..0 # SKIP not all packages of the machine are here"; exit 0; }
dir=$(mktemp -d)
wire=''
trap 'kill $wire 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
trouble=$("$here/kernel.sh" "$kernel" "$cache" 2>&1) || { echo "1..0 # SKIP $kernel: ${trouble##*$'\n'}"; exit 0; }

# The package of these files, and one with the command of another ABI.
make_packages()
{
	[ -n "${DEB:-}" ] || { tools/deb.sh "$dir/deb" || return; }
	cp "${DEB:-$(echo "$dir"/deb/zonewall_*.deb)}" "$dir/first.deb" && dpkg-deb -R "$dir/first.deb" "$dir/tree" &&
		sed -i 's/^Version: .*/&+1/' "$dir/tree/DEBIAN/control" && cp "$second/zonewall" "$dir/tree/usr/sbin/zonewall" &&
		dpkg-deb -b "$dir/tree" "$dir/second.deb" && sed -n 's/^#define ZW_ABI //p' "$second/include/zonewall.h" >"$dir/second.abi"
}
write_files()
{
	cat >"$dir/policy.yaml" <<-END
		version: 1
		defaults: {action: drop, log: none}
		interfaces: [{match: [eth0, v0]}]
		zones: {peer: [10.78.0.2], here: [10.78.0.1]}
		rules:
		  - {id: ping, from: any, to: host, service: icmp/echo-request, action: allow}
		  - {id: iperf3, from: peer, to: here, service: [tcp/5201, udp/5201], action: allow}
	END
	cat >"$dir/net.service" <<-END
		[Unit]
		DefaultDependencies=no
		Wants=network-pre.target network.target
		After=network-pre.target
		Before=network.target
		[Service]
		Type=oneshot
		ExecStart=/sbin/ip addr add 10.77.0.1/24 dev eth0
		ExecStart=/sbin/ip link set eth0 up
	END
	cat >"$dir/exam.service" <<-END
		[Unit]
		After=net.service zonewall.service zonewall-boot.service
		[Service]
		ExecStart=/bin/bash /zonewall/system_exam.sh
	END
	mkdir "$dir/wanted"
	ln -s ../net.service ../exam.service "$dir/wanted"
}
make_disk()
{
	"$here/root.sh" "$dir/disk" "$packages" "$here/system_exam.sh:/zonewall/system_exam.sh" tests/net/tap.bash:/zonewall/tap.bash \
		"$dir/first.deb:/zonewall/first.deb" "$dir/second.deb:/zonewall/second.deb" "$dir/second.abi:/zonewall/second.abi" \
		"$dir/policy.yaml:/zonewall/policy.yaml" "$dir/net.service:/etc/systemd/system/net.service" \
		"$dir/wanted/net.service:/etc/systemd/system/sysinit.target.wants/net.service" \
		"$dir/exam.service:/etc/systemd/system/exam.service" \
		"$dir/wanted/exam.service:/etc/systemd/system/multi-user.target.wants/exam.service" &&
		"$here/image.sh" "$cache/$kernel" "$dir/image" "$modules"
}
run_machine()
{
	timeout -k 5 "${VM_LIMIT:-900}" qemu-system-x86_64 -machine q35,accel=tcg -cpu max -smp 2 -m 1024 \
		-nodefaults -no-user-config -display none \
		-netdev "socket,id=wire,udp=127.0.0.1:$from,localaddr=127.0.0.1:$to" \
		-device virtio-net-pci,netdev=wire,mac=52:54:00:00:00:01 \
		-drive "file=$dir/disk,format=raw,if=virtio,cache=unsafe" \
		-serial "file:$cache/system.console" -serial "file:$cache/system.results" \
		-kernel "$cache/$kernel/vmlinuz" -initrd "$dir/image" \
		-append "console=ttyS0 panic=-1 root=/dev/vda mitigations=off random.trust_cpu=on quiet systemd.mask=getty.target" </dev/null
}

check "packages are built" make_packages
write_files
check "a disk is made" make_disk
to=$((20000 + $$ % 10000)) from=$((30000 + $$ % 10000))
mkfifo "$dir/end"
exec 3<>"$dir/end" # it never comes
"$here/wire.py" "$to" "$from" <&3 &
wire=$!
began=$SECONDS
check "the machine ends by itself within ${VM_LIMIT:-900} s" run_machine
echo "# $((SECONDS - began)) s"
while read -r line; do
	case $line in
	"ok "*) ok 0 "${line#ok * - }" ;;
	"not ok "*) ok 1 "${line#not ok * - }" ;;
	*) echo "# ${line#\# }" ;;
	esac
done < <(tr -d '\r' <"$cache/system.results")
check "it said all that it had to say" has "$(cat "$cache/system.results")" "^1\.\.[0-9]"
echo "1..$count"
