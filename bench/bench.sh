#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench.sh PROGRAM [ARGUMENT...]: runs a bench in a namespace of its own: PROGRAM INSTANCE INTERFACE [ARGUMENT...].
# The name of the instance may be the beginning of several ones' names; of interfaces there are b0 to b5, whose
# other ends have none.
set -eu
name=zw-bench-$$
export ZONEWALL ZW_BENCH_FOLDER
ZONEWALL=$(realpath "$(dirname "$1")/../zonewall")
ZW_BENCH_FOLDER=$(mktemp -d) # for files of its own
clean_up()
{
	for instance in "/sys/fs/bpf/zonewall/$name"*; do
		[ -e "$instance" ] || continue
		nsenter --net="/run/netns/$name" "$ZONEWALL" down --instance "${instance##*/}" >/dev/null 2>&1 || true
	done
	ip netns del "$name"
	rm -rf "/run/zonewall/$name"* "/var/lib/zonewall/$name"* "$ZW_BENCH_FOLDER"
}
ip netns add "$name"
trap clean_up EXIT
trap 'exit 1' INT TERM PIPE
for n in 0 1 2 3 4 5; do
	ip -n "$name" link add "b$n" type veth peer name "p$n"
	ip -n "$name" link set "b$n" up
	ip -n "$name" link set "p$n" up
done
nsenter --net="/run/netns/$name" "$1" "$name" b0 "${@:2}"
