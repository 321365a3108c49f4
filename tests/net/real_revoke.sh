#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# real_revoke.sh - a policy that denies flows which are under way, and one that allows them again.
#
#    a  e0 10.1.0.1, fd00:1::1 --- e0 10.1.0.2, fd00:1::2  b, zonewall: stay.py serve
#
# TCP, UDP and ping, both families at once: the next packet is dropped as `revoked`, whoever sends it; allowed again, the
# flows go on where they were, without a new one.
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "revoke-$$"
add_hosts a b
join a e0 b e0 1
# shellcheck source=tests/net/stay.bash
. "${BASH_SOURCE%/*}/stay.bash"

policy() # policy ACTION: the answers need none
{
	cat <<-END
		zones: {a: [10.1.0.1, "fd00:1::1"], b: [10.1.0.2, "fd00:1::2"]}
		services: {all: [tcp/7000, udp/7000, icmp/echo-request, icmpv6/echo-request]}
		rules: [{id: $1-$attached, from: a, to: b, service: all, action: $1}]
	END
}
talks=(tcp4 udp4 tcp6 udp6)
ask() # ask LINE: everybody is answered
{
	line=$1
	say "${talks[@]}"
	soon all_hear "${talks[@]}" && soon more_answers "$(answers ping4)" "$(answers ping6)"
}
ask_in_vain() # ask_in_vain LINE: nobody is, and each flow's packet is dropped as revoked
{
	local ping4 ping6
	sleep 0.1 # answers that were on their way
	ping4=$(answers ping4) ping6=$(answers ping6) line=$1
	say "${talks[@]}"
	sleep 0.5
	none_hears "${talks[@]}" || return 1
	is "$(answers ping4) $(answers ping6)" "$ping4 $ping6" || return 1
	[ "$(counted b dropped revoked)" -ge 6 ] || { counters b; return 1; }
}
# The server speaks first, on the revoked TCP connections: only egress can drop that.
speak_in_vain()
{
	line=$1
	say server
	sleep 0.3
	none_hears tcp4 tcp6 && [ "$(counted b dropped revoked egress)" -ge 2 ]
}
only_revoked() { not grep 'dropped' < <(counters b | grep -v 'dropped revoked'); }
again() # again LINE...: what was said in vain over TCP arrives after all
{
	for line; do patience=20 soon all_hear tcp4 tcp6 || return 1; done
}

speaker server b serve 7000
soon says server ready || { echo "Bail out! the server does not start"; exit 1; }
for attached in tcx native; do
	check "the policy is applied" apply b < <(policy allow)
	for family in 4 6; do
		address=10.1.0.2
		[ $family = 4 ] || address=fd00:1::2
		speaker tcp$family a tcp $address 7000
		speaker udp$family a udp $address 7000
		start ping$family a ping -n -i 0.2 $address
	done
	check "TCP, UDP and ping are answered" ask "first words"
	sleep 0.3 # and each answer is acknowledged
	check "a policy that denies them is applied" apply b < <(policy drop)
	check "no packet of theirs passes, and it is dropped as revoked" ask_in_vain "in vain"
	check "not in the other direction either" speak_in_vain "to nobody"
	check "for no other reason is any dropped" only_revoked
	check "allowed again" apply b < <(policy allow)
	check "the connections go on, and what was said meanwhile arrives" again "in vain" "to nobody"
	check "so do datagrams and ping" ask "last words"
	check "each is the flow it was" is "$(new_flows b "allow-$attached")" 6
	hush "${talks[@]}"
	stop ping4
	stop ping6
	down b
done
hush server
echo "1..$count"
