#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# publish.sh - attach points, adoption, rollback and down, with real interfaces (publish.bash draws them).
# shellcheck source=tests/net/publish.bash
. "${BASH_SOURCE%/*}/publish.bash" "publish-$$"
set_up
for mode in auto native generic off; do policy "$mode" 10.99.0.2 "$mode" v0; done
policy two 10.99.0.2 off v0 v2
policy other 10.99.0.3 off v0
policy none 10.99.0.2 off nothing0

# A program of another, by the oldest way to attach one.
cat >"$dir/other.c" <<-END
	__attribute__((section("xdp"), used)) int other(void *ctx) { return 2; }
	__attribute__((section("license"), used)) char _license[] = "GPL";
END
clang -O2 -g -target bpf -c "$dir/other.c" -o "$dir/other.o"

echo "# modes"
for mode in native:xdp:native generic:xdp:generic "off:ingress:$tc" "auto:ingress:$tc"; do
	IFS=: read -r wish hook got <<<"$mode"
	out=$(zw apply -o json "$dir/$wish" 2>&1)
	check "$wish: $hook is attached as $got" \
		has "$out" "\"hook\":\"$hook\",\"mode\":\"$got\",\"change\":\"\(attached\|kept\)\""
	check "$wish: one ingress attach point" test "$(zw apply -o json "$dir/$wish" 2>/dev/null | grep -o '"kept"' | wc -l)" = 2
	check "$wish: decides" only_pings 2
done

echo "# adoption"
before=$(link_ids)
for _ in 1 2 3; do zw apply "$dir/other" >/dev/null 2>&1; done
check "links are not recreated" test "$before" = "$(link_ids)"
check "a second policy decides" only_pings 3

echo "# rollback"
zw apply "$dir/off" >/dev/null 2>&1
check "rollback" zw rollback
check "the former policy decides" only_pings 3
check "rollback again" zw rollback
check "the latter decides" only_pings 2

echo "# interfaces"
out=$(zw apply "$dir/two" 2>&1)
check "an interface that the policy newly names is attached" has "$out" "v2 *egress *$tc *attached"
out=$(zw apply "$dir/off" 2>&1)
check "one that it no longer names is detached, and said so" has "$out" "v2 *egress *$tc *detached"
out=$(zw apply "$dir/none" 2>&1)
check "a pattern without an interface is a warning" has "$out" "no interface matches 'nothing0'"
zw apply "$dir/native" >/dev/null 2>&1
ip -n "$node" link set v0 down && ip -n "$node" link set v0 name w0 && ip -n "$node" link set w0 up
check "a renamed interface keeps its programs" only_pings 2
ip -n "$node" link set w0 down && ip -n "$node" link set w0 name v0 && ip -n "$node" link set v0 up
ip -n "$node" link del v0
add_v0
out=$(zw apply "$dir/native" 2>&1)
check "one deleted and made again is attached again" has "$out" "v0 *xdp *native *attached"
check "and decides" only_pings 2
check "stale pins are gone" links_are $((1 + tc_links))

echo "# another's XDP program"
zw apply "$dir/off" >/dev/null 2>&1
if ip -n "$node" link set dev v0 xdpgeneric obj "$dir/other.o" sec xdp 2>/dev/null; then
	out=$(zw apply "$dir/native" 2>&1)
	check "it is named, and TC ingress used" has "$out" "TC ingress instead of XDP.*'other' is there"
	check "and decides" only_pings 2
	check "it is still there" has "$(ip -n "$node" link show v0)" xdpgeneric
	ip -n "$node" link set dev v0 xdpgeneric off
	out=$(zw apply "$dir/native" 2>&1)
	check "XDP once it is gone" has "$out" "v0 *xdp *native *attached"
else
	ok 0 "# skip: ip cannot load XDP programs here"
fi

echo "# programs of hooks that are attached later"
programs() { find "$pins/gen-$1" -name 'zw_xdp' -o -name 'zw_ingress' -o -name 'zw_egress' | sed 's/.*zw_//' | sort | xargs; }
missed() { zw status -o json 2>/dev/null | grep -o '"missed_tail_calls":[0-9]*'; }
current() { zw status -o json 2>/dev/null | sed -n 's/.*"generation":\([0-9]*\).*/\1/p'; }
zw down >/dev/null 2>&1
zw apply "$dir/off" >/dev/null 2>&1
first=$(current)
check "only those of the hooks are loaded" test "$(programs "$first")" = "egress ingress"
mv "$pins/gen-$first/zw_sources" "$pins/gen-$first/away"
out=$(zw apply "$dir/generic" 2>&1)
check "one that cannot be loaded for the generation that decides is an error" test $? = 1
check "told" has "$out" "generation $first"
check "and the hook is not attached" has "$out" "cannot attach XDP to 'v0'"
check "the generation before decides" only_pings 2
check "and is current" test "$(current)" = "$first"
mv "$pins/gen-$first/away" "$pins/gen-$first/zw_sources"
check "another hook is attached later" zw apply "$dir/generic"
check "both generations have its program" test "$(programs "$first") $(programs "$(current)")" = "egress ingress xdp egress ingress xdp"
check "the new one decides" only_pings 2
check "the old one, too" zw rollback
check "with pings" only_pings 2
check "no packet has found a gate without a program" test "$(missed)" = '"missed_tail_calls":0'

echo "# the slot of a generation that is retired"
bytes() { python3 -c 'import json, sys; print(*(int(byte, 16) for byte in json.load(sys.stdin)["value"]))'; }
free_slot() # the word begins with the current one and the one to go back to
{
	local slot word
	read -ra word <<<"$(bpftool -j map lookup pinned "$pins/gate/zw_gate" key 0 0 0 0 | bytes)"
	for slot in 0 1 2; do [ "$slot" = "${word[0]}" ] || [ "$slot" = "${word[1]}" ] || echo "$slot"; done
}
# What it holds for TC egress.
retired()
{
	local value
	read -ra value <<<"$(bpftool -j map lookup pinned "$pins/gate/zw_slot_egress" key "$(free_slot)" 0 0 0 2>/dev/null | bytes 2>/dev/null)"
	[ "${#value[@]}" = 4 ] || { echo none; return; }
	bpftool -j prog show id $((value[0] | value[1] << 8 | value[2] << 16 | value[3] << 24)) | sed -n 's/.*"name":"\([^"]*\)".*/\1/p'
}
for _ in 1 2; do zw apply "$dir/generic" >/dev/null 2>&1; done
check "it drops" test "$(retired)" = zw_none_tc
rm "$pins/gate/zw_none_tc"
check "without the program for that, an apply" zw apply "$dir/generic"
check "it holds none" test "$(retired)" = none
check "the current one decides" only_pings 2
zw down >/dev/null 2>&1
if ip -n "$node" link set dev v0 xdpgeneric obj "$dir/other.o" sec xdp 2>/dev/null; then
	out=$(zw apply "$dir/native" 2>&1)
	check "TC ingress instead of XDP, whose program was loaded" has "$out" "v0 *ingress *$tc *attached"
	check "decides" only_pings 2
	ip -n "$node" link set dev v0 xdpgeneric off
fi
zw apply "$dir/native" >/dev/null 2>&1

echo "# failures"
before=$(link_ids)
sed 's/rules:/rulez:/' "$dir/off" >"$dir/wrong"
zw apply "$dir/wrong" >/dev/null 2>&1
check "a policy with errors: exit status 3" test $? = 3
# A device without native XDP, which is tried after v0 and v2 were attached.
ip -n "$node" link add t0 type dummy 2>/dev/null || ip -n "$node" link add t0 type ifb 2>/dev/null
if ip -n "$node" link show t0 >/dev/null 2>&1; then
	policy mixed 10.99.0.3 native v0 v2 t0
	out=$(zw apply "$dir/mixed" 2>&1)
	check "an interface that cannot be attached: error" has "$out" "cannot attach XDP to 't0'"
	check "the same links as before" test "$before" = "$(link_ids)"
	check "the same policy as before" only_pings 2
else
	ok 0 "# skip: neither dummy nor ifb devices here"
fi
echo "# what the policy says of itself"
{ cat "$dir/other"; echo 'never: [{id: not-3, from: 10.99.0.3, to: node, service: ping}]'; } >"$dir/broken"
before=$(zw status -o json 2>/dev/null | grep -o '"generation":[0-9]*')
out=$(zw apply "$dir/broken" 2>&1)
check "a never that does not hold: exit status 1" test $? = 1
check "it shows the packet" has "$out" "packet: 10.99.0.3 (source) -> 10.99.0.1 (node, host), icmp/8/0"
check "the rule" has "$out" "allowed by: rule 'ping' (.*broken:6)"
check "and says that nothing was changed" has "$out" "nothing was changed: 1 of 1 tests, never and always does not hold"
check "nor on standard output" test -z "$(zw apply "$dir/broken" 2>/dev/null)"
zw apply --dry-run "$dir/broken" >/dev/null 2>&1
check "a dry run refuses it, too" test $? = 1
check "the same generation" test "$before" = "$(zw status -o json 2>/dev/null | grep -o '"generation":[0-9]*')"
check "the same policy as before" only_pings 2
out=$(timeout 20 nsenter --net="/run/netns/$node" "$zonewall" run --instance "$instance" "$dir/broken" 2>&1)
check "run refuses it: exit status 1" test $? = 1
check "with the same text" has "$out" "never 'not-3': a packet is allowed"
check "and the same policy decides" only_pings 2
out=$(zw apply --no-test "$dir/broken" 2>&1)
check "--no-test applies it" test $? = 0
check "with a warning" has "$out" "tests, never and always were not run"
check "so it decides" only_pings 3
sed 's/from: 10.99.0.3/from: 10.99.0.4/' "$dir/broken" >"$dir/kept"
check "one that holds is applied" zw apply "$dir/kept"
zw apply "$dir/off" >/dev/null 2>&1
out=$(zw apply --dry-run "$dir/other" 2>/dev/null)
check "dry run" test $? = 0
check "says what the tables would take" has "$out" "^memory  .* KiB IPv4 addresses, "
check "and the counters" has "$out" "besides .* counters of rules and .* cache of matches$"
check "and what packets would read of them" has "$out" "^reads  .* at most [0-9]* (IPv4) or [0-9]* (IPv6) lines"
check "and that the kernel takes it" has "$out" "the kernel takes it; nothing was changed"
out=$(zw apply --dry-run -o json "$dir/other" 2>/dev/null)
check "as JSON, too" has "$out" '"schema":"zonewall.apply-dry-run/1".*"reads":{"ipv4":{"all":[0-9]*,'
check "changes nothing" only_pings 2
out=$("$zonewall" apply --instance "$instance" "$dir/off" 2>&1)
check "another network namespace is refused" has "$out" "belongs to another network namespace"
out=$(ip netns exec "$node" "$zonewall" apply --instance "$instance" "$dir/off" 2>&1)
check "a mount namespace that ends with the command is refused" has "$out" "nsenter --net=/run/netns/$node"

echo "# counters"
at_peer ping -n -q -c 5 -i 0.05 -I 10.99.0.2 10.99.0.1 >/dev/null
for _ in 1 2 3; do zw apply "$dir/off" >/dev/null 2>&1; done
zw down >/dev/null
total() { sed -n 's/^rule ping \([0-9]*\) .*/\1/p' "/var/lib/zonewall/$instance/counters"; }
first=$(total)
zw apply "$dir/off" >/dev/null 2>&1
for _ in 1 2 3; do pings 2; done
zw down >/dev/null
check "three new flows are three more, over generations and down" test "$(total)" = $((first + 3))

echo "# following"
policy glob 10.99.0.2 off v0 'n*'
zw apply "$dir/glob" >/dev/null 2>&1
nsenter --net="/run/netns/$node" "$zonewall" run --instance "$instance" >"$dir/run.log" 2>&1 &
run=$!
within_a_second() { for _ in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; "$@" >/dev/null && return; done; cat "$dir/run.log"; return 1; }
sleep 0.3
ip -n "$node" link add n0 type veth peer name n1
points_are() { test "$(zw status -o json | grep -o '"hook"' | wc -l)" = "$1"; }
check "new interfaces are attached" within_a_second points_are 6
ip -n "$node" link del n0
check "and forgotten when they go" within_a_second points_are 2
kill -9 "$run"
wait "$run" 2>/dev/null
check "run killed: the policy still decides" only_pings 2
echo 'always: [{id: pinged, from: 10.99.0.2, to: host, service: ping}]' >>"$dir/glob"
nsenter --net="/run/netns/$node" "$zonewall" run --instance "$instance" "$dir/glob" >"$dir/run.log" 2>&1 &
run=$!
sleep 0.5
ip -n "$node" addr add 10.98.0.1/24 dev v0
check "a new address of the host is taken in" within_a_second grep -q "addresses of this host" "$dir/run.log"
check "what then does not hold is told" within_a_second grep -q "packet: 10.99.0.2 (source) -> 10.98.0.1 (host)" "$dir/run.log"
check "and published all the same" grep -q "warning: published all the same" "$dir/run.log"
sleep 0.2
check "and rules still know their places" has "$(zw rules)" "ping.*glob:6"
ip -n "$node" addr del 10.98.0.1/24 dev v0
kill "$run"
wait "$run" 2>/dev/null

echo "# down"
zw apply "$dir/two" >/dev/null 2>&1
id=$(bpftool prog show pinned "$pins/gate/zw_gate_xdp" | sed -n 's/^\([0-9]*\):.*/\1/p')
check "down" zw down
check "no pins" test ! -e "/sys/fs/bpf/zonewall/$instance"
for _ in 1 2 3 4 5 6 7 8 9 10; do bpftool prog show id "$id" >/dev/null 2>&1 && sleep 0.1; done
check "no programs" not bpftool prog show id "$id"
check "everything passes" pings 3
zw down >/dev/null 2>&1
check "down again: exit status 4" test $? = 4

echo "# clsact, as before kernel 6.6"
export ZONEWALL_NO_TCX=1
out=$(zw apply "$dir/two" 2>&1)
check "filters are attached" has "$out" "v2 *ingress *clsact *attached"
check "and decide" only_pings 2
handles=$(at_node tc filter show dev v0 ingress)
zw apply "$dir/other" >/dev/null 2>&1
check "they are kept" test "$handles" = "$(at_node tc filter show dev v0 ingress)"
check "and decide by the next policy" only_pings 3
check "no qdisc where nothing uses it" not has "$(at_node tc qdisc show dev v2)" clsact
at_node tc qdisc del dev v0 clsact
zw apply "$dir/off" >/dev/null 2>&1
check "filters that others removed come back" only_pings 2
at_node tc filter add dev v0 egress prio 77 bpf obj "$dir/other.o" sec xdp 2>/dev/null ||
	at_node tc filter add dev v0 egress prio 77 protocol ip flower action pass 2>/dev/null
shared=$?
zw down >/dev/null
if [ "$shared" -eq 0 ]; then
	check "a qdisc that others use stays" has "$(at_node tc qdisc show dev v0)" clsact
else
	check "no qdisc left" not has "$(at_node tc qdisc show dev v0)" clsact
fi
unset ZONEWALL_NO_TCX
echo "1..$count"
