#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# failsafe.sh - no policy locks its administrator out: with nothing said of failsafe, SSH to this host works under an empty
# policy, a mistaken one, one that denies everything first, with its table full, blocked, limited, and after a boot before
# there are addresses; in each way of attaching. And what does close it: `failsafe: []`, one's own entries, `source:`.
#
#    a  e0 10.1.0.2, fd00:1::2 --- v0 10.1.0.1, fd00:1::1  node: echoes at tcp/22 and tcp/23
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "failsafe-$$"
add_hosts node a
join node v0 a e0 1
start server node python3 -c '
import socketserver, threading
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile: self.wfile.write(line)
class Server(socketserver.ThreadingTCPServer):
    address_family, allow_reuse_address, daemon_threads = 10, True, True
servers = [Server(("::", port), Echo) for port in (22, 23)]
threading.Thread(target=servers[0].serve_forever).start()
servers[1].serve_forever()'
soon listens node 22
soon listens node 23

reaches() # reaches PORT [ADDRESS]: a line is sent, and comes back
{
	at a timeout 2 bash -c "exec 9<>/dev/tcp/${2:-10.1.0.1}/$1 && echo x >&9 && read -r x <&9"
}
policy() # policy FILE: the rest of it on stdin; of that, what other interfaces and defaults there are comes first
{
	local xdp=off
	case $attached in native | generic) xdp=$attached ;; esac
	cat >"$dir/$1" - <<-END
		version: 1
		defaults: {action: drop, flows: ${flows:-4096}${defaults:+, $defaults}}
		interfaces: [{match: [v0], xdp: $xdp}]
	END
}
# applied WHAT: the policy on stdin is, and lets in SSH alone
applied()
{
	local out
	policy p
	cat >>"$dir/p"
	out=$(zw node apply --force "$dir/p" 2>&1)
	check "$1: is applied" test $? = 0
	only_ssh "$1" || echo "# $out"
}
only_ssh()
{
	check "$1: SSH is let in" reaches 22
	check "$1: IPv6, too" reaches 22 fd00:1::1
	check "$1: nothing else is" not reaches 23
}
started_at=0
goes_on() # the old connection
{
	started_at=$(wc -l <"$dir/held")
	soon grew
}
grew() { [ "$(wc -l <"$dir/held")" -gt $((started_at + 2)) ]; }

start held a bash -c 'exec 9<>/dev/tcp/10.1.0.1/22; while echo x >&9 && read -r x <&9; do echo "$x"; sleep 0.1; done'
for attached in "${modes[@]}"; do
	mode_of[node]=$attached
	applied "no rules" <<<""
	applied "zones that are wrong" <<-END
		zones: {admins: [192.0.2.0/24], servers: [198.51.100.7]}
		rules: [{id: ssh, from: admins, to: servers, service: tcp/22, action: allow}]
	END
	applied "everything denied first" <<-END
		tiers: [guardrail, app]
		rules:
		  - {id: nothing, tier: guardrail, from: any, to: any, service: any, action: drop}
		  - {id: no-ssh, from: any, to: host, service: tcp/22, action: drop}
	END
	defaults='tcp: strict, non-ip: drop' applied "everything strict" <<<""
	check "an old connection goes on through all of them" goes_on
	zw node down >/dev/null 2>&1
done
attached=tcx mode_of[node]=tcx

echo "# what stands before rules"
applied "a limit that is used up" <<-END
	rules: [{id: ssh, from: any, to: host, service: tcp/22, action: allow, limit: {rate: 1/h, burst: 1, per: source}}]
END
zw node block 10.1.0.2 >/dev/null 2>&1
zw node block fd00:1::2 >/dev/null 2>&1
only_ssh "a block"
check "it is one" counts node dropped blocked
check "an old connection, too" goes_on
zw node unblock 10.1.0.2 >/dev/null 2>&1
zw node unblock fd00:1::2 >/dev/null 2>&1
zw node down >/dev/null 2>&1
flows=8 applied "a table of eight flows" <<-END
	rules: [{id: udp, from: any, to: any, service: udp, action: allow}]
END
at a python3 -c '
import socket
for port in range(2000, 2200):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("10.1.0.2", port))
    s.sendto(b"x", ("10.1.0.1", 9))'
check "is full" has "$(zw node flows -o json 2>/dev/null | wc -l)" "^[4-9]"
only_ssh "when it is full"
check "an old connection goes on" goes_on
zw node down >/dev/null 2>&1

echo "# a boot"
boot() { rm -rf "/sys/fs/bpf/zonewall/$base-node"; }
for attached in "${modes[@]}"; do
	mode_of[node]=$attached
	policy p
	zw node apply "$dir/p" >/dev/null 2>&1
	[ "$attached" != clsact ] || at node tc qdisc del dev v0 clsact # which would outlive its pins, unlike after a boot
	boot
	check "nothing decides" soon reaches 23
	ip -n "$base-node" addr flush dev v0
	check "restored before there are addresses" zw node restore
	address node v0 1 1
	only_ssh "without a loader"
	zw node down >/dev/null 2>&1
done
attached=tcx mode_of[node]=tcx
policy p
zw node apply "$dir/p" >/dev/null 2>&1
cp "$dir/p" "$dir/node.yaml"
run node
ip -n "$base-node" addr add 10.1.0.9/24 dev v0
check "an address that comes later, with one" soon reaches 22 10.1.0.9
stop run-node
ip -n "$base-node" addr del 10.1.0.9/24 dev v0

echo "# what does close it"
policy p
echo 'failsafe: []' >>"$dir/p"
out=$(zw node apply --force "$dir/p" 2>&1)
check "failsafe: [] warns" has "$out" "warning: .*failsafe"
check "and lets in nobody" not reaches 22
policy p
echo 'failsafe: [{from: 10.1.0.3, to: host, service: tcp/22}]' >>"$dir/p"
zw node apply --force "$dir/p" >/dev/null 2>&1
check "an entry of one's own takes the default's place: others are not let in" not reaches 22
ip -n "$base-a" addr add 10.1.0.3/24 dev e0
check "who it names is" at a timeout 10 python3 -c '
import socket
s = socket.create_connection(("10.1.0.1", 22), 2, ("10.1.0.3", 0))
s.send(b"x\n")
assert s.recv(2)'
policy p
sed -i 's/match: \[v0\]/&, source: 192.0.2.0\/24/' "$dir/p"
zw node apply --force "$dir/p" >/dev/null 2>&1
check "who comes from where the interface's source is not is forged, whatever failsafe says" not reaches 22
check "counted as such" counts node dropped spoofed
zw node down >/dev/null 2>&1
echo "1..$count"
