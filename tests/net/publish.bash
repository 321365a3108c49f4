# SPDX-License-Identifier: GPL-2.0-only
# publish.bash - what the tests of publishing share. Sourced with a name, by which namespaces and instance are called.
#
#    zw-NAME-node                         zw-NAME-peer
#    v0 10.99.0.1 ----------------------- v1 10.99.0.2, 10.99.0.3
#    v2 ---------------------------------- v3
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "$1"
node=$base-node
peer=$base-peer
instance=$base
abi=$(sed -n "s/^#define ZW_ABI //p" "${BASH_SOURCE%/*}/../../include/zonewall.h")
pins=/sys/fs/bpf/zonewall/$instance/abi-$abi
# How TC is attached here: links since 6.6, filters before.
# shellcheck disable=SC2034
if [ "$(printf '6.6\n%s\n' "$(uname -r)" | sort -V | head -n 1)" = 6.6 ]; then tc=tcx tc_links=1; else tc=clsact tc_links=0; fi

at_node() { at node "$@"; }
at_peer() { at peer "$@"; }
zw() { at_node "$zonewall" "$1" --instance "$instance" "${@:2}"; }

add_v0()
{
	ip -n "$node" link add v0 type veth peer name v1 netns "$peer"
	ip -n "$node" addr add 10.99.0.1/24 dev v0
	ip -n "$peer" addr add 10.99.0.2/24 dev v1
	ip -n "$peer" addr add 10.99.0.3/24 dev v1
	ip -n "$node" link set v0 up
	ip -n "$peer" link set v1 up
}

clean_up()
{
	zw down >/dev/null 2>&1
	ip netns del "$node" 2>/dev/null
	ip netns del "$peer" 2>/dev/null
	rm -rf "$dir" "/run/zonewall/$instance" "/var/lib/zonewall/$instance"
}

set_up()
{
	[ -x "$zonewall" ] || { echo "Bail out! there is no $zonewall"; exit 1; }
	trap clean_up EXIT
	trap 'exit 1' INT TERM
	ip netns add "$node"
	ip netns add "$peer"
	ip -n "$node" link set lo up
	add_v0
	ip -n "$node" link add v2 type veth peer name v3 netns "$peer"
	ip -n "$node" link set v2 up
	ip -n "$peer" link set v3 up
}

# policy FILE SOURCE XDP INTERFACE...: echo requests from SOURCE to the node pass, nothing else.
policy()
{
	local file=$dir/$1 source=$2 xdp=$3 list
	shift 3
	list=$(printf '"%s", ' "$@")
	cat >"$file" <<-END
		version: 1
		defaults: {action: drop, log: none}
		interfaces: [{match: [${list%, }], xdp: $xdp}]
		zones: {source: [$source], node: [10.99.0.1]}
		services: {ping: icmp/echo-request}
		rules: [{id: ping, from: source, to: node, service: ping, action: allow}]
	END
}

# service_policy FILE ID SERVICE XDP: between the node and 10.99.0.2 that service passes either way, nothing else.
service_policy()
{
	cat >"$dir/$1" <<-END
		version: 1
		defaults: {action: drop}
		interfaces: [{match: [v0], xdp: $4}]
		zones: {peer: [10.99.0.2], node: [10.99.0.1]}
		rules:
		  - {id: $2-in, from: peer, to: node, service: $3, action: allow}
		  - {id: $2-out, from: node, to: peer, service: $3, action: allow}
	END
}

# Is an echo request from 10.99.0.$1 answered? An answer takes microseconds here. Each answered one is a new flow.
pings() { at_peer ping -n -c 1 -W 0.3 -I "10.99.0.$1" 10.99.0.1 >/dev/null 2>&1 && echo >>"$dir/answered"; }
answered() { wc -l <"$dir/answered"; }
only_pings() { # only_pings 2: 10.99.0.2 may, 10.99.0.3 may not
	pings "$1" || { echo "10.99.0.$1 is not answered"; return 1; }
	not pings $((5 - $1)) || { echo "10.99.0.$((5 - $1)) is answered"; return 1; }
}

# What is attached and by which link or filter: the same text means that nothing was attached anew.
link_ids()
{
	for pin in "$pins"/links/*; do
		[ -e "$pin" ] && bpftool link show pinned "$pin" | sed -n "s,^\([0-9]*\):.*,${pin##*/} \1,p"
	done
	at_node tc filter show dev v0 ingress 2>/dev/null
	at_node tc filter show dev v0 egress 2>/dev/null
}
links_are() { test "$(find "$pins/links" -type f | wc -l)" = "$1"; }

# apply_and_kill FILE WAIT...: SIGKILL after the command WAIT, to which $! is the apply
apply_and_kill()
{
	nsenter --net="/run/netns/$node" "$zonewall" apply --instance "$instance" "$dir/$1" >/dev/null 2>&1 &
	"${@:2}"
	kill -9 $! 2>/dev/null
	wait $! 2>/dev/null
}

# count_who_decides NEXT: does the host whom the policy before lets ping, $current, or the one of the next? In old, new, wrong.
count_who_decides()
{
	if only_pings "$current" >/dev/null; then
		old=$((old + 1))
	elif only_pings "$1" >/dev/null; then
		new=$((new + 1))
		current=$1
	else
		wrong=$((wrong + 1))
		echo "# neither $current nor $1 alone"
	fi
}
