#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# until.sh - a rule ends at its instant, and its connections with it, with nobody there but the kernel; what the rules behind
# it allow goes on. A clock that is set is vm/until.sh's matter.
#
#    a  e0 10.1.0.1, fd00:1::1 --- e0 10.1.0.2, fd00:1::2  b, zonewall: stay.py serve
#
# The rule `guest` lets in TCP, UDP and ping of both families; behind it `names` lets in UDP and ping of IPv6.
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "until-$$"
# shellcheck source=tests/net/stay.bash
. "${BASH_SOURCE%/*}/stay.bash"
add_hosts a b
join a e0 b e0 1
ends=(tcp4 udp4 tcp6) goes_on=(udp6)

policy() # policy INSTANT (Unix seconds)
{
	cat <<-END
		zones: {a: [10.1.0.1, "fd00:1::1"], b: [10.1.0.2, "fd00:1::2"]}
		services: {all: [tcp/7000, udp/7000, icmp/echo-request, icmpv6/echo-request]}
		rules:
		  - {id: guest-$attached, from: a, to: b, service: all, action: allow, until: $(date -u -d "@$1" +%FT%TZ)}
		  - {id: names-$attached, from: "fd00:1::1", to: b, service: [udp/7000, icmpv6/echo-request], action: allow}
	END
}
sleep_until() { sleep "$(awk -v at="$1" -v now="$(date +%s.%N)" 'BEGIN { print (at > now ? at - now : 0) }')"; }
speak() # speak LINE NAME...: and who hears it
{
	line=$1
	say "${@:2}"
}
# The last answer of a ping that writes down when each came, in milliseconds after the instant.
last_answer() { sed -n 's/^\[\([0-9.]*\)\].*bytes from.*/\1/p' "$dir/$1" | tail -n 1 | awk -v at="$until" '{ printf "%.0f", ($1 - at) * 1000 }'; }
ends_in_time() # ends_in_time PING: within a second of the instant, and no sooner
{
	local ms
	ms=$(last_answer "$1")
	echo "# ${attached:+$attached: }$1: the last answer $ms ms after the instant" >&3
	[ "$ms" -gt -500 ] && [ "$ms" -lt 1000 ] || { echo "$ms ms"; return 1; }
}
still_answered() { [ "$(last_answer ping6)" -gt 1500 ]; }
hear_nothing() # hear_nothing NAME...: of what is said now
{
	sleep 0.5
	none_hears "$@"
}
revoked() { [ "$(counted b dropped revoked)" -ge 4 ] || { counters b; return 1; }; }
connects() { at a timeout 1 bash -c 'exec 3<>/dev/tcp/10.1.0.2/7000'; }

exec 3>&1
for attached in tcx native; do
	speaker server b serve 7000
	soon says server ready || { echo "Bail out! the server does not start"; exit 1; }
	until=$(($(date +%s) + 10))
	check "the policy is applied" apply b < <(policy $until)
	run b
	ok $? "the loader runs"
	stop run-b KILL
	for family in 4 6; do
		address=10.1.0.2
		[ $family = 4 ] || address=fd00:1::2
		speaker tcp$family a tcp $address 7000
		speaker udp$family a udp $address 7000
		start ping$family a ping -D -n -i 0.02 $address
	done
	speak "before" "${ends[@]}" "${goes_on[@]}"
	check "everybody is answered before" soon all_hear "${ends[@]}" "${goes_on[@]}"
	check "before the instant, that is" test "$(date +%s)" -lt $until
	sleep_until $((until + 1))
	speak "after" "${ends[@]}" "${goes_on[@]}"
	check "a second after it, the loader killed, no connection of the rule goes on" hear_nothing "${ends[@]}"
	check "their packets are revoked" revoked
	check "ping ended in time" ends_in_time ping4
	check "what the next rule allows goes on" soon all_hear "${goes_on[@]}"
	sleep_until $((until + 2))
	check "so does its ping" still_answered
	check "as the flows that they were" is "$(new_flows b "names-$attached")" 0
	check "nobody new is let in" not connects
	hush "${ends[@]}" "${goes_on[@]}" server
	stop ping4
	stop ping6
	down b
done
echo "1..$count"
