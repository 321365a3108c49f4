#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# limits.sh - limits of rules, and bans, on the wire and by the kernel's clock.
#
#    a  e0 10.1.0.1, fd00:1::1 --- w0 10.1.0.2  r, zonewall  e0 10.2.0.1 --- w0 10.2.0.2, fd00:2::2  b, zonewall
#       more addresses: 10.1.0.11 to 10.1.0.13, fd00:5::1 (of another /64)
#
# A rate is what arrives, however zonewall is attached; one source that floods takes nothing from the others; what is used up
# stays used up across apply, rollback and a loader that is killed; a forwarded packet takes one token, though two hooks see it; who
# overruns is banned at once, and for as long as the rule says, with no `zonewall run`; never failsafe's sources, never this host.
# SECONDS_A_RATE=60 measures a minute (5).
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "limits-$$"
add_hosts a r b
join a e0 r w0 1
join r e0 b w0 2
route a 1 2
route b 2 1
route_between r
for more in 10.1.0.11/24 10.1.0.12/24 10.1.0.13/24; do ip -n "$base-a" addr add "$more" dev e0; done
ip -n "$base-a" addr add fd00:5::1/64 dev e0 nodad
ip -n "$base-r" -6 route add fd00:5::/64 via fd00:1::1
clock=$(realpath "${BASH_SOURCE%/*}/limit_clock.py")
seconds=${SECONDS_A_RATE:-5}
to4=10.2.0.2 to6=fd00:2::2

limited() { echo "rules: [{id: udp, from: any, to: any, service: udp/7000, action: allow, limit: {$1}}, {id: rest, from: any, to: any, service: any, action: allow}]"; }
arrive() { at b python3 "$clock" rate "$base-a" "$@" >"$dir/arrived"; } # arrive ADDRESS SECONDS SOURCE PACE...
within() # within SOURCE RATE PERCENT
{
	awk -v source="$1" -v want="$2" -v percent="$3" '$1 == source { seen = 1; if ($2 < want * (1 - percent / 100) || $2 > want * (1 + percent / 100)) exit 1 } END { exit !seen }' \
		"$dir/arrived" || { cat "$dir/arrived"; return 1; }
}
# What of so many first packets to b arrives: it answers with an error, there being no socket, which stays with it.
try() # try COUNT [SOURCE [ADDRESS]]: how many pass at the host whose rule is looked at
{
	local i source=${2:-10.1.0.1} address=${3:-$to4}
	at a python3 -c '
import socket, sys
for i in range(int(sys.argv[1])):
    with socket.socket(socket.AF_INET6 if ":" in sys.argv[3] else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((sys.argv[2], 0))
        s.sendto(b"x", (sys.argv[3], 7000))' "$1" "$source" "$address"
}
of_rule() # of_rule HOST RULE FIELD
{
	zw "$1" rules -o json | perl -MJSON::PP -e '
		my ($id, $field) = @ARGV; @ARGV = ();
		print $_->{$field} for grep { $_->{id} eq $id } @{ decode_json(join "", <STDIN>)->{rules} }' "$2" "$3"
}
# takes COUNT HOST FLOWS LIMITED [SOURCE [ADDRESS]]: of so many, so many pass the limit, and so many do not; the last may be
# looked at only after the sender has ended, where the machine is busy
takes()
{
	local flows limited
	flows=$(of_rule "$2" udp flows) limited=$(of_rule "$2" udp limited)
	try "$1" "${@:5}"
	soon taken "$2" "$flows" "$limited" "$3 $4"
}
taken() { is "$(($(of_rule "$1" udp flows) - $2)) $(($(of_rule "$1" udp limited) - $3))" "$4"; } # taken HOST FLOWS LIMITED WANTED

for attached in "${modes[@]}"; do
	check "a limit of 300 a second" apply b < <(limited "rate: 300/s")
	arrive $to4 "$seconds" 10.1.0.1 600
	check "of 600 a second 300 arrive" within 10.1.0.1 300 1
	down b
done

attached=tcx
check "a limit of 50 a second for each source" apply b < <(limited "rate: 50/s, per: source")
arrive $to4 "$seconds" 10.1.0.1 3000 10.1.0.11 49 10.1.0.12 49 10.1.0.13 100
check "one source floods: it has its 50 a second" within 10.1.0.1 50 2
check "another has the 49 that it wants" within 10.1.0.11 49 2
check "and another" within 10.1.0.12 49 2
check "one that wants 100 has 50" within 10.1.0.13 50 2
check "status tells of their buckets" has "$(zw b status)" "limits: buckets of [1-9]"
down b

check "3 an hour for each source" apply b < <(limited "rate: 3/h, burst: 3, per: source")
check "3 of 5 pass" takes 5 b 3 2
check "none of another 2" takes 2 b 0 2
check "applied again: none" eval 'apply b < <(limited "rate: 3/h, burst: 3, per: source") && takes 2 b 0 2'
run b
stop run-b KILL
check "a loader came, and was killed: none" takes 2 b 0 2
check "another limit: its own" eval 'apply b < <(limited "rate: 3/h, burst: 2, per: source") && takes 5 b 2 3'
check "rolled back: what was left, nothing" eval 'zw b rollback && takes 2 b 0 2'
check "another source has its 3" takes 5 b 3 2 10.1.0.11
check "an IPv6 source, too" takes 5 b 3 2 fd00:1::1 $to6
check "and one of another /64" takes 5 b 3 2 fd00:5::1 $to6
down b

for attached in "r=tcx" "r=native" "r=generic" "r=clsact"; do
	check "4 an hour, where packets are forwarded" apply "$attached" < <(limited "rate: 4/h, burst: 4")
	check "4 of 6 pass, each by two hooks" takes 6 r 4 2
	down r
done

banning() { limited "rate: 1/s, burst: 2, per: source, ban: 3s"; }
for attached in "${modes[@]}"; do
	check "a limit that bans for 3 s" apply b < <(banning)
	for source in 10.1.0.1 fd00:1::1; do
		address=$to4
		[ $source = 10.1.0.1 ] || address=$to6
		at b python3 "$clock" ban "$base-a" $address $source >"$dir/ban"
		sed "s/^/# $source: banned, and let in again, after ms: /" "$dir/ban"
		check "$source overruns, and is shut out within 10 ms, open flows and all" awk '$1 > 10 { exit 1 }' "$dir/ban"
		check "for 3 s, and for no more than another one" awk '$2 < 2990 || $2 > 4000 { exit 1 }' "$dir/ban"
	done
	check "that was said" counts b dropped blocked
	down b
done

attached=tcx
cat >"$dir/spared.yaml" <<-END
	version: 1
	defaults: {action: drop, flows: 4096}
	interfaces: [{match: [w0], xdp: off}]
	failsafe: [{id: ops, from: [10.1.0.12, "fd00:1::77"], to: any, service: tcp/22}]
	$(limited "rate: 1/h, burst: 1, per: source, ban: 1h")
END
check "failsafe names two sources" zw b apply "$dir/spared.yaml"
check "one of them overruns" takes 3 b 1 2 10.1.0.12
check "so does who shares a /64 with the other one" takes 3 b 1 2 fd00:1::1 $to6
check "and this host itself" eval 'at b python3 -c "
import socket
for i in range(5):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b\"x\", (\"10.1.0.1\", 7000))"; [ "$(of_rule b udp limited)" -gt 4 ]'
check "nobody is on the block list" is "$(zw b block --list -o json | perl -MJSON::PP -e 'print scalar @{ decode_json(join "", <>)->{entries} }')" 0
check "another one overruns" takes 2 b 1 1 10.1.0.11
check "it is on the block list" has "$(zw b block --list)" 10.1.0.11
check "and nothing else of it passes" not at a ping -n -c 1 -W 0.3 -I 10.1.0.11 $to4
run b
check "the loader, which was not there, tells of it" soon has "$(zw b drops -o json --since 1h)" '"reason":"limit".*"banned":true'
stop run-b
down b
echo "1..$count"
