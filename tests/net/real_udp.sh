#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# real_udp.sh - datagrams larger than the link, with a real name server and ping, and fragments that come in another order.
#
#    a  e0 10.1.0.1, fd00:1::1 --- wire --- e0 10.1.0.2, fd00:1::2  b: dnsmasq
#
# zonewall is on both, in two rounds, so that each way of attaching is once at an end; a may ask b for names, and each may
# ping the other.
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "udp-$$"
wired_hosts
for host in a b; do sysctls "$host" ipv4/ipfrag_time=1 ipv6/ip6frag_time=1; done # seconds until reassembly gives up

text=$(head -c 200 /dev/zero | tr '\0' x)
serve() # a TXT record of 25 strings, more than 5,000 bytes
{
	local strings=''
	for i in {10..34}; do strings+=,$text$i; done
	start dnsmasq b dnsmasq -k -C /dev/null --no-resolv --no-hosts --user=root --pid-file= --edns-packet-max=8192 \
		--bind-interfaces --interface=e0 --except-interface=lo --txt-record="big.test$strings"
	soon listens b 53 u
}
asks() # asks ADDRESS: over UDP only, in one datagram
{
	local answer
	answer=$(at a dig "@$1" big.test TXT +notcp +ignore +bufsize=8192 +tries=1 +time=3 +noall +answer +stats)
	has "$answer" 'MSG SIZE  *rcvd: 5[0-9][0-9][0-9]' && is "$(grep -o "$text" <<<"$answer" | wc -l)" 25
}
pings() { at "$1" ping -n -c 2 -i 0.2 -W "${3:-2}" -s 8000 "$2"; } # pings HOST ADDRESS [SECONDS]
policy()
{
	cat <<-END
		zones: {a: [10.1.0.1, "fd00:1::1"], b: [10.1.0.2, "fd00:1::2"]}
		services: {dns: udp/53, ping: [icmp/echo-request, icmpv6/echo-request]}
		rules:
		  - {id: names, from: a, to: b, service: dns, action: allow}
		  - {id: pings, from: [a, b], to: [a, b], service: ping, action: allow}
	END
}
# Every datagram's second fragment comes first, and is the only one that is dropped: at the hook behind the wire.
early_are_dropped() # early_are_dropped HOST ADDRESS OTHER: HOST pings ADDRESS, which is OTHER's
{
	local before after
	before=$(counted "$3" dropped fragment)
	disturb first-second
	not pings "$1" "$2" 0.2 || return 1
	stop wire
	after=$(counted "$3" dropped fragment)
	echo "$((after - before)) dropped, $(did early) early"
	[ "$(did early)" -ge 2 ] && [ $((after - before)) -eq "$(did early)" ]
}
no_other_drops() { not grep -v 'dropped fragment\|allowed' < <(counters a; counters b); }

serve || { echo "Bail out! dnsmasq does not start"; exit 1; }
for round in "a=tcx b=native" "a=generic b=clsact"; do
	attached=$round
	# shellcheck disable=SC2086 # a list
	check "the policy is applied" apply $round < <(policy)
	disturb none
	for address in 10.1.0.2 fd00:1::2; do
		check "$address answers a question with 5 KB" asks "$address"
		check "and a ping of 8 KB" pings a "$address"
	done
	stop wire
	disturb first-first
	for address in 10.1.0.2 fd00:1::2; do
		check "$address: so in any order behind the first fragment" asks "$address"
		check "$address: with ping, too" pings a "$address"
	done
	stop wire
	check "later fragments did change places" test "$(did held)" -ge 8
	check "nothing was dropped" drops_nothing a b
	for way in "a 10.1.0.2 b" "a fd00:1::2 b" "b 10.1.0.1 a" "b fd00:1::1 a"; do
		# shellcheck disable=SC2086 # a list
		check "$way: a later fragment that overtakes its first is dropped, and each counted" early_are_dropped $way
	done
	for host in a b; do
		check "the errors about what cannot be put together are related, on $host" soon counts $host allowed related
	done
	sleep 1.5 # until reassembly has given up the last ones, and said so
	check "nothing else is dropped" no_other_drops
	down a b
done
echo "1..$count"
