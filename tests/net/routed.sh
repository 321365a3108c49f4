#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Real clients and servers on two sides of a node that routes, under each way of attaching:
#
#   the client 10.1.0.2 fd00:1::2 --- vc  the node  vs --- the server 10.2.0.2 fd00:2::2: nginx, iperf3
#
# The policy lets the client reach nginx, iperf3 and ping, nothing else; datagrams of 8 KB go in fragments.
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "routed-$$"

serve()
{
	cat >"$dir/nginx.conf" <<-END
		daemon off; pid $dir/nginx.pid; error_log $dir/error.log; worker_processes 1; events {}
		http { access_log off; client_body_temp_path $dir/b; proxy_temp_path $dir/p; fastcgi_temp_path $dir/f;
		uwsgi_temp_path $dir/u; scgi_temp_path $dir/s;
		server { listen 80; listen [::]:80; listen 81; listen [::]:81; location / { return 200 "hello\n"; } } }
	END
	start nginx server nginx -c "$dir/nginx.conf"
	start iperf3 server iperf3 -s
	soon listens server 5201 && soon listens server 80
}

policy()
{
	cat <<-END
		zones: {client: [10.1.0.0/24, "fd00:1::/64"], server: [10.2.0.0/24, "fd00:2::/64"]}
		services: {web: tcp/80, iperf: [tcp/5201, udp/5201], ping: [icmp/echo-request, icmpv6/echo-request]}
		rules: [{id: all, from: client, to: server, service: [web, iperf, ping], action: allow}]
	END
}

get() { [ "$(at client curl -sS --max-time 2 "$1")" = hello ]; }
back() { at server curl -sS --max-time 0.5 "$1"; }
pings() { at client ping -n -c 2 -i 0.2 -W 1 "${@:2}" "$1"; }
iperf() { at client timeout 10 iperf3 -c "$@" -n 20M; }
udp() { at client timeout 10 iperf3 -u -c "$1" -l 8000 -b 20M -t 1 -J | python3 -c '
import json, sys
sum = json.load(sys.stdin)["end"]["sum"]
sys.exit(sum["packets"] - sum["lost_packets"] < 50)'; } # a busy machine loses some itself
counts_three() # three SYNs that the policy denies are three drops
{
	local before after
	before=$(counted node dropped "" vc)
	at client python3 -c '
import socket
for _ in range(3): # each sends one SYN, and is gone before it could repeat it
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex(("10.2.0.2", 81))
    s.close()'
	sleep 0.1
	after=$(counted node dropped "" vc)
	[ $((after - before)) -eq 3 ] || { echo "$before, then $after"; return 1; }
}

add_hosts node client server
join node vc client eth0 1
join node vs server eth0 2
route client 1 1
route server 2 1
route_between node
serve || { echo "Bail out! the servers do not start"; exit 1; }

for attached in "${modes[@]}"; do
	check "the policy is applied" apply node < <(policy)
	for host in 10.2.0.2 '[fd00:2::2]'; do
		address=${host//[\[\]]/}
		check "the client gets a page from $address" get "http://$host/"
		check "but not from another port" not get "http://$host:81/"
		check "20 MB go to $address" iperf "$address"
		check "datagrams of 8 KB reach $address whole" udp "$address"
		check "no fragment is dropped" is "$(counted node dropped fragment)" 0
		check "$address answers a ping" pings "$address"
		check "and one of 8 KB" pings "$address" -s 8000
	done
	check "the server does not reach the client" not back http://10.1.0.2/
	check "each denied SYN is counted once" counts_three
	down node
done
echo "1..$count"
