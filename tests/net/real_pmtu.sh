#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# real_pmtu.sh - path MTU discovery through routers that are firewalls themselves, with a narrow link in the middle.
#
#    a e1 --- w1 r1 e2 --- w2 r2 e3 --- w3 b        each with zonewall and the same policy: a may reach b
#      1,500     1,400, then 1,280     1,500        10.1.0.1 .2 and so on, fd00:1::1, ::2
#
# Both ends send more than fits, so both must hear "fragmentation needed" (or "packet too big"), which no rule allows.
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "pmtu-$$"
chained_hosts

policy()
{
	cat <<-END
		zones: {a: [10.1.0.1, "fd00:1::1"], b: [10.3.0.2, "fd00:3::2"]}
		services: {some: [tcp/5201, udp/7000, icmp/echo-request, icmpv6/echo-request]}
		rules: [{id: all, from: a, to: b, service: some, action: allow}]
	END
}
narrow() # narrow MTU: and forget what was learnt
{
	local host
	ip -n "$base-r1" link set e2 mtu "$1"
	ip -n "$base-r2" link set w2 mtu "$1"
	for host in a b; do
		ip -n "$base-$host" route flush cache
		ip -n "$base-$host" -6 route flush cache
	done
}
transfers() # transfers a|b ADDRESS: the connection is a's in both cases
{
	local reverse=''
	[ "$1" = a ] || reverse=-R
	at a timeout 20 iperf3 -c "$2" -n 3M $reverse
}
knows() # knows HOST MTU: in the route to the other end, both families
{
	local to=10.3.0.2 to6=fd00:3::2
	[ "$1" = a ] || to=10.1.0.1 to6=fd00:1::1
	has "$(ip -n "$base-$1" route get $to)" "mtu $2" && has "$(ip -n "$base-$1" -6 route get $to6)" "mtu $2"
}
# The first with DF that is too large is answered by an error, the next by ping itself, which has learnt.
too_long() { has "$(at a ping -n -c 2 -i 0.2 -W 1 -M "do" -s 1452 "$1" 2>&1)" "mtu *= *$2"; }
fits() { at a ping -n -c 1 -W 2 -M "do" -s $(($2 - 48)) "$1"; } # 40 bytes of IPv6 header and 8 of ICMPv6
datagram_learns() # datagram_learns ADDRESS MTU: a connected socket with DF is told by EMSGSIZE, and knows the path's MTU
{
	at a python3 -c '
import errno, socket, sys, time
v6 = ":" in sys.argv[1]
s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
level, discover, mtu = (41, 23, 24) if v6 else (0, 10, 14)  # IPV6_MTU_DISCOVER, IPV6_MTU; IP_MTU_DISCOVER, IP_MTU
s.setsockopt(level, discover, 2)
s.connect((sys.argv[1], 7000))
for _ in range(50):
    try:
        s.send(bytes(1452))
    except OSError as e:
        if e.errno == errno.EMSGSIZE:
            break
    time.sleep(0.02)
sys.exit(s.getsockopt(level, mtu) != int(sys.argv[2]))' "$1" "$2"
}
related() { local host; for host in a r1 r2 b; do counts $host allowed related || return 1; done; }

start iperf3 b iperf3 -s
soon listens b 5201 || { echo "Bail out! iperf3 does not start"; exit 1; }
for round in "${rounds[@]}"; do
	attached=${round// /, }
	# shellcheck disable=SC2086 # a list
	check "the policy is applied" apply $round < <(policy)
	for mtu in 1400 1280; do
		for sender in a b; do # one after the other: who knows lets the other side send no more
			narrow $mtu
			for address in 10.3.0.2 fd00:3::2; do
				check "$sender sends 3 MB through $mtu, b is $address" transfers $sender $address
			done
			check "$sender has learnt it" knows $sender $mtu
		done
		narrow $mtu
		for address in 10.3.0.2 fd00:3::2; do
			check "$address: ping is told what fits" too_long $address $mtu
			check "and that fits" fits $address $mtu
		done
		narrow $mtu
		for address in 10.3.0.2 fd00:3::2; do
			check "$address: a sender of datagrams is told" datagram_learns $address $mtu
		done
	done
	check "on each host the errors were related" related
	check "no packet is dropped" drops_nothing a r1 r2 b
	down a r1 r2 b
done
echo "1..$count"
