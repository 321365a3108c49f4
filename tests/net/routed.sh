#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Real clients and servers on two sides of a node that routes, under each way of attaching:
#
#   the client 10.1.0.2 fd00:1::2 --- vc  the node  vs --- the server 10.2.0.2 fd00:2::2: nginx, iperf3
#
# The policy lets the client reach nginx, iperf3 and ping, nothing else; datagrams of 8 KB go in fragments.
set -u
zonewall=$(realpath "${ZONEWALL:-build/zonewall}")
instance=zw-routed-$$
node=$instance-n
client=$instance-c
server=$instance-s
dir=$(mktemp -d)
count=0
pids=()

in_ns() { nsenter --net="/run/netns/$1" "${@:2}"; }
zw() { in_ns "$node" env ${no_tcx:+ZONEWALL_NO_TCX=1} "$zonewall" "$1" --instance "$instance" "${@:2}"; }

clean_up()
{
	[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null
	[ ! -e "$dir/nginx.pid" ] || kill "$(cat "$dir/nginx.pid")" 2>/dev/null
	zw down >/dev/null 2>&1
	for ns in "$node" "$client" "$server"; do ip netns del "$ns" 2>/dev/null; done
	rm -rf "$dir" "/run/zonewall/$instance" "/var/lib/zonewall/$instance"
}
no_tcx=
trap clean_up EXIT
trap 'exit 1' INT TERM

join() # join NAMESPACE INTERFACE NET: the node has .1, the host .2
{
	ip link add "$2" netns "$node" type veth peer name eth0 netns "$1"
	ip -n "$node" addr add "10.$3.0.1/24" dev "$2"
	ip -n "$node" addr add "fd00:$3::1/64" dev "$2" nodad
	ip -n "$1" addr add "10.$3.0.2/24" dev eth0
	ip -n "$1" addr add "fd00:$3::2/64" dev eth0 nodad
	ip -n "$node" link set "$2" up
	ip -n "$1" link set eth0 up
	ip -n "$1" link set lo up
	ip -n "$1" route add default via "10.$3.0.1"
	ip -n "$1" -6 route add default via "fd00:$3::1"
}

serve()
{
	cat >"$dir/nginx.conf" <<-END
		pid $dir/nginx.pid; error_log $dir/error.log; worker_processes 1; events {}
		http { access_log off; client_body_temp_path $dir/b; proxy_temp_path $dir/p; fastcgi_temp_path $dir/f;
		uwsgi_temp_path $dir/u; scgi_temp_path $dir/s;
		server { listen 80; listen [::]:80; listen 81; listen [::]:81; location / { return 200 "hello\n"; } } }
	END
	in_ns "$server" nginx -c "$dir/nginx.conf" || return 1
	nsenter --net="/run/netns/$server" iperf3 -s >/dev/null 2>&1 & # not through in_ns: its pid would be a shell's
	pids+=($!)
	for _ in $(seq 50); do
		in_ns "$server" bash -c ': </dev/tcp/127.0.0.1/5201' 2>/dev/null && return 0
		sleep 0.1
	done
	return 1
}

policy() # policy XDP
{
	cat >"$dir/policy.yaml" <<-END
		version: 1
		defaults: {action: drop}
		failsafe: []
		interfaces: [{match: [vc, vs], xdp: $1}]
		zones: {client: [10.1.0.0/24, "fd00:1::/64"], server: [10.2.0.0/24, "fd00:2::/64"]}
		services: {web: tcp/80, iperf: [tcp/5201, udp/5201], ping: [icmp/echo-request, icmpv6/echo-request]}
		rules: [{id: all, from: client, to: server, service: [web, iperf, ping], action: allow}]
	END
}

check() # check WHAT COMMAND...
{
	local out status
	out=$("${@:2}" 2>&1)
	status=$?
	count=$((count + 1))
	if [ "$status" -eq 0 ]; then
		echo "ok $count - $mode: $1"
	else
		echo "not ok $count - $mode: $1"
		printf '%s\n' "$out" | sed 's/^/# /'
	fi
}
not() { ! "$@"; }
get() { [ "$(in_ns "$client" curl -sS --max-time 2 "$1")" = hello ]; }
back() { in_ns "$server" curl -sS --max-time 0.5 "$1"; }
pings() { in_ns "$client" ping -n -c 2 -i 0.2 -W 1 "${@:2}" "$1"; }
iperf() { in_ns "$client" timeout 10 iperf3 -c "$@" -n 20M; }
udp() { in_ns "$client" timeout 10 iperf3 -u -c "$1" -l 8000 -b 20M -t 1 -J | python3 -c '
import json, sys
sum = json.load(sys.stdin)["end"]["sum"]
sys.exit(not (sum["packets"] > 100 and sum["lost_packets"] == 0))'; }
dropped() # packets dropped at the ingress hook of $1, by the counters
{
	zw status -o json | python3 -c '
import json, sys
points = json.load(sys.stdin)["attach_points"]
print(sum(p["dropped"]["packets"] for p in points if p["interface"] == sys.argv[1] and p["hook"] != "egress"))' "$1"
}
counts_three() # three SYNs that the policy denies are three drops
{
	local before after
	before=$(dropped vc)
	in_ns "$client" python3 -c '
import socket
for _ in range(3): # each sends one SYN, and is gone before it could repeat it
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex(("10.2.0.2", 81))
    s.close()'
	sleep 0.1
	after=$(dropped vc)
	[ $((after - before)) -eq 3 ] || { echo "$before, then $after"; return 1; }
}

ip netns add "$node" && ip netns add "$client" && ip netns add "$server"
join "$client" vc 1
join "$server" vs 2
in_ns "$node" bash -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
serve || { echo "Bail out! the servers do not start"; exit 1; }

for mode in tcx clsact native generic; do
	xdp=off no_tcx=
	case $mode in clsact) no_tcx=1 ;; native | generic) xdp=$mode ;; esac
	policy "$xdp"
	check "the policy is applied" zw apply "$dir/policy.yaml"
	for host in 10.2.0.2 '[fd00:2::2]'; do
		address=${host//[\[\]]/}
		check "the client gets a page from $address" get "http://$host/"
		check "but not from another port" not get "http://$host:81/"
		check "20 MB go to $address" iperf "$address"
		check "datagrams of 8 KB reach $address whole" udp "$address"
		check "$address answers a ping" pings "$address"
		check "and one of 8 KB" pings "$address" -s 8000
	done
	check "the server does not reach the client" not back http://10.1.0.2/
	check "each denied SYN is counted once" counts_three
	zw down >/dev/null
done
echo "1..$count"
