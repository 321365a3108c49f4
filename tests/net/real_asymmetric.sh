#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# real_asymmetric.sh - packets of one flow on several interfaces: flows know none.
#
#    a, zonewall   e0 10.1.0.1, fd00:1::1 --- r0 10.1.0.2, fd00:1::2   router  s0 10.3.0.1 --- e0 10.3.0.2, fd00:3::2  b
#                  e1 10.2.0.1, fd00:2::1 --- r1 10.2.0.2, fd00:2::2           fd00:3::1
#
# a sends through e0; what the router has for a's addresses of e0 goes back through r1 and e1. Then the routes change under
# the connection. a may connect to b, not b to a. With a bond of both links, if the kernel has bonds.
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "asymmetric-$$"
add_hosts a router b
for host in a router; do sysctls "$host" ipv4/conf/all/rp_filter=0 ipv4/conf/default/rp_filter=0; done
join a e0 router r0 1
join a e1 router r1 2
join router s0 b e0 3
route_between router
route b 3 1

a_sends() # a_sends INTERFACE NET
{
	ip -n "$base-a" route replace 10.3.0.0/24 via "10.$2.0.2" dev "$1" src 10.1.0.1
	ip -n "$base-a" -6 route replace fd00:3::/64 via "fd00:$2::2" dev "$1" src fd00:1::1
}
router_sends() # router_sends INTERFACE NET: to a's addresses of e0
{
	ip -n "$base-router" route replace 10.1.0.1/32 via "10.$2.0.1" dev "$1"
	ip -n "$base-router" -6 route replace fd00:1::1/128 via "fd00:$2::1" dev "$1"
}
policy()
{
	cat <<-END
		zones: {a: [10.1.0.1, 10.2.0.1, "fd00:1::1", "fd00:2::1"], b: [10.3.0.2, "fd00:3::2"]}
		services: {some: [tcp/5201, icmp/echo-request, icmpv6/echo-request]}
		rules: [{id: all, from: a, to: b, service: some, action: allow}]
	END
}
pings() { at a ping -n -c 1 -W 2 -I "$1" "$2"; }
transfers() { at a timeout 20 iperf3 -c "$1" -n 5M; }
# seconds FROM TO: something arrived in that one of iperf3's seconds
seconds() { patience=15 soon says transfer " $1[.][0-9]*-$2[.][0-9]* .* [1-9][0-9.]* [KMG]*bits"; }
moves() # moves ADDRESS: while a transfer goes on its packets change the interfaces, both ways
{
	local status
	start transfer a iperf3 -c "$1" -t 60 -b 20M --forceflush
	seconds 0 1
	status=$?
	a_sends e1 2
	router_sends r0 1
	seconds 2 3 || status=1
	stop transfer INT
	a_sends e0 1
	router_sends r1 2
	return $status
}
comes_in() { [ "$(counted a allowed flow "$1")" -gt 100 ] || { counters a; return 1; }; }

start iperf3 b iperf3 -s
soon listens b 5201 || { echo "Bail out! iperf3 does not start"; exit 1; }
a_sends e0 1
router_sends r1 2
for attached in tcx native; do
	check "the policy is applied" apply a < <(policy)
	for address in 10.3.0.2 fd00:3::2; do
		local=10.1.0.1
		[ $address = 10.3.0.2 ] || local=fd00:1::1
		check "$address: ping goes out here and comes back there" pings "$local" $address
		check "$address: so does a transfer" transfers $address
	done
	check "the answers did come in at the other interface" comes_in e1
	check "no packet is dropped" drops_nothing a
	for address in 10.3.0.2 fd00:3::2; do
		check "$address: a transfer goes on over other interfaces" moves $address
	done
	check "no packet is dropped" drops_nothing a
	check "b does not reach a, on either" not at b curl -sS --max-time 0.3 http://10.1.0.1/
	check "and is dropped" counts a dropped default
	down a
done

attached=tcx
if ip -n "$base-a" link add bond0 type bond mode active-backup miimon 50 2>/dev/null; then
	ip -n "$base-router" link add br0 type bridge
	ip -n "$base-router" link set br0 up
	for link in e0/r0 e1/r1; do
		ip -n "$base-a" link set "${link%/*}" down
		ip -n "$base-a" link set "${link%/*}" master bond0
		ip -n "$base-router" addr flush dev "${link#*/}"
		ip -n "$base-router" link set "${link#*/}" master br0
	done
	ip -n "$base-a" addr flush dev e0
	ip -n "$base-a" addr flush dev e1
	address a bond0 1 1
	address router br0 1 2
	ip -n "$base-router" route del 10.1.0.1/32
	ip -n "$base-router" -6 route del fd00:1::1/128
	a_sends bond0 1
	check "the policy is applied to a bond and its members" apply a < <(policy)
	for address in 10.3.0.2 fd00:3::2; do
		check "$address: a transfer over the bond" transfers $address
	done
	ip -n "$base-a" link set bond0 type bond active_slave e1
	check "and over its other member" transfers 10.3.0.2
	check "no packet is dropped" drops_nothing a
else
	skip "this kernel has no bonds"
fi
echo "1..$count"
