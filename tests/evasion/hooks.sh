#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every evasion case on the wire, before each of the four hooks: XDP native, XDP generic, TC ingress, TC egress.
#
#    near                                  node               behind
#    sends raw frames: eth0 ------------- in --> out -------- eth0: all addresses of blue, real sockets
#    via -- tag --> eth0                                      watches what comes out
#
# The node bridges and does nothing else: what comes out passed the hook. Ingress hooks are those of `in`, the egress one is
# that of `out`, to which a filter of traffic control hands over even what no bridge forwards. Nothing goes back: behind's
# own frames are dropped where they leave. What is sent through `via` is bridged once more before, and so comes to the node
# with its VLAN tag in metadata, as from a device that strips it.
set -u
zonewall=$(realpath "${ZONEWALL:-build/zonewall}")
tools=$(realpath "${BUILD:-build}/tests/evasion")
instance=zw-evasion-$$
node=$instance-n
near=$instance-s
behind=$instance-b
dir=$(mktemp -d)
count=0

in_ns() { nsenter --net="/run/netns/$1" "${@:2}"; }
zw() { in_ns "$node" env ${no_tcx:+ZONEWALL_NO_TCX=1} "$zonewall" "$1" --instance "$instance" "${@:2}"; }
no_tcx=

clean_up()
{
	zw down >/dev/null 2>&1
	for ns in "$near" "$behind" "$node"; do ip netns del "$ns" 2>/dev/null; done
	rm -rf "$dir" "/run/zonewall/$instance" "/var/lib/zonewall/$instance"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

build_hosts()
{
	local ns
	for ns in "$node" "$near" "$behind"; do
		ip netns add "$ns" || return 1
		ip -n "$ns" link set lo up
		in_ns "$ns" sh -c 'for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >"$f"; done'
		in_ns "$ns" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
	done
	# One queue, so that a marker never overtakes its frame.
	local one='numtxqueues 1 numrxqueues 1'
	# shellcheck disable=SC2086 # words
	ip link add in $one netns "$node" address 02:00:00:00:00:0a type veth peer name eth0 $one netns "$near" || return 1
	# shellcheck disable=SC2086
	ip link add out $one netns "$node" address 02:00:00:00:00:0a \
		type veth peer name eth0 $one address 02:00:00:00:00:02 netns "$behind" || return 1
	ip -n "$near" link add via type veth peer name tag || return 1
	in_ns "$behind" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6
		echo 0 >/proc/sys/net/ipv6/conf/lo/disable_ipv6
		echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_ra
		echo 0 >/proc/sys/net/ipv4/conf/eth0/rp_filter'
	in_ns "$node" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/lo/disable_ipv6'
	ip -n "$node" link add own type veth peer name own-peer || return 1
	in_ns "$node" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/own/disable_ipv6'
	ip -n "$node" addr add 10.9.0.1/24 dev own
	ip -n "$node" addr add fd00:9::1/64 dev own nodad
	for ns in "$near:eth0" "$near:via" "$near:tag" "$behind:eth0" "$node:in" "$node:out" "$node:own"; do
		ip -n "${ns%:*}" link set "${ns#*:}" mtu 3000 up || return 1
	done
	serve_behind && join "$node" in out && join "$near" tag eth0
}

# Behind is every host of blue, and answers nobody.
serve_behind()
{
	local net
	tc -n "$behind" qdisc add dev eth0 root blackhole || return 1
	for net in 10.2.0.0/16 10.12.0.0/16 fd00:2::/32; do ip -n "$behind" route add local "$net" dev lo || return 1; done
	for net in 10.1.0.0/16 10.11.0.0/16 fd00:1::/32; do ip -n "$behind" route add "$net" dev eth0 || return 1; done
}

# join NAMESPACE A B: a bridge that forwards all but 01:80:c2:00:00:00 to 02, and looks at nothing.
join()
{
	ip -n "$1" link add name br0 type bridge stp_state 0 mcast_snooping 0 group_fwd_mask 0xfff8 || return 1
	in_ns "$1" sh -c 'for f in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e "$f" ] || echo 0 >"$f"; done'
	ip -n "$1" link set "$2" master br0 && ip -n "$1" link set "$3" master br0 && ip -n "$1" link set br0 mtu 3000 up
}

hand_over()
{
	ip -n "$node" link del br0
	tc -n "$node" qdisc add dev in clsact &&
		tc -n "$node" filter add dev in ingress protocol all prio 60000 bpf bytecode '1,6 0 0 4294967295,' \
			action mirred egress redirect dev out
}

policy() # policy loose|strict INTERFACE XDP
{
	"$tools/run_print" "$1" >"$dir/policy.yaml"
	echo "interfaces: [{match: [$2], xdp: $3}]" >>"$dir/policy.yaml"
}

# The tool's lines, numbered on.
relay()
{
	local line mode=$1
	while IFS= read -r line; do
		case $line in
		"ok "*) count=$((count + 1)); echo "ok $count - $mode: ${line#* - }" ;;
		"not ok "*) count=$((count + 1)); echo "not ok $count - $mode: ${line#* - }" ;;
		"1.."*) ended=1 ;;
		*) echo "$line" ;;
		esac
	done
}

run() # run MODE INTERFACE XDP HOOK [scattered]
{
	local policy
	for policy in loose strict; do
		policy "$policy" "$2" "$3"
		zw apply "$dir/policy.yaml" >"$dir/out" 2>&1 || { sed 's/^/# /' "$dir/out"; echo "Bail out! apply fails"; exit 1; }
		ended=
		relay "$1, $policy" < <(in_ns "$node" "$tools/run_wire" "$instance" "$4" "$policy" "$near" "$behind" "${@:5}" 2>&1)
		[ -n "$ended" ] || { echo "Bail out! run_wire ended early"; exit 1; }
	done
	zw down >/dev/null
}

[ -x "$zonewall" ] || { echo "Bail out! there is no $zonewall"; exit 1; }
build_hosts || { echo "Bail out! the hosts cannot be made"; exit 1; }
run "XDP native" in native xdp
run "XDP native, headers not linear" in native xdp scattered
run "XDP generic" in generic xdp
run "XDP generic, headers not linear" in generic xdp scattered
run "TC ingress" in off tc-ingress
run "TC ingress, headers not linear" in off tc-ingress scattered
no_tcx=1
run "TC ingress by filter" in off tc-ingress
hand_over || { echo "Bail out! the node cannot hand over"; exit 1; }
run "TC egress by filter" out off tc-egress
no_tcx=
run "TC egress" out off tc-egress
run "TC egress, headers not linear" out off tc-egress scattered
echo "1..$count"
