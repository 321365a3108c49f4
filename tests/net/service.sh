#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# service.sh - restore and run as systemd starts them: with three capabilities, in a mount namespace where all but a few
# folders is read-only, under systemd's filter of system calls, and told to a manager of the test's own. publish.bash
# draws the hosts. What of the units a machine without systemd cannot try, tests/install/units.sh reads.
# shellcheck source=tests/net/publish.bash
. "${BASH_SOURCE%/*}/publish.bash" "service-$$"
units=$(realpath "${BASH_SOURCE%/*}/../../systemd")
set_up
manager='' run=''
trap 'kill $run $manager 2>/dev/null; clean_up' EXIT

setting() { sed -n "s/^$1=//p" "$units/hardening"; }
# "${sandbox[@]}" COMMAND...: in the node, as the units say
mkdir -p /run/zonewall /var/lib/zonewall
# shellcheck disable=SC2016
sandbox=(env NOTIFY_SOCKET="$dir/notify" WATCHDOG_USEC=2000000 nsenter --net="/run/netns/$node"
	unshare -m --propagation slave bash -c '
		mount --bind /run/zonewall /run/zonewall && mount --bind /var/lib/zonewall /var/lib/zonewall &&
		mount -o remount,bind,ro / && mount -o remount,bind,ro /sys || exit 99
		exec setpriv --bounding-set="-all,$0" --inh-caps=-all --no-new-privs "$@"'
	"$(setting CapabilityBoundingSet | tr 'A-Z ' 'a-z,' | sed 's/cap_/+/g')")
listen() # what the manager is told, a line each
{
	python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(s.recv(4096).decode(), flush=True)' "$dir/notify" >>"$dir/told" &
	manager=$!
	soon test -S "$dir/notify"
}
told() { grep -q -- "$1" "$dir/told" || { cat "$dir/told"; return 1; }; }
start_run()
{
	: >"$dir/told"
	"${sandbox[@]}" "$zonewall" run --instance "$instance" "$@" >"$dir/run.log" 2>&1 &
	run=$!
}
end_run() # SIGNAL: exit status of run
{
	local status
	kill "-$1" "$run"
	wait "$run" 2>/dev/null
	status=$?
	run=''
	return $status
}

listen
policy one 10.99.0.2 off v0
policy two 10.99.0.3 off v0
zw apply "$dir/one" >/dev/null 2>&1
rm -rf "/sys/fs/bpf/zonewall/$instance"
check "restore with three capabilities" "${sandbox[@]}" "$zonewall" restore --instance "$instance"
check "the policy decides" only_pings 2
start_run
check "run says READY" soon told '^READY=1'
check "and what decides" told "^STATUS=generation [0-9]* decides"
check "the watchdog is fed" soon told '^WATCHDOG=1'
check "its socket is there" has "$(zw status -o json)" '"run":{"pid"'
ip -n "$node" link add v4 type veth peer name v5
policy three 10.99.0.3 off v0 v4
zw apply "$dir/three" >/dev/null 2>&1
number=$(zw status -o json | sed -n 's/.*"generation":\([0-9]*\).*/\1/p' | head -n 1)
check "another generation is told" soon told "^STATUS=generation $number "
fed() { grep -c WATCHDOG=1 "$dir/told"; }
kill -STOP "$run"
sleep 0.2
before=$(fed)
sleep 1.5
check "not when it hangs" is "$before" "$(fed)"
kill -CONT "$run"
end_run TERM
ok $? "SIGTERM: exit status 0"
check "STOPPING" told '^STOPPING=1'
check "and the policy goes on deciding" only_pings 3

start_run "$dir/two"
check "with files" soon told '^READY=1'
check "they decide" only_pings 3
sed 's/10.99.0.3/10.99.0.2/' "$dir/two" >"$dir/edited"
cat "$dir/edited" >"$dir/two"
: >"$dir/told"
kill -HUP "$run"
check "a reload is told" soon told '^RELOADING=1'
check "with the clock that Type=notify-reload wants" told '^MONOTONIC_USEC=[0-9]'
check "and its end" soon told '^READY=1'
check "the edited policy decides" only_pings 2
end_run KILL
check "killed: it goes on deciding" only_pings 2
start_run "$dir/nothing"
wait "$run"
check "files that are not there: exit status 3" is $? 3
check "and the policy goes on deciding" only_pings 2
run=''

# The filter: each system call of restore, run and apply is on it.
if [ -z "$(type -P strace)" ] || [ -z "$(type -P systemd-analyze)" ]; then
	skip "there is no strace, or no systemd-analyze"
else
	names() # names WORD...: system calls, those of sets included
	{
		local word
		for word; do
			# shellcheck disable=SC2046 # words
			case $word in
			@*) names $(systemd-analyze syscall-filter --no-pager "$word" | sed '1,2d;s/#.*//') ;;
			*) echo "$word" ;;
			esac
		done
	}
	filter()
	{
		local line
		: >"$dir/filter"
		setting SystemCallFilter >"$dir/lines"
		while read -r line; do
			# shellcheck disable=SC2086 # words
			names ${line#\~} | sort -u >"$dir/names"
			case $line in
			\~*) comm -23 "$dir/filter" "$dir/names" >"$dir/next" ;;
			*) sort -u "$dir/filter" "$dir/names" >"$dir/next" ;;
			esac
			mv "$dir/next" "$dir/filter"
		done <"$dir/lines"
	}
	called() { sed -n 's/^\([0-9]* *\)\?\([a-z0-9_]*\)(.*/\2/p' "$dir"/trace.* | sort -u | grep -vx execve; }
	filter
	zw apply "$dir/one" >/dev/null 2>&1
	rm -rf "/sys/fs/bpf/zonewall/$instance"
	at_node strace -f -qq -o "$dir/trace.restore" "$zonewall" restore --instance "$instance" >/dev/null 2>&1
	nsenter --net="/run/netns/$node" strace -f -qq -o "$dir/trace.run" "$zonewall" run --instance "$instance" \
		"$dir/one" >"$dir/run.log" 2>&1 &
	run=$!
	soon grep -q ready "$dir/run.log"
	zw status >/dev/null
	zw flows >/dev/null
	ip -n "$node" addr add 10.99.0.77/24 dev v0
	soon grep -q "addresses of this host" "$dir/run.log" >/dev/null
	ip -n "$node" link add v6 type veth peer name v7
	sleep 0.5
	kill -HUP "$(pgrep -P "$run")"
	sleep 0.5
	kill "$(pgrep -P "$run")"
	wait "$run" 2>/dev/null
	run=''
	check "traces are whole" test "$(called | wc -l)" -gt 40
	check "each of their system calls passes the filter" is "$(called | comm -23 - "$dir/filter" | tr '\n' ' ')" ""
fi
echo "1..$count"
