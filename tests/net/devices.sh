#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# devices.sh - which device decides, for each kind of device; and what no hook sees.
#
#    zw-...-node                          zw-...-peer
#    v0 10.99.0.1 ----------------------- v1 10.99.0.2
#    v2 --------------------------------- v3
#    w0 --------------------------------- w1, in zw-...-far
#
# The policy lets everybody reach udp/53 (and udp/4789, for tunnels), nothing else. A probe sends three datagrams to 53 and
# three to 54: a device decides if the former arrive, the latter do not, and its own counters count three drops.
# shellcheck source=tests/net/publish.bash
. "${BASH_SOURCE%/*}/publish.bash" "devices-$$"
far=$base-far
server=''

clean_up_all()
{
	[ -z "$server" ] || kill "$server" 2>/dev/null
	ip netns del "$far" 2>/dev/null
	clean_up
}

set_up
trap clean_up_all EXIT
ip netns add "$far"
ip -n "$node" link add w0 type veth peer name w1 netns "$far"
for end in "$node lo" "$node w0" "$peer lo" "$far w1"; do ip -n "${end% *}" link set "${end#* }" up; done
for ns in "$node" "$peer" "$far"; do
	nsenter --net="/run/netns/$ns" sh -c 'for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >"$f"; done
		for f in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e "$f" ] || echo 0 >"$f"; done' 2>/dev/null
done

skip() { count=$((count + 1)); echo "ok $count - $1 # SKIP $2"; }

# Waits at 53 and 54 in the namespace, writes down each datagram's port, and answers.
serve() # serve NAMESPACE
{
	[ -z "$server" ] || { kill "$server"; wait "$server" 2>/dev/null; }
	: >"$dir/got"
	rm -f "$dir/ready"
	nsenter --net="/run/netns/$1" python3 - "$dir/got" "$dir/ready" <<-'END' &
		import select, socket, sys
		servers = {}
		for port in (53, 54):
		    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) # for both families
		    s.bind(("", port))
		    servers[s] = port
		got = open(sys.argv[1], "a", buffering=1)
		open(sys.argv[2], "w")
		while True:
		    for s in select.select(servers, [], [])[0]:
		        data, sender = s.recvfrom(2048)
		        got.write("%d\n" % servers[s])
		        try:
		            s.sendto(data, sender)
		        except OSError:
		            pass # denied on its way out
	END
	server=$!
	for _ in {1..100}; do [ -e "$dir/ready" ] && return 0; sleep 0.02; done
	return 1
}

# send NAMESPACE ADDRESS [SOURCE]: three to each port; prints how many answers came from 53.
send()
{
	nsenter --net="/run/netns/$1" python3 - "$2" "${3:-}" <<-'END'
		import socket, sys
		answers = 0
		for port in (53, 54):
		    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		    s.bind((sys.argv[2], 0))
		    s.settimeout(0.5 if port == 53 else 0.02) # nobody waits for an answer from 54
		    for _ in range(3):
		        try:
		            s.sendto(b"probe", (sys.argv[1], port))
		            answers += s.recv(100) == b"probe" and port == 53
		        except OSError:
		            pass # denied, here or there
		print(answers)
	END
}
got() { grep -c "^$1\$" "$dir/got"; }
counted() # counted DEVICE dropped|allowed [HOOK]: packets
{
	zw status -o json | python3 -c '
import json, sys
print(sum(p[sys.argv[2]]["packets"] for p in json.load(sys.stdin)["attach_points"]
	  if p["interface"] == sys.argv[1] and p["hook"] in (sys.argv[3] or p["hook"])))' "$1" "$2" "${3:-}"
}

apply() # apply DEVICE...
{
	local list
	list=$(printf '"%s", ' "$@")
	cat >"$dir/policy.yaml" <<-END
		version: 1
		defaults: {action: drop, log: none}
		failsafe: []
		interfaces: [{match: [${list%, }], xdp: off}]
		rules: [{id: open, from: any, to: any, service: [udp/53, ${tunnel:-udp/4789}], action: allow}]
	END
	zw apply "$dir/policy.yaml" >"$dir/out" 2>&1 || { cat "$dir/out"; return 1; }
}
tunnel=''

# probe NAMESPACE ADDRESS EXPECTED: "53 54 dropped at DEVICE", in datagrams and packets
probe()
{
	local before=0 device=${3##* } found
	before=$(counted "$device" dropped) || return 1
	: >"$dir/got"
	"${sender:-send}" "$1" "$2" >"$dir/answers"
	sleep 0.05
	found="$(got 53) $(got 54) $(($(counted "$device" dropped) - before)) $device"
	[ "$found" = "$3" ] || { echo "wanted '$3', found '$found'"; return 1; }
}
decides() # decides WHAT DEVICE NAMESPACE ADDRESS
{
	check "$1: the policy is applied to $2" apply "$2"
	check "$1: $2 decides, once" probe "$3" "$4" "3 0 3 $2"
	zw down >/dev/null
}
sees_nothing()
{
	check "$1: the policy is applied to $2" apply "$2"
	check "$1: $2 sees nothing of it" probe "$3" "$4" "3 3 0 $2"
	zw down >/dev/null
}

echo "# veth, as everywhere else"
serve "$node"
decides "a veth" v0 "$peer" 10.99.0.1

echo "# bridge"
ip -n "$node" link add br0 type bridge 2>"$dir/out"
if ip -n "$node" link show br0 >/dev/null 2>&1; then
	ip -n "$node" link set v2 master br0
	ip -n "$node" link set w0 master br0
	ip -n "$node" addr add 10.98.0.1/24 dev br0
	ip -n "$node" link set br0 up
	ip -n "$peer" addr add 10.98.0.2/24 dev v3
	ip -n "$far" addr add 10.98.0.3/24 dev w1
	decides "a bridge, what is for the host" br0 "$peer" 10.98.0.1
	decides "a bridge's port, what is for the host" v2 "$peer" 10.98.0.1
	serve "$far"
	sees_nothing "a bridge, what it forwards" br0 "$peer" 10.98.0.3
	decides "a bridge's port, what enters there and is forwarded" v2 "$peer" 10.98.0.3
	decides "a bridge's port, what leaves there" w0 "$peer" 10.98.0.3
	ip -n "$node" link del br0
	ip -n "$peer" addr flush dev v3
	ip -n "$far" addr flush dev w1
else
	skip "a bridge" "$(tail -n 1 "$dir/out")"
fi

echo "# macvlan"
if ip -n "$node" link add link v0 name mv0 type macvlan mode bridge 2>"$dir/out"; then
	at_node sh -c 'echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore' # so that only mv0 says where 10.97.0.1 is
	ip -n "$node" addr add 10.97.0.1/24 dev mv0
	ip -n "$node" link set mv0 up
	ip -n "$peer" addr add 10.97.0.2/24 dev v1
	serve "$node"
	decides "a macvlan" mv0 "$peer" 10.97.0.1
	decides "a macvlan's lower device" v0 "$peer" 10.97.0.1
	ip -n "$node" link set mv0 netns "$far"
	ip -n "$far" addr add 10.97.0.1/24 dev mv0
	ip -n "$far" link set mv0 up
	ip -n "$peer" neigh flush dev v1
	serve "$far"
	decides "the lower device of a macvlan in a container" v0 "$peer" 10.97.0.1
	ip -n "$far" link del mv0
	ip -n "$peer" addr del 10.97.0.2/24 dev v1
else
	skip "a macvlan" "$(tail -n 1 "$dir/out")"
fi

echo "# bond"
if ip -n "$node" link add bond0 type bond mode active-backup miimon 20 2>"$dir/out"; then
	ip -n "$node" link set v2 down
	ip -n "$node" link set v2 master bond0
	ip -n "$node" addr add 10.96.0.1/24 dev bond0
	ip -n "$node" link set bond0 up
	ip -n "$peer" addr add 10.96.0.2/24 dev v3
	serve "$node"
	for _ in {1..50}; do at_peer ping -n -c 1 -W 0.1 10.96.0.1 >/dev/null 2>&1 && break; done
	decides "a bond" bond0 "$peer" 10.96.0.1
	decides "a bond's member" v2 "$peer" 10.96.0.1
	ip -n "$node" link del bond0
	ip -n "$node" link set v2 up
	ip -n "$peer" addr flush dev v3
else
	skip "a bond" "$(tail -n 1 "$dir/out")"
fi

echo "# VRF"
if ip -n "$node" link add vrf0 type vrf table 10 2>"$dir/out"; then
	ip -n "$node" link set vrf0 up
	ip -n "$node" link set v2 master vrf0
	ip -n "$node" addr add 10.95.0.1/24 dev v2
	ip -n "$peer" addr add 10.95.0.2/24 dev v3
	at_node sh -c 'echo 1 >/proc/sys/net/ipv4/udp_l3mdev_accept'
	serve "$node"
	decides "a device in a VRF" v2 "$peer" 10.95.0.1
	ip -n "$node" link del vrf0
	ip -n "$node" addr flush dev v2
	ip -n "$peer" addr flush dev v3
else
	skip "a VRF" "$(tail -n 1 "$dir/out")"
fi

# A tunnel between 10.99.0.1 and 10.99.0.2 whose ends are t0 and t1, with 10.94.0.1 and 10.94.0.2 inside.
tunnel_rows() # tunnel_rows WHAT
{
	serve "$node"
	decides "what $1 carries" t0 "$peer" 10.94.0.1
	sees_nothing "what $1 carries, below" v0 "$peer" 10.94.0.1
	tunnel=udp/9
	check "$1 without a rule: the policy is applied to v0" apply v0
	serve "$node"
	send "$peer" 10.94.0.1 >"$dir/answers"
	check "$1 without a rule: nothing arrives" test ! -s "$dir/got"
	check "$1 without a rule: v0 counts drops" test "$(counted v0 dropped)" -gt 0
	zw down >/dev/null
	tunnel=''
	ip -n "$node" link del t0
	ip -n "$peer" link del t1
}

tunnel_ends()
{
	ip -n "$node" addr add 10.94.0.1/24 dev t0
	ip -n "$peer" addr add 10.94.0.2/24 dev t1
	ip -n "$node" link set t0 up
	ip -n "$peer" link set t1 up
}

echo "# VXLAN"
if ip -n "$node" link add t0 type vxlan id 7 dstport 4789 local 10.99.0.1 remote 10.99.0.2 2>"$dir/out"; then
	ip -n "$peer" link add t1 type vxlan id 7 dstport 4789 local 10.99.0.2 remote 10.99.0.1
	tunnel_ends
	tunnel_rows "a VXLAN tunnel"
else
	skip "a VXLAN tunnel" "$(tail -n 1 "$dir/out")"
fi

echo "# WireGuard"
if ! command -v wg >/dev/null; then
	skip "a WireGuard tunnel" "there is no wg (Debian package wireguard-tools)"
elif ip -n "$node" link add t0 type wireguard 2>"$dir/out"; then
	ip -n "$peer" link add t1 type wireguard
	wg genkey >"$dir/node.key"
	wg genkey >"$dir/peer.key"
	at_node wg set t0 listen-port 4789 private-key "$dir/node.key" peer "$(wg pubkey <"$dir/peer.key")" \
		allowed-ips 10.94.0.0/24 endpoint 10.99.0.2:4789
	at_peer wg set t1 listen-port 4789 private-key "$dir/peer.key" peer "$(wg pubkey <"$dir/node.key")" \
		allowed-ips 10.94.0.0/24 endpoint 10.99.0.1:4789
	tunnel_ends
	tunnel_rows "a WireGuard tunnel"
else
	skip "a WireGuard tunnel" "$(tail -n 1 "$dir/out")"
fi

echo "# tun, whose packets have no Ethernet header"
# From the program behind the device, 10.92.0.2: it writes IP packets, of either family.
send_tun() # send_tun NAMESPACE ADDRESS
{
	nsenter --net="/run/netns/$1" python3 - "$2" <<-'END'
		import fcntl, ipaddress, os, struct, sys
		to = ipaddress.ip_address(sys.argv[1])
		source = ipaddress.ip_address("10.92.0.2" if to.version == 4 else "fd00:92::2")
		def add(*parts): # RFC 1071
		    data = b"".join(parts)
		    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
		    while total >> 16:
		        total = (total & 0xffff) + (total >> 16)
		    return ~total & 0xffff
		tun = os.open("/dev/net/tun", os.O_RDWR)
		fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH22x", b"t0", 0x1001)) # TUNSETIFF, IFF_TUN | IFF_NO_PI
		for port in (53, 54):
		    udp = struct.pack("!HHHH", 40000, port, 8, 0)
		    pseudo = source.packed + to.packed + struct.pack("!HH", 17, 8)
		    udp = udp[:6] + struct.pack("!H", add(pseudo, udp))
		    if to.version == 4:
		        ip = struct.pack("!BBHHHBBH", 0x45, 0, 28, 0, 0, 64, 17, 0) + source.packed + to.packed
		        ip = ip[:10] + struct.pack("!H", add(ip)) + ip[12:]
		    else:
		        ip = struct.pack("!IHBB", 6 << 28, 8, 17, 64) + source.packed + to.packed
		    for _ in range(3):
		        os.write(tun, ip + udp)
	END
}
if ip -n "$node" tuntap add t0 mode tun 2>"$dir/out"; then
	ip -n "$node" addr add 10.92.0.1/24 dev t0
	ip -n "$node" addr add fd00:92::1/64 dev t0 nodad
	ip -n "$node" link set t0 up
	serve "$node"
	sender=send_tun
	decides "a tun device" t0 "$node" 10.92.0.1
	decides "a tun device, IPv6" t0 "$node" fd00:92::1
	sender=''
	ip -n "$node" link del t0
else
	skip "a tun device" "$(tail -n 1 "$dir/out")"
fi

echo "# asymmetric paths"
ip -n "$node" addr add 10.98.0.1/24 dev v2
ip -n "$peer" addr add 10.98.0.2/24 dev v3
ip -n "$peer" addr add 10.93.0.2/32 dev lo
ip -n "$node" route add 10.93.0.2/32 via 10.98.0.2 src 10.99.0.1
serve "$node"
answers() { [ "$(send "$peer" 10.99.0.1 10.93.0.2)" = "$1" ]; }
check "the policy is applied to both ways" apply v0 v2
check "an answer over another interface belongs to the flow" answers 3
check "it left there" test "$(counted v2 allowed)" -ge 3
zw down >/dev/null

echo "# what no hook sees"
serve "$node"
sees_nothing "what the host sends to an address of its own" v0 "$node" 10.99.0.1
raw() # raw BYPASS: a datagram to port 54, by a packet socket of the host
{
	at_node python3 - "$1" "$(ip -n "$peer" -br link show v1 | awk '{print $3}')" <<-'END'
		import socket, struct, sys
		mac = bytes.fromhex(sys.argv[2].replace(":", ""))
		udp = struct.pack("!HHHH", 40000, 54, 8, 0)
		ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, bytes([10, 99, 0, 1]), bytes([10, 99, 0, 2]))
		words = sum(struct.unpack("!10H", ip))
		words = (words & 0xffff) + (words >> 16)
		ip = ip[:10] + struct.pack("!H", ~words & 0xffff) + ip[12:]
		s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
		s.bind(("v0", 0x0800))
		s.setsockopt(263, 20, int(sys.argv[1])) # SOL_PACKET, PACKET_QDISC_BYPASS
		try:
		    s.send(mac + bytes(6) + b"\x08\x00" + ip + udp)
		except OSError:
		    pass # dropped on its way out
	END
}
raw_gives() # raw_gives BYPASS EXPECTED: "arrived, dropped where it leaves"
{
	local before
	before=$(counted v0 dropped egress)
	: >"$dir/got"
	raw "$1"
	sleep 0.1
	found="$(got 54) $(($(counted v0 dropped egress) - before))"
	[ "$found" = "$2" ] || { echo "wanted '$2', found '$found'"; return 1; }
}
serve "$peer"
check "a packet socket: the policy is applied" apply v0
check "a packet socket's frame is decided like any other" raw_gives 0 "0 1"
check "with PACKET_QDISC_BYPASS it goes past TC egress, unseen" raw_gives 1 "1 0"
zw down >/dev/null

echo "# large packets that the device would cut"
cat >"$dir/tcp.yaml" <<-END
	version: 1
	defaults: {action: drop, log: none}
	failsafe: []
	interfaces: [{match: [v0], xdp: off}]
	rules: [{id: bulk, from: any, to: any, service: tcp/5201, action: allow}]
END
# received FIELD...: the sum of these counters of the peer's.
received()
{
	at_peer python3 - "$@" <<-'END'
		import sys
		lines = [l.split() for f in ("snmp", "netstat") for l in open("/proc/thread-self/net/" + f)]
		table = {n + k: int(v) for names, values in zip(lines[::2], lines[1::2])
		         for n, k, v in zip([names[0]] * len(names), names[1:], values[1:])}
		print(sum(table[field] for field in sys.argv[1:]))
	END
}
at_egress() # at_egress packets|bytes: of TCP, which no other reason counts here
{
	zw status -o json | python3 -c '
import json, sys
print(sum(p["allowed"]["reasons"].get(r, {}).get(sys.argv[1], 0) for p in json.load(sys.stdin)["attach_points"]
	  if p["hook"] == "egress" for r in ("rule", "flow")))' "$1"
}
transfer() # 20 MB from the node to the peer
{
	at_peer python3 -c '
import socket
s = socket.create_server(("", 5201))
print("ready", flush=True)
c = s.accept()[0]
while c.recv(1 << 20):
    pass' >"$dir/ready" &
	local pid=$!
	for _ in {1..100}; do grep -q ready "$dir/ready" && break; sleep 0.02; done
	at_node timeout 20 python3 -c '
import socket
s = socket.create_connection(("10.99.0.2", 5201))
s.sendall(bytes(20000000))
s.shutdown(socket.SHUT_WR)
s.recv(1)'
	wait "$pid"
}
check "large packets: the policy is applied" zw apply "$dir/tcp.yaml"
wire='IpExt:InNoECTPkts IpExt:InECT0Pkts IpExt:InECT1Pkts IpExt:InCEPkts' # each segment of a large packet
# shellcheck disable=SC2086 # a list of names
before="$(received $wire) $(received Tcp:InSegs) $(received IpExt:InOctets)"
check "20 MB leave" transfer
sleep 0.1
# shellcheck disable=SC2086
after="$(received $wire) $(received Tcp:InSegs) $(received IpExt:InOctets)"
read -r segments large bytes <<<"$(paste <(tr ' ' '\n' <<<"$before") <(tr ' ' '\n' <<<"$after") | awk '{ printf "%d ", $2 - $1 }')"
echo "# the receiver counts $segments segments in $large packets; TC egress counts $(at_egress packets), $(at_egress bytes) bytes"
check "some packets were larger than the device's" test "$large" -lt "$segments"
check "TC egress counts each segment of a large packet" test "$(at_egress packets)" -eq "$segments"
# A TCP header with timestamps takes 32 bytes, an IPv4 header 20.
check "and the headers of each" test "$(at_egress bytes)" -eq $((bytes + (segments - large) * 52))
zw down >/dev/null
echo "1..$count"
