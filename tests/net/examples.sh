#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# examples.sh - every example of policies/, applied on a node that routes, and its own tests as real connections.
#
#    eth0, company0, cards0, veth-shop, ... ----- the node ----- eth1, cards1, ...
#
# A host stands behind each of the node's interfaces (and is called after it); for a test it has the address that the test
# names. examples.py opens the connection to a real socket, and compares: does it come about, which rule counted it, and if
# it is denied, was that one drop, for that reason? Examples without tests, and forged sources, have rows in examples.py.
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "examples-$$"
here=$(realpath "${BASH_SOURCE%/*}")
legs=(eth0 eth1 company0 cards0 cards1 veth-shop veth-cart veth-mail veth-dns gateway app data)

leg() # leg NAME: a host behind the node's interface of that name, whose way to everybody is the node
{
	ip link add "$1" netns "$base-node" type veth peer name e0 netns "$base-$1"
	ip -n "$base-node" link set "$1" up
	ip -n "$base-node" addr add fe80::1/64 dev "$1" nodad
	ip -n "$base-$1" link set e0 up
	ip -n "$base-$1" -6 route add default via fe80::1 dev e0
}
try() # try POLICY: a check for each of its tests
{
	local what status verdict allowed=0 denied=0
	attached=$(basename "$1" .yaml)
	check "$1 is applied" zw node apply "$1"
	check "its tests are run" python3 "$here/examples.py" "$base" "$zonewall" "$1" "$dir/results"
	while IFS=$'\t' read -r status verdict what; do
		ok "$status" "$what"
		case $status$verdict in 0allow) allowed=1 ;; 0drop) denied=1 ;; esac
	done <"$dir/results"
	for leg in "${legs[@]}"; do ip -n "$base-$leg" addr flush dev e0 scope global; done
	ok $((2 - allowed - denied)) "a connection was allowed, and one denied"
	down node
}

add_hosts node "${legs[@]}"
route_between node
sysctls node ipv4/conf/all/rp_filter=0 ipv4/conf/default/rp_filter=0
for leg in "${legs[@]}"; do leg "$leg"; done
# What container-node.yaml says holds for a node whose addresses are among its nodes'.
ip -n "$base-node" addr add 10.0.1.254/32 dev eth0
ip -n "$base-node" addr add fd00:1::fe/128 dev eth0 nodad
cd "$here/../.." || exit 1
for policy in policies/*.yaml; do try "$policy"; done
echo "1..$count"
