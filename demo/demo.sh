#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The demo: a node that routes between three hosts, real servers and clients on them, and zonewall on the node.
#
#                        node (zonewall runs here)
#   gateway ───────────── [gateway] ┐
#   10.1.0.10 fd00:1::10            │
#   (198.51.100.7: an outsider)     ├ routes
#   app ───────────────── [app] ────┤
#   10.2.0.10 fd00:2::10  nginx     │
#   data ──────────────── [data] ───┘
#   10.3.0.10 fd00:3::10  redis
#
# Each host is a network namespace zw-demo-NAME; nothing of this machine's own network is touched.
#   demo.sh           run it; KEEP=1 leaves the hosts up
#   demo.sh remove    remove what KEEP=1 left
set -euo pipefail
cd "$(dirname "$0")/.."

ZONEWALL=${ZONEWALL:-$PWD/build/zonewall}
HOSTS="gateway app data"
INSTANCE=zw-demo
DIR=/run/zw-demo
FIRST=policies/demo.yaml
SECOND=policies/demo-contained.yaml
export ZONEWALL_INSTANCE=$INSTANCE
failures=0
helper=                 # pid of a child that only the script itself needs: tail, or requests without end
declare -A was=()

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' dim=$'\e[2m' plain=$'\e[0m'
else
	bold='' green='' red='' dim='' plain=''
fi

title() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
die() { echo "demo: $*" >&2; exit 1; }
fail() { printf '%snot as expected: %s%s\n' "$red" "$*" "$plain"; failures=$((failures + 1)); }
show() { printf '%s$ %s%s\n' "$dim" "$*" "$plain"; }

# ip netns exec would mount another /sys, without the BPF file system: enter the network namespace alone.
on() { local host=$1; shift; nsenter --net="/run/netns/zw-demo-$host" "$@"; }
zonewall() { on node "$ZONEWALL" "$@"; }

# Starts a program on a host and notes its pid; its output goes to $DIR/NAME.log.
start() {
	local name=$1 host=$2
	shift 2
	: >"$DIR/$name.log" # before anybody looks for it
	nsenter --net="/run/netns/zw-demo-$host" "$@" >"$DIR/$name.log" 2>&1 </dev/null 9>&- &
	echo "$! $host" >"$DIR/$name.pid"
}

# Ends what `start` began: a pid counts only while it lives in that host's namespace, as pids are used again.
stop() {
	local file=$DIR/$1.pid pid host
	[ -e "$file" ] || return 0
	read -r pid host <"$file"
	rm -f "$file"
	[ "$(readlink "/proc/$pid/ns/net" 2>/dev/null)" = "net:[$(stat -Lc %i "/run/netns/zw-demo-$host" 2>/dev/null)]" ] ||
		return 0
	kill "$pid" 2>/dev/null || return 0
	for _ in $(seq 50); do
		kill -0 "$pid" 2>/dev/null || return 0
		sleep 0.1
	done
	kill -9 "$pid" 2>/dev/null || true
}

remove() {
	local file host
	for file in "$DIR"/*.pid; do
		[ -e "$file" ] || continue
		stop "$(basename "$file" .pid)"
	done
	if [ -e /run/netns/zw-demo-node ] && [ -x "$ZONEWALL" ]; then
		zonewall down >"$DIR/down.log" 2>&1 || [ $? = 4 ] || cat "$DIR/down.log" >&2
	fi
	for host in node $HOSTS; do
		[ ! -e "/run/netns/zw-demo-$host" ] || ip netns delete "zw-demo-$host"
	done
	rm -rf "$DIR" "/run/zonewall/$INSTANCE" "/var/lib/zonewall/$INSTANCE"
}

finish() {
	local status=$?
	trap - EXIT INT TERM HUP
	set +e
	if [ $status != 0 ] && [ -e "$DIR/run.log" ]; then
		echo "demo: what 'zonewall run' said:" >&2
		tail -n 20 "$DIR/run.log" >&2
	fi
	[ -z "$helper" ] || kill "$helper" 2>/dev/null
	if [ -z "${KEEP:-}" ] || [ $status != 0 ]; then
		remove
	fi
	exit $status
}

build_hosts() {
	local host n=0
	ip netns add zw-demo-node
	on node ip link set lo up
	# /proc/sys/net shows the network namespace of whoever looks.
	on node sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
	for host in $HOSTS; do
		n=$((n + 1))
		ip netns add "zw-demo-$host"
		on "$host" ip link set lo up
		ip -n zw-demo-node link add "$host" type veth peer name eth0 netns "zw-demo-$host"
		ip -n zw-demo-node address add 10.$n.0.1/24 dev "$host"
		ip -n zw-demo-node address add fd00:$n::1/64 dev "$host" nodad
		ip -n "zw-demo-$host" address add 10.$n.0.10/24 dev eth0
		ip -n "zw-demo-$host" address add fd00:$n::10/64 dev eth0 nodad
		ip -n zw-demo-node link set "$host" up
		ip -n "zw-demo-$host" link set eth0 up
		ip -n "zw-demo-$host" route add default via 10.$n.0.1
		ip -n "zw-demo-$host" -6 route add default via fd00:$n::1
	done
	# An address that no zone lists, behind the gateway: somebody from outside.
	ip -n zw-demo-gateway address add 198.51.100.7/32 dev lo
	ip -n zw-demo-node route add 198.51.100.0/24 via 10.1.0.10
}

# start_web HOST ADDRESS4 ADDRESS6
start_web() {
	mkdir -p "$DIR/web-$1"
	echo "hello from $1" >"$DIR/web-$1/index.html"
	cat >"$DIR/web-$1.conf" <<-END
	daemon off;
	master_process off;
	worker_processes 1;
	pid $DIR/web-$1/nginx.pid;
	error_log stderr;
	events { worker_connections 256; }
	http {
		access_log off;
		client_body_temp_path $DIR/web-$1/body;
		proxy_temp_path $DIR/web-$1/proxy;
		fastcgi_temp_path $DIR/web-$1/fastcgi;
		uwsgi_temp_path $DIR/web-$1/uwsgi;
		scgi_temp_path $DIR/web-$1/scgi;
		server {
			listen $2:80;
			listen [$3]:80;
			root $DIR/web-$1;
		}
	}
	END
	start "web-$1" "$1" nginx -e stderr -c "$DIR/web-$1.conf"
}

start_servers() {
	start_web gateway 10.1.0.10 fd00:1::10
	start_web app 10.2.0.10 fd00:2::10
	start redis data redis-server --bind 10.3.0.10 fd00:3::10 --port 6379 --protected-mode no --save '' --appendonly no \
		--dir "$DIR"
	for _ in $(seq 100); do
		if try_http gateway 10.1.0.10 && try_http app 10.2.0.10 && try_redis data 10.3.0.10; then
			return 0
		fi
		sleep 0.1
	done
	tail -n 5 "$DIR"/web-*.log "$DIR/redis.log" >&2
	die "the servers did not start"
}

# try_http FROM ADDRESS [SOURCE], try_redis FROM ADDRESS, try_ping FROM ADDRESS: 0 if it was answered
try_http() {
	local address=$2
	case $address in *:*) address="[$address]" ;; esac
	on "$1" curl -s -g --noproxy '*' --max-time 2 ${3:+--interface "$3"} -o /dev/null "http://$address/"
}
try_redis() { [ "$(on "$1" timeout 2 redis-cli -h "$2" ping 2>/dev/null)" = PONG ]; }
try_ping() { on "$1" ping -q -c 1 -W 2 "$2" >/dev/null 2>&1; }

# What is tried: from, what, to, address, source; then what is expected without a policy, with the first, with the second.
TRIES="
gateway http  app     10.2.0.10  -            yes yes yes
gateway http  app     fd00:2::10 -            yes yes yes
gateway ping  app     10.2.0.10  -            yes yes yes
gateway ping  app     fd00:2::10 -            yes yes yes
app     redis data    10.3.0.10  -            yes yes no
app     redis data    fd00:3::10 -            yes yes no
gateway redis data    10.3.0.10  -            yes no  yes
gateway redis data    fd00:3::10 -            yes no  yes
gateway ping  data    10.3.0.10  -            yes no  no
app     ping  gateway 10.1.0.10  -            yes yes no
app     ping  gateway fd00:1::10 -            yes yes no
app     http  gateway 10.1.0.10  -            yes no  no
data    http  app     10.2.0.10  -            yes no  no
data    http  app     fd00:2::10 -            yes no  no
gateway http  app     10.2.0.10  198.51.100.7 yes no  no
"

# try_all COLUMN: everything at once, as what is dropped only shows by waiting.
try_all() {
	local n=0 from what to address source expected actual colour pids=()
	local columns=("" without first second)
	while read -r from what to address source _; do
		[ -n "$from" ] || continue
		[ "$source" != - ] || source=
		n=$((n + 1))
		(if "try_$what" "$from" "$address" "$source"; then echo yes; else echo no; fi) >"$DIR/try-$n" &
		pids+=($!)
	done <<<"$TRIES"
	wait "${pids[@]}"
	n=0
	printf '%-24s %-6s %-8s %-12s %-9s %s\n' from what to address expected actual
	while read -r from what to address source expected_without expected_first expected_second; do
		[ -n "$from" ] || continue
		n=$((n + 1))
		case ${columns[$1]} in
		without) expected=$expected_without ;;
		first) expected=$expected_first ;;
		second) expected=$expected_second ;;
		esac
		actual=$(cat "$DIR/try-$n")
		[ "$source" = - ] || from="outsider $source"
		colour=$green
		[ "$actual" = yes ] || colour=$red
		printf '%-24s %-6s %-8s %-12s %-9s %s' "$from" "$what" "$to" "$address" "$(word "$expected")" \
			"$colour$(word "$actual")$plain"
		if [ "$expected" = "$actual" ]; then
			printf '%s\n' "$([ "${was[$n]:-$actual}" = "$actual" ] || echo '   (changed)')"
		else
			printf '   %s<-- not as expected%s\n' "$red" "$plain"
			failures=$((failures + 1))
		fi
		was[$n]=$actual
	done <<<"$TRIES"
}
word() { if [ "$1" = yes ]; then echo allowed; else echo dropped; fi; }

# Requests without end, a line for each: "<milliseconds since the epoch> ok|failed".
web_traffic() {
	while :; do
		if try_http gateway 10.2.0.10; then echo "$(date +%s%3N) ok"; else echo "$(date +%s%3N) failed"; fi
		sleep 0.02
	done
}
count() { grep -c "$1" "$2" || true; }
pongs() { count PONG "$DIR/redis-client.log"; }
retransmitted() { # by gateway and app
	{ on gateway nstat -asz TcpRetransSegs; on app nstat -asz TcpRetransSegs; } |
		awk '$1 == "TcpRetransSegs" { n += $2 } END { print n }'
}

wait_for() { # SECONDS WHAT COMMAND...
	local deadline=$((SECONDS + $1)) what=$2
	shift 2
	until "$@"; do
		[ $SECONDS -lt $deadline ] || { fail "$what"; return 0; }
		sleep 0.1
	done
}
more_pongs() { [ "$(pongs)" -gt "$1" ]; }
running() { zonewall status >/dev/null 2>&1; }
seen_drops() { [ "$(wc -l <"$DIR/drops.log")" -ge "$1" ]; }

end_helper() {
	kill "$helper" 2>/dev/null || true
	wait "$helper" 2>/dev/null || true
	helper=
}

drop_lines() { # follow the drops on the screen while new connections are tried
	local wanted
	show "zonewall drops -f"
	start drops node "$ZONEWALL" --no-colour drops -f
	tail -n +1 -f "$DIR/drops.log" 9>&- &
	helper=$!
	sleep 0.5
	try_redis gateway 10.3.0.10 &
	try_redis gateway fd00:3::10 &
	try_http gateway 10.2.0.10 198.51.100.7 &
	try_http data 10.2.0.10 &
	wait_for 5 "no drops were told" seen_drops 4
	sleep 1.2 # repeats are told once a second
	stop drops
	sleep 0.2
	end_helper
	for wanted in data-is-closed default gateway data world; do
		grep -q "$wanted" "$DIR/drops.log" || fail "no drop line speaks of $wanted"
	done
}

# A connection that only one policy allows, and requests that both allow, while the policy changes back and forth.
change_under_traffic() {
	local before during
	start redis-client app redis-cli -h 10.3.0.10 -r -1 -i 0.05 ping
	sleep 1
	[ "$(pongs)" -gt 0 ] || fail "app had no answer from data before the change"

	show "zonewall apply $SECOND"
	zonewall apply "$SECOND"
	sleep 0.3
	before=$(pongs)
	try_all 3
	during=$(pongs)
	if [ "$during" = "$before" ]; then
		echo "the open connection of app to data: cut ($before answers before the change, none after it)"
	else
		fail "the open connection of app to data goes on"
	fi
	echo
	show "zonewall rollback"
	zonewall rollback
	wait_for 10 "the open connection of app to data did not come back" more_pongs "$during"
	echo "the open connection of app to data: goes on, still the same connection"
	try_all 2
	stop redis-client
}

# Nothing that both policies allow may be lost: no request fails, and no packet of theirs has to be sent again.
change_often() {
	local again failed n
	web_traffic >"$DIR/web-traffic.log" 2>/dev/null 9>&- &
	helper=$!
	sleep 0.3
	again=$(retransmitted)
	show "for n in 1 2 3 4 5 6 7 8 9 10; do zonewall apply $SECOND; zonewall apply $FIRST; done"
	for n in 1 2 3 4 5 6 7 8 9 10; do
		zonewall apply "$SECOND" >"$DIR/apply.log" 2>&1 || fail "apply number $n: $(cat "$DIR/apply.log")"
		zonewall apply "$FIRST" >"$DIR/apply.log" 2>&1 || fail "apply number $n: $(cat "$DIR/apply.log")"
	done
	sleep 0.3
	end_helper
	again=$(($(retransmitted) - again))
	failed=$(count failed "$DIR/web-traffic.log")
	echo "requests of gateway to app meanwhile: $(count ok "$DIR/web-traffic.log") answered, $failed failed," \
		"$again packets sent again"
	[ "$failed$again" = 00 ] || fail "packets that both policies allow were lost"
}

[ "$(id -u)" = 0 ] || die "network namespaces and BPF need root: sudo make demo"
[ -x "$ZONEWALL" ] || die "$ZONEWALL is not there: run make"
for tool in ip nsenter curl nginx redis-server redis-cli ping nstat; do
	command -v "$tool" >/dev/null || die "$tool is missing: run make deps"
done
exec 9>/run/zw-demo.lock
flock -w 5 9 || die "another demo is running"

remove # what an earlier one may have left
[ "${1:-}" != remove ] || exit 0
mkdir -p "$DIR"
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

title "three hosts, and a node that routes between them"
sed -n 's/^#   \(.*\)/  \1/p' "$0" | sed '/demo.sh/d'
build_hosts
start_servers

title "without zonewall everybody reaches everything"
try_all 1

title "the policy"
show "cat $FIRST"
grep -v '^# SPDX' "$FIRST"
echo
show "zonewall check $FIRST"
zonewall check "$FIRST"

title "applied on the node"
show "zonewall run $FIRST &"
start run node "$ZONEWALL" run "$FIRST"
for _ in $(seq 100); do
	running && break
	kill -0 "$(cut -d' ' -f1 "$DIR/run.pid")" 2>/dev/null || die "zonewall run ended"
	sleep 0.1
done
running || die "zonewall run is not ready after ten seconds"
try_all 2

title "the drops, as they happen"
drop_lines

title "another policy, under running traffic, and back"
show "diff $FIRST $SECOND"
diff -U0 "$FIRST" "$SECOND" | grep '^[+-] ' || true
echo
change_under_traffic

title "twenty changes of policy under requests that both allow"
change_often

title "what was counted"
show "zonewall rules"
zonewall rules
echo
show "zonewall status"
zonewall status

if [ $failures != 0 ]; then
	title "$failures things were not as expected"
	exit 1
fi
title "all as expected"
if [ -n "${KEEP:-}" ]; then
	cat <<-END
	The hosts are up. On the node:
	  alias zw='sudo nsenter --net=/run/netns/zw-demo-node $ZONEWALL --instance $INSTANCE'
	  zw drops -f                      # in one terminal
	  zw apply $SECOND; zw rollback    # in another
	As one of the hosts (gateway, app, data):
	  sudo ip netns exec zw-demo-gateway curl -m 2 http://10.2.0.10/
	  sudo ip netns exec zw-demo-gateway redis-cli -h 10.3.0.10 ping
	Remove all of it:
	  sudo demo/demo.sh remove
	END
fi
