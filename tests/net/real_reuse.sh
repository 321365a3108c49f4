#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# real_reuse.sh - one five-tuple again and again, 200 times a second, whichever side closes first.
#
#    a  e0 10.1.0.1, fd00:1::1 --- e0 10.1.0.2, fd00:1::2  b: exchange.py serve
#
# zonewall is on both; a may connect to b, not b to a. If b closes first, its TIME_WAIT takes a new SYN by itself; a must
# not have any, or the kernel would refuse the port for a second.
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "reuse-$$"
add_hosts a b
join a e0 b e0 1
sysctls a ipv4/tcp_max_tw_buckets=0
exchange=$(realpath "${BASH_SOURCE%/*}/exchange.py")
conversations=100

policy() # policy ACTION
{
	cat <<-END
		zones: {a: [10.1.0.1, "fd00:1::1"], b: [10.1.0.2, "fd00:1::2"]}
		rules: [{id: reused-$attached, from: a, to: b, service: tcp/7000, action: $1}]
	END
}
again() { is "$(at a python3 "$exchange" again "$1" 7000 "$2" "${3:-$conversations}")" "${3:-$conversations}"; }
syns() # one SYN with that five-tuple, which is not answered
{
	at a python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", 33333))
s.settimeout(0.2)
try:
    s.connect((sys.argv[1], 7000))
except TimeoutError:
    sys.exit(0)
sys.exit(1)' "$1"
}

start server b python3 "$exchange" serve 7000
soon says server ready || { echo "Bail out! the server does not start"; exit 1; }
for attached in tcx native; do
	check "the policy is applied" apply a b < <(policy allow)
	for address in 10.1.0.2 fd00:1::2; do
		for who in client server both; do
			check "$address: $conversations conversations with one five-tuple, $who first to close" again "$address" "$who"
		done
	done
	check "no packet is dropped" drops_nothing a b
	for host in a b; do
		check "each was a new flow on $host, decided by policy" is "$(new_flows $host "reused-$attached")" $((conversations * 6))
	done
	check "the policy that denies them is applied" apply a b < <(policy drop)
	for address in 10.1.0.2 fd00:1::2; do
		check "$address: no further one is answered" syns "$address"
	done
	check "its SYN is dropped by the rule, not by what was remembered" is "$(counted a dropped rule)" 2
	check "and nothing else is" is "$(counted a dropped)$(counted b dropped)" 20
	down a b
done
echo "1..$count"
