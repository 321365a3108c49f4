#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# deps.sh [--list] PURPOSE... - finds what is missing for build, man, check, vm, other-clang, bench, report, coverage, demo, deb, and
# installs it.
#
# What is there is looked for by itself (a command, a header, a Python module, a file), so that it may come from anywhere;
# what is missing is installed by its Debian package, when apt and root are there. --list, or another distribution: list it
# and fail.
set -eu

# purpose  Debian package  how to see that it is there
needs() {
	cat <<-END
	build gcc                  command gcc
	build binutils             command ar
	build libc6-dev            header stdio.h
	build linux-libc-dev       header linux/bpf.h
	build clang                command ${CLANG:-clang}
	build bpftool              command ${BPFTOOL:-bpftool}
	build libbpf-dev           header bpf/libbpf.h
	build libelf-dev           header libelf.h
	build zlib1g-dev           header zlib.h
	build libyaml-dev          header yaml.h
	build libjson-c-dev        header json-c/json.h
	build libsmartcols-dev     header libsmartcols/libsmartcols.h
	build libmnl-dev           header libmnl/libmnl.h
	build libpcap-dev          header pcap/pcap.h
	man scdoc                  command scdoc
	check libcmocka-dev        header cmocka.h
	check libclang-rt-14-dev   file /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a /usr/lib*/clang/*/lib/*/libclang_rt.fuzzer*.a
	check perl                 command prove
	check python3              command python3
	check python3-jsonschema   python jsonschema
	check python3-yaml         python yaml
	check iproute2             command ip
	check iproute2             command tc
	check iputils-ping         command ping
	check curl                 command curl
	check iperf3               command iperf3
	check nginx                command nginx
	check gnutls-bin           command gnutls-cli
	check openssl              command openssl
	check openssh-client       command ssh
	check postgresql-client    command psql
	check nftables             command nft
	check wireguard-tools      command wg
	check dnsmasq-base         command dnsmasq
	check bind9-dnsutils       command dig
	check isc-dhcp-client      command dhclient
	check traceroute           command traceroute
	check shellcheck           command shellcheck
	check systemd              command systemd-analyze
	check strace               command strace
	check zsh                  command zsh
	check fish                 command fish
	check debhelper            command dh
	check lintian              command lintian
	deb debhelper              command dh
	deb lintian                command lintian
	check spin                 command spin
	check scdoc                command scdoc
	check graphviz             command dot
	vm qemu-system-x86         command qemu-system-x86_64
	vm busybox-static          command busybox
	vm xz-utils                command xz
	vm gzip                    command gzip
	vm iproute2                command ip
	vm iproute2                command tc
	vm iputils-ping            command ping
	vm perl                    command prove
	vm e2fsprogs               command mke2fs
	other-clang clang-16       command ${OTHER_CLANG:-clang-16}
	vm iperf3                  command iperf3
	vm python3                 command python3
	vm debhelper               command dh
	vm lintian                 command lintian
	vm scdoc                   command scdoc
	bench iproute2             command ip
	bench nftables             command nft
	bench xdp-tools            command xdp-filter
	bench iperf3               command iperf3
	bench nginx                command nginx
	bench wrk                  command wrk
	report iproute2            command ip
	report gnuplot-nox         command gnuplot
	coverage llvm              command llvm-cov
	coverage llvm              command llvm-profdata
	demo iproute2              command ip
	demo iputils-ping          command ping
	demo curl                  command curl
	demo nginx                 command nginx
	demo redis-server          command redis-server
	demo redis-tools           command redis-cli
	END
}

# Services that come with a package and that this machine did not ask for.
services="nginx redis-server"

has_command() {
	command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]
}

has_header() {
	for folder in /usr/include /usr/local/include /usr/include/*-linux-gnu*; do
		[ ! -e "$folder/$1" ] || return 0
	done
	return 1
}

has_python() {
	python3 -c "import $1" 2>/dev/null
}

has_file() {
	for file in "$@"; do
		[ ! -e "$file" ] || return 0
	done
	return 1
}

# Prints "package kind name" for all that is missing for the purposes.
missing() {
	needs | while read -r purpose package kind names; do
		case " $* " in *" $purpose "*) ;; *) continue ;; esac
		# shellcheck disable=SC2086 # names of kind file are globs
		"has_$kind" $names || echo "$package $kind ${names%% *}"
	done
}

report() {
	echo "missing:" >&2
	echo "$1" | while read -r package kind name; do
		printf '  %-28s (Debian package %s)\n' "$kind $name" "$package" >&2
	done
}

# Packages bring services that would start now and at the next boot. They are wanted as programs only: keep those that
# come with this installation from starting, and leave services that were here before as they are.
install_packages() {
	policy=/usr/sbin/policy-rc.d
	new_services=
	for service in $services; do
		case " $* " in *" $service "*) new_services="$new_services $service" ;; esac
	done
	if [ -n "$new_services" ] && [ ! -e $policy ]; then
		trap 'rm -f $policy' EXIT
		trap 'exit 1' INT TERM HUP
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
	fi
	export DEBIAN_FRONTEND=noninteractive
	# The lists may be absent or old: fetch them only if the first try does not do it.
	if ! apt-get install -y -qq --no-install-recommends "$@" >"$log" 2>&1; then
		echo "  APT     fetching package lists"
		if ! apt-get update -qq >"$log" 2>&1 ||
			! apt-get install -y -qq --no-install-recommends "$@" >>"$log" 2>&1; then
			cat "$log" >&2
			return 1
		fi
	fi
	for service in $new_services; do
		update-rc.d "$service" disable >/dev/null 2>&1 || true # of systemd, too
	done
}

list_only=
if [ "${1:-}" = --list ]; then
	list_only=1
	shift
fi

lacking=$(missing "$@")
[ -n "$lacking" ] || exit 0

if [ -n "$list_only" ]; then
	report "$lacking"
	echo "fix: on Debian, 'sudo make deps' installs them" >&2
	exit 1
fi
if ! command -v apt-get >/dev/null; then
	report "$lacking"
	echo "fix: install them with this distribution's own packages, then try again" >&2
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	report "$lacking"
	echo "fix: run 'sudo make deps', or install them yourself" >&2
	exit 1
fi

packages=$(echo "$lacking" | cut -d' ' -f1 | sort -u | tr '\n' ' ')
echo "  APT     installing $packages"
log=$(mktemp)
status=0
# shellcheck disable=SC2086 # a list of names
install_packages $packages || status=1
rm -f "$log"
[ $status = 0 ] || { echo "error: cannot install $packages" >&2; exit 1; }

lacking=$(missing "$@")
[ -z "$lacking" ] || { report "$lacking"; exit 1; }
