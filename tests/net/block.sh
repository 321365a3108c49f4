#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# block.sh - the temporary block list.
#
#    a  e0 10.1.0.1, fd00:1::1 --- e0 10.1.0.2, fd00:1::2  b, zonewall
#
# What is on it is dropped as a source and as a destination, both families, however zonewall is attached, also of
# connections that are open; failsafe goes over it. It takes effect at once and ends by itself, with no `zonewall run`;
# apply, rollback, a loader that is killed and a boot keep it, `down` forgets it. 65,536 prefixes find room.
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "block-$$"
add_hosts a b
join a e0 b e0 1
clock=$(realpath "${BASH_SOURCE%/*}/block_clock.py")
# shellcheck disable=SC2034 # what check evaluates uses it
book=/var/lib/zonewall/$base-b/blocked

policy() { echo "rules: [{id: all, from: any, to: any, service: any, action: allow}]"; }
# Of connections that went both ways before: the flow is there.
pings() { at "$1" ping -n -c 1 -W 0.3 "$2" >/dev/null; } # pings HOST ADDRESS
pings_in_vain() { not pings "$@" && counts b dropped blocked; }
list() { zw b block --list -o json; }
listed() # listed PERL: an expression about the entries @e
{
	list | perl -MJSON::PP -e 'my @e = @{ decode_json(join "", <STDIN>)->{entries} }; exit(!eval shift)' "$1" || { list | head -c 2000; return 1; }
}

for attached in "${modes[@]}"; do
	check "a policy that allows everything" apply b < <(policy)
	for address in 10.1.0.1 fd00:1::1; do
		other=10.1.0.2
		[ $address = 10.1.0.1 ] || other=fd00:1::2
		check "$address is answered" soon pings a $other
		check "it is blocked" zw b block $address --reason "row $attached"
		check "then it is not answered" pings_in_vain a $other
		check "nor can it be reached" not pings b $address
		check "the egress hook drops, too" counts b dropped blocked egress
		check "not blocked any more" zw b unblock $address
		check "it is answered, as before" soon pings a $other
	done
	check "a CIDR around both of its sides' neighbours, but not them" zw b block 10.1.0.4/30 fd00:1::100/120
	check "blocks nobody else" pings a 10.1.0.2
	check "not in IPv6 either" pings a fd00:1::2
	check "the list is emptied" zw b unblock --all
	down b
done

attached=tcx
cat >"$dir/failsafe.yaml" <<-END
	version: 1
	defaults: {action: allow, flows: 4096}
	interfaces: [{match: [e0], xdp: off}]
	zones: {ops: [10.1.0.9, "fd00:9::/64"]}
	failsafe:
	  - {id: rescue, from: any, to: any, service: [icmp/echo-request, icmp/echo-reply]}
	  - {id: ops-in, from: ops, to: host, service: tcp/22}
	rules: []
END
check "a policy with failsafe entries" zw b apply "$dir/failsafe.yaml"
check "a blocked address is let in by failsafe" eval 'zw b block 10.1.0.1 && pings a 10.1.0.2 && counts b allowed failsafe'
check "what a failsafe entry names is refused" has "$(zw b block 10.1.0.9 2>&1)" "failsafe entry lets people in"
check "so is a CIDR around it" not zw b block fd00:9::/32
check "an address of this host is refused" has "$(zw b block 10.1.0.2 2>&1)" "address of this host"
check "but with --force" zw b block 10.1.0.2 --force
check "everything is refused" not zw b block ::/0
check "so is a range that is no CIDR" not zw b block 10.5.0.1-10.5.0.9
down b

check "it begins anew" apply b < <(policy)
check "down has forgotten the list" listed '@e == 0'
run b
check "blocked for an hour, and for ever" eval 'zw b block 10.1.0.1 --for 1h --reason "a scan" && zw b block 2001:db8::/33'
check "the loader tells of it" listed '@e == 2 && $e[0]{address} eq "10.1.0.1" && $e[0]{reason} eq "a scan" && $e[0]{left_s} > 3590 && !defined $e[1]{left_s}'
pings a 10.1.0.2
check "a drop is told with its reason" soon eval 'has "$(zw b drops -o json 2>&1)" "\"reason\":\"blocked\".*\"block_reason\":\"a scan\""'
stop run-b KILL
check "the loader is killed: it is blocked" pings_in_vain a 10.1.0.2
check "another policy is applied: it is blocked" eval 'apply b < <(policy) && pings_in_vain a 10.1.0.2'
check "explain tells it" has "$(zw b explain --running --from 10.1.0.1 --to 10.1.0.2 --service tcp/80 2>&1)" "10.1.0.1 is on the block list"
check "rolled back: it is blocked" eval 'zw b rollback && pings_in_vain a 10.1.0.2'
run b
check "the loader is back: it is blocked" pings_in_vain a 10.1.0.2
stop run-b
# What a boot leaves: the files, and nothing in the kernel.
check "after a boot" eval 'cp "$book" "$dir/book" && zw b down && cp "$dir/book" "$book" && zw b restore'
check "it is blocked, still with its end and its reason" listed '@e == 2 && $e[0]{reason} eq "a scan" && $e[0]{left_s} > 3500 && !defined $e[1]{left_s}'
check "and not answered" pings_in_vain a 10.1.0.2
check "unblocked" zw b unblock 10.1.0.1 2001:db8::/33
check "answered" pings a 10.1.0.2
check "what is not there cannot be unblocked" has "$(zw b unblock 10.1.0.1 2>&1)" "not on the block list"

# One list of 65,536, of which a half is IPv6, and 20 of other lengths.
perl -e 'for my $i (0 .. 32767) { printf "10.%d.%d.%d\n2001:db8:%x::%x\n", 64 + $i / 8192, $i / 32 % 256, $i % 32 * 7, $i, $i }' >"$dir/many"
check "65,536 addresses are blocked" eval 'zw b block - --for 1h <"$dir/many"'
check "and some CIDRs" zw b block 172.16.0.0/12 2001:db9::/32
check "all are listed" listed '@e == 65538'
check "who is not among them is answered" eval 'pings a 10.1.0.2 && pings a fd00:1::2'
check "one more is blocked, and so dropped" eval 'zw b block 10.1.0.1 && pings_in_vain a 10.1.0.2 && zw b unblock 10.1.0.1'

# By the clock, with all of them on the list and without a loader.
for address in 10.1.0.2 fd00:1::2; do
	source=${address%2}1
	command_of b block
	at b python3 "$clock" "$base-a" "$address" "${command[@]}" "$source" --for 1s >"$dir/clock"
	check "block_clock.py ran to its end" is "$(wc -l <"$dir/clock")" 12
	sort -n "$dir/clock" | awk '{ print $1 }' | sed -n '6p' | sed "s/^/# to $address: the median of 12 blocks took effect after ms: /"
	sort -n -k2 "$dir/clock" | awk '{ print $2 - 1000 }' | sed -n '1p;12p' | tr '\n' ' ' | sed "s/^/# it ended that many ms after a second, from the command's start: /"
	echo
	check "a block takes effect within 5 ms of its command, process and all" eval '[ "$(sort -n "$dir/clock" | awk "NR == 1 { print int(\$1) }")" -lt 5 ]'
	check "it never ends before its second is over" awk '$2 < 1000 { exit 1 }' "$dir/clock"
	check "and then lets packets pass within a tick or two" eval '[ "$(sort -n -k2 "$dir/clock" | awk "NR == 1 { print int(\$2) }")" -lt 1030 ]'
done
check "the list is emptied" zw b unblock --all
check "and is empty" listed '@e == 0'
down b
echo "1..$count"
