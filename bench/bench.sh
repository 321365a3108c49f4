#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench.sh PROGRAM [ARGUMENT...]: runs a bench with an interface `b0` (the other end has none) in a namespace of its own.
set -eu
name=zw-bench-$$
trap 'ip netns del "$name"; rm -rf /run/zonewall/zw-bench-* /var/lib/zonewall/zw-bench-*' EXIT
ip netns add "$name"
ip -n "$name" link add b0 type veth peer name b1
ip -n "$name" link set b0 up
ip -n "$name" link set b1 up
nsenter --net="/run/netns/$name" "$1" b0 "${@:2}"
