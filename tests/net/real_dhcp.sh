#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# real_dhcp.sh - a lease, its renewal and its rebinding, DHCPv4 and DHCPv6, for hosts whose policy allows nothing at all.
#
#    s, zonewall, dnsmasq   p1 10.1.0.1 fd00:1::1 --- e0  c1, dhclient -4 and -6   TCX
#                           p2 10.2.0.1 fd00:2::1 --- e0  c2, the same             clsact
#                           p3 10.3.0.1 fd00:3::1 --- e0  c3                       XDP native
#                           p4 10.4.0.1 fd00:4::1 --- e0  c4                       XDP generic
#
# A client needs no rule (`essential`); a server does: requests come from 0.0.0.0 or a link-local address to a broadcast or
# multicast one, so that its answers are no replies to them.
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "dhcp-$$"
clients=(c1 c2 c3 c4)
declare -A mode_at=([c1]=tcx [c2]=clsact [c3]=native [c4]=generic)
add_hosts s "${clients[@]}"
for client in "${clients[@]}"; do
	n=${client#c}
	ip link add "p$n" netns "$base-s" type veth peer name e0 netns "$base-$client"
	address s "p$n" "$n" 1
	ip -n "$base-$client" link set e0 up
done

server_policy()
{
	cat <<-END
		zones:
		  server: [10.1.0.1, 10.2.0.1, 10.3.0.1, 10.4.0.1]
		  lan: [10.1.0.0/16, 10.2.0.0/16, 10.3.0.0/16, 10.4.0.0/16]
		  neighbours: ["fe80::/10"]
		rules:
		  - {id: requests, from: [0.0.0.0/32, lan], to: [255.255.255.255/32, server], service: udp/67, action: allow}
		  - {id: answers, from: server, to: [lan, 255.255.255.255/32], service: udp/68, action: allow}
		  - {id: requests-6, from: neighbours, to: "ff02::1:2", service: udp/547, action: allow}
		  - {id: answers-6, from: neighbours, to: neighbours, service: udp/546, action: allow}
		  - {id: router, from: neighbours, to: ["ff02::1", neighbours], service: icmpv6/router-advertisement, action: allow}
	END
}
serve() # options 58 and 59 are the times of renewal and rebinding, in seconds
{
	local n options=()
	for n in 1 2 3 4; do
		options+=("--interface=p$n" "--dhcp-range=10.$n.0.100,10.$n.0.200,120" "--dhcp-range=fd00:$n::100,fd00:$n::200,64,120")
	done
	start dnsmasq s dnsmasq -k -C /dev/null --log-facility=- --port=0 --user=root --pid-file= "--dhcp-leasefile=$dir/leases" --no-ping \
		--bind-interfaces --dhcp-authoritative --enable-ra --dhcp-option-force=58,4 --dhcp-option-force=59,7 "${options[@]}"
	soon says dnsmasq 'IPv6 router advertisement enabled'
}
# What dhclient runs instead of its own script: the address and a line in events, nothing of the machine's own. A copy of
# dhclient itself, since a profile of the machine may let the installed one run its own script only.
make_client()
{
	cp "$(PATH=$PATH:/sbin:/usr/sbin command -v dhclient)" "$dir/dhclient"
	echo "timeout 60; retry 1; initial-interval 1; backoff-cutoff 2;" >"$dir/conf"
	cat >"$dir/script" <<-END
		#!/bin/sh
		case \$reason in
		BOUND) ip addr add "\$new_ip_address/24" dev "\$interface" ;;
		BOUND6) ip addr add "\$new_ip6_address/128" dev "\$interface" ;;
		esac
		echo "\$reason" >>"$dir/events-\$host"
	END
	chmod +x "$dir/script"
}
client() # client HOST 4|6
{
	start "dhclient-$2-$1" "$1" "$dir/dhclient" "-$2" -d -v -cf "$dir/conf" -lf "$dir/lease-$2-$1" -pf "$dir/pid-$2-$1" \
		-sf "$dir/script" -e "host=$1" e0
}
happened() # happened REASON HOST: dhclient called its script so
{
	has "$(cat "$dir/events-$2" 2>/dev/null)" "^$1\$" || { tail -n 5 "$dir/dhclient-"*"-$2"; return 1; }
}
# A DHCPv4 request by broadcast that was answered, after the lease was had: dhclient calls that a renewal, too.
rebound()
{
	awk '/^bound to/ { had = 1 } /^DHCPREQUEST/ { broadcast = /to 255.255.255.255/ } /^DHCPACK/ && had && broadcast { found = 1 }
		END { exit !found }' "$dir/dhclient-4-$1" || { tail "$dir/dhclient-4-$1"; return 1; }
}
check_all() # check_all WHAT COMMAND...: at each client, whose name comes after the command
{
	for client in "${clients[@]}"; do
		attached=${mode_at[$client]}
		patience=25 check "$1" soon "${@:2}" "$client"
	done
	attached=''
}
# What a DHCPv6 client remembers says when it renews: let that be at once. With another server's identifier in it, nobody
# answers the renewal, and it rebinds.
start_again() # start_again HOST [other]
{
	local lease=$dir/lease-6-$1
	stop "dhclient-6-$1"
	sed -i 's/^\( *\)renew .*/\1renew 1;/; s/^\( *\)rebind .*/\1rebind 3;/' "$lease"
	[ "${2:-}" != other ] || sed -i 's/\(option dhcp6.server-id .*\):[0-9a-f]*;/\1:0;/' "$lease"
	client "$1" 6
}

make_client
check "each client's policy allows nothing" apply c1=tcx c2=clsact c3=native c4=generic <<<"rules: []"
check "the server's allows DHCP" apply s=tcx < <(server_policy)
for client in "${clients[@]}"; do run "$client" || echo "Bail out! no run"; done
serve || { echo "Bail out! dnsmasq does not start"; exit 1; }
for client in "${clients[@]}"; do
	client "$client" 4
	client "$client" 6
done
check_all "DHCPv4: a lease" happened BOUND
check_all "DHCPv6: a lease" happened BOUND6
for client in "${clients[@]}"; do start_again "$client"; done
check_all "DHCPv6: renewed" happened RENEW6
for client in "${clients[@]}"; do start_again "$client" other; done
check_all "DHCPv4: renewed, by unicast" happened RENEW
# Without a way to the server's address the renewals fail, and rebinding is by broadcast.
for client in "${clients[@]}"; do ip -n "$base-$client" route add unreachable "10.${client#c}.0.1/32"; done
check_all "DHCPv6: rebound" happened REBIND6
check_all "DHCPv4: rebound, by broadcast" rebound
for client in "${clients[@]}"; do
	attached=${mode_at[$client]}
	check "all that went in and out was essential, and nothing was dropped" drops_nothing "$client"
	check "all of IP" not grep -v 'essential\|non-ip' < <(counters "$client")
done
attached=''
check "nor on the server" drops_nothing s

check "a policy without rules on the server" apply s=tcx <<<"rules: []"
rm -f "$dir"/lease-*-c3 "$dir/events-c3"
stop dhclient-4-c3
stop dhclient-6-c3
client c3 4
client c3 6
sleep 2
check "answers nobody" not grep BOUND "$dir/events-c3"
# What it asks belongs to its last flow, if that still lives.
drops_it() { counts s dropped default || counts s dropped revoked; }
check "and is why" drops_it
echo "1..$count"
