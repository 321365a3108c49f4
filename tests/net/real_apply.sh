#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# real_apply.sh - a transfer of 30 seconds both ways, over 100 applies of two policies that allow it by different rules.
#
#    a  XDP native  e0 10.1.0.1, fd00:1::1 --- e0 10.1.0.2, fd00:1::2  TCX  b: iperf3
#
# Both run zonewall and apply again and again; a connects to b, not b to a. No packet is dropped on any hook, no event
# tells of one, and the flows are those that they were: no apply makes a new one. APPLIES=N, SECONDS_OF=N to change it.
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "apply-$$"
applies=${APPLIES:-100} seconds=${SECONDS_OF:-30}
add_hosts a b
join a e0 b e0 1

policy() # policy RULE PORTS
{
	cat <<-END
		zones: {a: [10.1.0.1, "fd00:1::1"], b: [10.1.0.2, "fd00:1::2"]}
		rules: [{id: $1, from: a, to: b, service: $2, action: allow}]
	END
}
# both_apply: the two hosts in turn, each the policy that it has not; until it was often and long enough
both_apply()
{
	local host=b begin=$SECONDS
	made=0
	while [ $made -lt "$applies" ] || [ $((SECONDS - begin)) -lt "$seconds" ]; do
		if [ $host = a ]; then host=b; else host=a; fi
		zw $host apply "$dir/${next[$host]}-$host.yaml" >"$dir/apply" 2>&1 || { sed 's/^/# /' "$dir/apply"; return 1; }
		case ${next[$host]} in one) next[$host]=two ;; two) next[$host]=one ;; esac
		made=$((made + 1))
	done
}
carried() # carried CLIENT: MB there and back, and retransmissions, by the client's sums: the server does not tell it any more
{
	perl -MJSON::PP -e '
		my $end = decode_json(join "", <>)->{end};
		printf "%d %d %d\n", $end->{sum_sent}{bytes} >> 20, $end->{sum_received_bidir_reverse}{bytes} >> 20,
			$end->{sum_sent}{retransmits} + ($end->{sum_sent_bidir_reverse}{retransmits} // 0)' "$dir/$1"
}
flowed() { local there back; read -r there back _ < <(carried "$1") && [ "$there" -gt 50 ] && [ "$back" -gt 50 ]; }
flows() { echo $(($(new_flows "$1" one) + $(new_flows "$1" two))); }

for rule in "one tcp/5201-5202" "two [tcp/5202,tcp/5201]"; do
	for host in a=native b=tcx; do
		apply "$host" < <(policy "${rule%% *}" "${rule#* }") || { echo "Bail out! a policy is not applied"; exit 1; }
		cp "$dir/${host%=*}.yaml" "$dir/${rule%% *}-${host%=*}.yaml"
	done
done
declare -A next=([a]=one [b]=one)
run a && run b || { echo "Bail out! run does not start"; exit 1; }
start server4 b iperf3 -s -p 5201
start server6 b iperf3 -s -p 5202
soon listens b 5201 && soon listens b 5202 || { echo "Bail out! iperf3 does not start"; exit 1; }
start client4 a iperf3 -J --bidir -c 10.1.0.2 -p 5201 -t 600 -b 100M
start client6 a iperf3 -J --bidir -c fd00:1::2 -p 5202 -t 600 -b 100M
soon has "$(at a ss -Htn state established dport = :5201)" . # three connections each: control, there, back
sleep 2
before_a=$(flows a) before_b=$(flows b)
both_apply
ok $? "each apply succeeds"
check "there were $applies" test "$made" -ge "$applies"
check "no connection became a new flow" is "$(flows a) $(flows b)" "$before_a $before_b"
check "there were six" is "$before_a $before_b" "6 6"
stop client4 INT
stop client6 INT
echo "# $made applies; MB there, back, retransmissions: IPv4 $(carried client4), IPv6 $(carried client6)"
check "the IPv4 transfer went on, both ways" flowed client4
check "the IPv6 transfer, too" flowed client6
check "no packet is dropped on any hook" drops_nothing a b
check "no event tells of one" is "$(zw a drops -o json; zw b drops -o json)" ""
echo "1..$count"
