#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench.sh PROGRAM [ARGUMENT...]: runs a bench, with the name of an instance and an interface (whose other end has none), in
# a namespace of its own.
set -eu
name=zw-bench-$$
export ZONEWALL
ZONEWALL=$(realpath "$(dirname "$1")/../zonewall")
clean_up()
{
	nsenter --net="/run/netns/$name" "$ZONEWALL" down --instance "$name" >/dev/null 2>&1 || true
	ip netns del "$name"
	rm -rf "/run/zonewall/$name" "/var/lib/zonewall/$name"
}
ip netns add "$name"
trap clean_up EXIT
trap 'exit 1' INT TERM PIPE
ip -n "$name" link add b0 type veth peer name b1
ip -n "$name" link set b0 up
ip -n "$name" link set b1 up
nsenter --net="/run/netns/$name" "$1" "$name" b0 "${@:2}"
