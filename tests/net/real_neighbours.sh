#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# real_neighbours.sh - ARP, neighbour discovery, duplicate addresses, router advertisements and group membership, for hosts
# whose policy allows nothing; and redirects, which no host takes unless policy says so.
#
#    router r: dnsmasq for advertisements       br0 10.1.0.1 fd00:1::1, a bridge of p1..p5
#      p1 --- e0 h1 10.1.0.11  zonewall TCX       p3 --- e0 h3 10.1.0.13  XDP native     p5 --- e0 x 10.1.0.15, without
#      p2 --- e0 h2 10.1.0.12  clsact             p4 --- e0 h4 10.1.0.14  XDP generic
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "neighbours-$$"
hosts_with=(h1 h2 h3 h4)
declare -A mode_at=([h1]=tcx [h2]=clsact [h3]=native [h4]=generic)
add_hosts r "${hosts_with[@]}" x
for host in "${hosts_with[@]}" x; do
	sysctls "$host" ipv6/conf/all/accept_dad=1 ipv6/conf/default/accept_dad=1 ipv6/conf/default/optimistic_dad=0 \
		ipv6/conf/default/router_solicitation_delay=0
done
ip -n "$base-r" link add br0 type bridge mcast_snooping 1 mcast_querier 1 mcast_query_use_ifaddr 1 2>/dev/null || # a query from 0.0.0.0 is malformed
	ip -n "$base-r" link add br0 type bridge
address r br0 1 1
route_between r
n=0
for host in "${hosts_with[@]}" x; do
	n=$((n + 1))
	ip link add "p$n" netns "$base-r" type veth peer name e0 netns "$base-$host"
	ip -n "$base-r" link set "p$n" master br0 up
	ip -n "$base-$host" addr add "10.1.0.1$n/24" dev e0
done

each() # each WHAT COMMAND...: at each host with zonewall, whose name comes after the command
{
	local host
	for host in "${hosts_with[@]}"; do
		attached=${mode_at[$host]}
		check "$1" "${@:2}" "$host"
	done
	attached=''
}
link_id() { ip -n "$base-$1" -6 addr show dev "$2" scope link | sed -n 's/.*inet6 fe80::\([0-9a-f:]*\).*/\1/p'; }
addresses() { ip -n "$base-$1" -6 addr show dev e0 "${@:2}"; }
knows() # knows ADDRESS HOST: the link-layer address of that neighbour, asked for by a ping that policy drops
{
	at "$2" ping -n -c 1 -W 0.1 "$1"
	has "$(ip -n "$base-$2" neigh show "$1" dev e0)" 'lladdr .* \(REACHABLE\|DELAY\|STALE\)'
}
is_known() { knows "10.1.0.1${1#h}" x && knows "fd00:1::1${1#h}" x; }
advertised() # an address of the advertised prefix, formed by the host itself, and the default route
{
	has "$(addresses "$1" scope global dynamic)" 'inet6 fd00:1::.*/64' && has "$(ip -n "$base-$1" -6 route show default)" 'via fe80::.* proto ra'
}
asked() { has "$(grep -c RTR-SOLICIT "$dir/dnsmasq")" '^[5-9]'; }
settled() { not has "$(addresses "$1" tentative -dadfailed)" inet6; }
duplicate() { has "$(addresses "$2" dadfailed)" "inet6 $1/64"; } # duplicate ADDRESS HOST
unique() { settled "$2" && has "$(addresses "$2" -tentative -dadfailed)" "inet6 $1/64"; }
joined() # joined HOST: the bridge has heard of both groups at the host's port
{
	local groups
	groups=$(bridge -n "$base-r" mdb show dev br0 | grep "port p${1#h} ")
	has "$groups" "grp 239.1.2.${1#h} " && has "$groups" "grp ff15::${1#h} "
}
join_groups() # stays in them
{
	start "groups-$1" "$1" python3 -c '
import socket, struct, sys, time
n, e0 = sys.argv[1], struct.pack("i", socket.if_nametoindex("e0"))
v4, v6 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
v4.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.1.2." + n) + bytes(4) + e0)
v6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, "ff15::" + n) + e0)
time.sleep(600)' "${1#h}"
}

serve()
{
	start dnsmasq r dnsmasq -k -C /dev/null --log-facility=- --port=0 --user=root --pid-file= "--dhcp-leasefile=$dir/leases" \
		--bind-interfaces --interface=br0 --enable-ra --dhcp-range=fd00:1::,ra-only
	soon says dnsmasq 'IPv6 router advertisement enabled'
}

check "each host's policy allows nothing" apply h1=tcx h2=clsact h3=native h4=generic <<<"rules: []"
serve || { echo "Bail out! dnsmasq does not start"; exit 1; }
# Up only now, so that duplicate address detection and solicitations go through the hooks.
for host in "${hosts_with[@]}" x; do ip -n "$base-$host" link set e0 up; done
each "an advertisement gives an address and the default route" soon advertised
check "each host asked for it" soon asked
ip -n "$base-x" addr add fd00:1::dd/64 dev e0
soon unique fd00:1::dd x
for host in "${hosts_with[@]}"; do ip -n "$base-$host" addr add "fd00:1::1${host#h}/64" dev e0; done
for host in "${hosts_with[@]}"; do
	attached=${mode_at[$host]}
	check "an address that nobody has is the host's" soon unique "fd00:1::1${host#h}" "$host"
done
attached=''
for host in "${hosts_with[@]}"; do ip -n "$base-$host" addr add fd00:1::dd/64 dev e0; done
for host in "${hosts_with[@]}"; do ip -n "$base-x" addr add "fd00:1::1${host#h}/64" dev e0; done
each "an address that another host has is found to be a duplicate" soon duplicate fd00:1::dd
for host in "${hosts_with[@]}"; do
	attached=${mode_at[$host]}
	check "the host defends its own" soon duplicate "fd00:1::1${host#h}" x
	ip -n "$base-x" addr del "fd00:1::1${host#h}/64" dev e0
	ip -n "$base-$host" addr del fd00:1::dd/64 dev e0
done
attached=''
each "ARP finds a neighbour" knows 10.1.0.15
each "neighbour discovery, too" knows fd00:1::dd
each "and a neighbour finds the host by both" is_known
for host in "${hosts_with[@]}"; do join_groups "$host"; done
if soon has "$(bridge -n "$base-r" mdb show dev br0 2>&1)" 'grp ' >/dev/null; then
	each "the switch hears which groups the host has joined" soon joined
else
	skip "this kernel's bridges do not listen to group membership"
fi
# But for the echo requests that asked for neighbours, those of the host and x's, nothing was dropped. (Generic XDP drops the
# stack's copies of what the host multicasts: see real_multicast.sh.)
pings_only()
{
	not grep dropped < <(counters "$1" | grep -v 'dropped default\|e0 xdp dropped ethertype') || return 1
	[ "$(counted "$1" dropped default)" -le 4 ] || { counters "$1"; return 1; }
	[ "${mode_at[$1]}" = generic ] || is "$(counted "$1" dropped ethertype)" 0
}
each "nothing but the echo requests was dropped" pings_only

# 10.9.0.1 and fd00:9::1 are x's; r sends there over the link that the packets came from, and says so by redirects.
ip -n "$base-x" addr add 10.9.0.1/32 dev lo
ip -n "$base-x" addr add fd00:9::1/128 dev lo
ip -n "$base-r" route add 10.9.0.0/24 via 10.1.0.15
ip -n "$base-r" -6 route add fd00:9::/64 via "fe80::$(link_id x e0)" dev br0
for host in "${hosts_with[@]}" x; do ip -n "$base-$host" route add default via 10.1.0.1; done
sysctls x ipv4/conf/all/accept_redirects=0 ipv4/conf/e0/accept_redirects=0 # it answers; the others are asked about
far_policy()
{
	cat <<-END
		zones: {far: [10.9.0.1, "fd00:9::1"]}
		services: {ping: [icmp/echo-request, icmpv6/echo-request]}
		rules: [{id: far, from: any, to: far, service: ping, action: allow}]
	END
}
reaches_far() # reaches_far HOST
{
	at "$1" ping -n -c 3 -i 0.2 -W 2 10.9.0.1 && at "$1" ping -n -c 3 -i 0.2 -W 2 fd00:9::1
}
goes_by_router() # the route of both is still the router's
{
	has "$(ip -n "$base-$1" route get 10.9.0.1)" 'via 10.1.0.1 ' && not has "$(ip -n "$base-$1" route get 10.9.0.1)" redirected &&
		has "$(ip -n "$base-$1" -6 route get fd00:9::1)" 'via fe80::'"$router_id"
}
is_redirected() { has "$(ip -n "$base-$1" route get 10.9.0.1)" redirected && not has "$(ip -n "$base-$1" -6 route get fd00:9::1)" "$router_id"; }
drops_redirects() { [ "$(counted "$1" dropped default)" -gt "${dropped_before[$1]}" ] || { counters "$1"; return 1; }; }
router_id=$(link_id r br0)
declare -A dropped_before=()
check "a policy that allows ping to a host behind the router" apply h1=tcx h2=clsact h3=native h4=generic < <(far_policy)
for host in "${hosts_with[@]}"; do dropped_before[$host]=$(counted "$host" dropped default); done
each "it answers" reaches_far
each "redirects change nothing" goes_by_router
each "for they are dropped" drops_redirects
down h1
reaches_far h1 >/dev/null
check "without zonewall they would be taken" soon is_redirected h1
echo "1..$count"
