#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# accepted.sh BUILD [ROUNDS [SECONDS]] - what accepted traffic loses: row P9 of design section 13. A client's and a
# server's namespace with a veth between them; on the server's end nothing, zonewall with `xdp: auto`, or nftables with
# the same stateful policy. In each round all three, in turns: TCP throughput (iperf3), and requests (wrk, nginx, 16
# connections kept alive).
#
#   a (10.77.0.1) c0 --- s0 b (10.77.0.2, iperf3 and nginx; zonewall or nftables)
set -eu
build=$(realpath "$1")
rounds=${2:-9} seconds=${3:-1}
cd "$(dirname "$0")/.."
name=zw-bench-$$
dir=$(mktemp -d)
server=10.77.0.2 client=10.77.0.1
pids=()

# Where tasks are grouped by session, the group's share counts, and not the task's.
autogroup=$(sed 's/.* //' /proc/self/autogroup 2>/dev/null || true)
share() { [ -z "$autogroup" ] || echo "$1" >/proc/self/autogroup || true; }

clean_up()
{
	share "$autogroup"
	[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
	wait
	at b "$build/zonewall" down --instance "$name" >/dev/null 2>&1 || true
	ip netns del "$name-a" 2>/dev/null || true
	ip netns del "$name-b" 2>/dev/null || true
	rm -rf "/run/zonewall/$name" "/var/lib/zonewall/$name" "$dir"
}
at() { nsenter --net="/run/netns/$name-$1" "${@:2}"; }
die() { echo "error: accepted: $*" >&2; exit 1; }

# --- the two hosts, each on its CPU, if there are two, and before other work of this machine

trap clean_up EXIT
share -20
trap 'exit 1' INT TERM PIPE
ip netns add "$name-a"
ip netns add "$name-b"
ip link add c0 netns "$name-a" type veth peer name s0 netns "$name-b"
ip -n "$name-a" addr add $client/24 dev c0
ip -n "$name-b" addr add $server/24 dev s0
for end in a.lo a.c0 b.lo b.s0; do ip -n "$name-${end%.*}" link set "${end#*.}" up; done
client_first=(nice -n -20 taskset -c 0) server_first=(nice -n -20 taskset -c $(($(nproc) - 1)))
cat >"$dir/nginx.conf" <<END
daemon off;
worker_processes 1;
error_log stderr crit;
pid $dir/nginx.pid;
events { worker_connections 256; }
http {
	access_log off;
	keepalive_requests 100000000;
	client_body_temp_path $dir; proxy_temp_path $dir; fastcgi_temp_path $dir; uwsgi_temp_path $dir; scgi_temp_path $dir;
	server { listen 80; listen 81; location / { return 200 "accepted\n"; } }
}
END
# Not by at(): $! must be the server, not a shell that waits for it.
nsenter --net="/run/netns/$name-b" "${server_first[@]}" iperf3 -s >/dev/null 2>&1 &
pids+=($!)
nsenter --net="/run/netns/$name-b" "${server_first[@]}" nginx -p "$dir" -c "$dir/nginx.conf" &
pids+=($!)

# --- what is attached

cat >"$dir/policy.yaml" <<END
version: 1
defaults: {action: drop}
interfaces: [{match: [s0], xdp: auto}]
zones: {clients: [$client]}
rules:
  - {id: throughput, from: clients, to: host, service: tcp/5201, action: allow}
  - {id: requests, from: clients, to: host, service: tcp/80, action: allow}
END
cat >"$dir/rules.nft" <<END
table inet zw_bench {
	map allowed {
		type ipv4_addr . inet_service : verdict
		elements = { $client . 5201 : accept, $client . 80 : accept }
	}
	chain in {
		type filter hook input priority 0; policy drop;
		ct state vmap { established : accept, related : accept, invalid : drop }
		ip saddr . tcp dport vmap @allowed
	}
	chain out {
		type filter hook output priority 0; policy drop;
		ct state vmap { established : accept, related : accept }
	}
}
END
attach()
{
	case $1 in
	zonewall)
		at b "$build/zonewall" apply --instance "$name" "$dir/policy.yaml" >"$dir/out" 2>&1 || die "$(cat "$dir/out")"
		;;
	nftables) at b nft -f "$dir/rules.nft" ;;
	esac
}
detach()
{
	case $1 in
	zonewall) at b "$build/zonewall" down --instance "$name" >/dev/null ;;
	nftables) at b nft delete table inet zw_bench ;;
	esac
}
# A firewall that is not there would win. Port 81 is served, and no rule allows it.
opens() { at a timeout 0.3 bash -c "exec 3<>/dev/tcp/$server/$1" 2>/dev/null; }
prove()
{
	opens 80 || die "with $1, port 80 cannot be reached"
	if opens 81; then
		[ "$1" = nothing ] || die "with $1, port 81 is open"
	else
		[ "$1" != nothing ] || die "with $1, port 81 is closed"
	fi
}

# --- what is measured

throughput()
{
	at a "${client_first[@]}" iperf3 -c $server -t "$seconds" -J |
		sed -n '/"sum_received"/,/}/s/.*"bits_per_second":[^0-9]*\([0-9.e+]*\).*/\1/p' | awk '{ print $1 / 1e9 }'
}
requests()
{
	at a "${client_first[@]}" wrk -t1 -c16 -d"${seconds}s" "http://$server/" | awk '/^Requests.sec/ { print $2 / 1e3 }'
}
declare -A values
note() # note WHAT WHO VALUE
{
	[ -n "$3" ] || die "$1 with $2: no result"
	values[$1.$2]+="$3 "
}
measure()
{
	attach "$1"
	[ "$2" != 0 ] || prove "$1"
	note throughput "$1" "$(throughput)"
	note requests "$1" "$(requests)"
	detach "$1"
}
figure() # figure WHAT NAME UNIT
{
	local peer
	for peer in nothing nftables; do
		"$build/bench/figures" add -r "P9 $peer" -n "accepted: $2, over $peer" -u "$3" -v "${values[$1.zonewall]}" \
			-p "${values[$1.$peer]}"
	done
}

for _ in $(seq 50); do
	! opens 80 || ! opens 5201 || break
	sleep 0.1
done
order=(nothing zonewall nftables)
for ((round = 0; round < rounds; round++)); do
	for ((i = 0; i < 3; i++)); do measure "${order[(round + i) % 3]}" "$round"; done
done
figure throughput "TCP throughput" Gbit/s
figure requests "requests" k/s
