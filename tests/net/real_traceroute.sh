#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# real_traceroute.sh - traceroute by UDP, ICMP and TCP, both ways, through routers that are firewalls themselves.
#
#    a e1 --- w1 r1 e2 --- w2 r2 e3 --- w3 b        each with zonewall and the same policy
#      10.1.0.1 .2   10.2.0.1 .2   10.3.0.1 .2      fd00:1::1, ::2 and so on
#
# A router's "time exceeded" needs no rule: it is related to what the policy let out, and to nothing else.
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "traceroute-$$"
chained_hosts

policy() # policy SERVICES: both ways between a and b
{
	cat <<-END
		zones: {ends: [10.1.0.1, 10.3.0.2, "fd00:1::1", "fd00:3::2"]}
		services: {ping: [icmp/echo-request, icmpv6/echo-request], probes: udp/33434-33534, web: tcp/80}
		rules: [{id: traces, from: ends, to: ends, service: $1, action: allow}]
	END
}
declare -A hops=(
	[a4]="10.1.0.2 10.2.0.2 10.3.0.2" [a6]="fd00:1::2 fd00:2::2 fd00:3::2"
	[b4]="10.3.0.1 10.2.0.1 10.1.0.1" [b6]="fd00:3::1 fd00:2::1 fd00:1::1"
)
# traces HOST 4|6 OPTION...: prints the address of each hop that answered, or *
traces()
{
	at "$1" traceroute -n "-$2" -q 1 -m 3 -w "${patience:-3}" "${@:3}" "${hops[$1$2]##* }" 2>&1 | awk '$1 ~ /^[123]$/ { printf "%s ", $2 }'
}
sees_all() { is "$(traces "$@")" "${hops[$1$2]} "; }
sees_none() { is "$(patience=0.3 traces "$@")" "* * * "; }
related() { local host; for host in a r1 r2 b; do counts $host allowed related || return 1; done; }
dropped() # dropped HOST...: by default only, and something
{
	local host
	for host; do
		counts "$host" dropped default || return 1
		is "$(counted "$host" dropped)" "$(counted "$host" dropped default)" || return 1
	done
}

for attached in "${rounds[@]}"; do
	# shellcheck disable=SC2086 # a list
	check "the policy is applied" apply $attached < <(policy "[ping, probes, web]")
	for host in a b; do
		for family in 4 6; do
			check "$host sees all hops by UDP, IPv$family" sees_all $host $family -U -p 33500
			check "by ICMP" sees_all $host $family -I
			check "by TCP" sees_all $host $family -T -p 80
		done
	done
	check "on each host errors were related" related
	check "no packet is dropped" drops_nothing a r1 r2 b
	down a r1 r2 b
done

for attached in tcx native; do
	check "a policy that allows ping alone is applied on r1" apply r1 < <(policy ping)
	for family in 4 6; do
		check "a sees all hops by ICMP, IPv$family" sees_all a $family -I
		check "none by UDP" sees_none a $family -U -p 33500
		check "none by TCP" sees_none a $family -T -p 80
	done
	check "r1 drops by default" dropped r1
	down r1
	check "on b" apply b < <(policy ping)
	check "the routers are seen, b is not" is "$(patience=0.3 traces a 4 -U -p 33500)" "10.1.0.2 10.2.0.2 * "
	check "and drops the probe by default" dropped b
	down b
	check "on a" apply a < <(policy ping)
	check "no probe leaves" is "$(traces a 4 -U -p 33500)" ""
	check "and is dropped by default" dropped a
	down a
done
echo "1..$count"
