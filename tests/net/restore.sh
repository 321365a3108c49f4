#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# restore.sh - what was confirmed last is on disk, and decides again after a boot; and `run` makes the policy that it finds
# its own: it follows the addresses of the host, whoever applied it. publish.bash draws the hosts.
#
# A boot leaves nothing in the kernel. Here: no pins, with which links, programs and maps go.
# shellcheck source=tests/net/publish.bash
. "${BASH_SOURCE%/*}/publish.bash" "restore-$$"
saved=/var/lib/zonewall/$instance
set_up
trap 'kill $run 2>/dev/null; clean_up' EXIT
run=''

boot() { rm -rf "/sys/fs/bpf/zonewall/$instance" "/run/zonewall/$instance"; }
exits() { local status=0; "${@:2}" >"$dir/out" 2>&1 || status=$?; test "$status" = "$1" || { cat "$dir/out"; return 1; }; }
answers() { at_peer ping -c 1 -W "${2:-1}" -I "$1" "${address:-10.99.0.1}" >/dev/null; }
decides() { answers 10.99.0.2 && not answers 10.99.0.3 0.3; } # the policy one, and not the other
generation() { zw status -o json | sed -n 's/.*"generation":\([0-9]*\).*/\1/p' | head -n 1; }
start_run()
{
	nsenter --net="/run/netns/$node" "$zonewall" run --instance "$instance" >"$dir/run.log" 2>&1 &
	run=$!
	soon grep -q ready "$dir/run.log"
}
stop_run() { kill "$run"; wait "$run"; run=''; } 2>/dev/null

check "nothing is saved, and that is said: exit status 4" exits 4 zw restore
check "with what to do" has "$(cat "$dir/out")" "fix: zonewall apply"

policy other 10.99.0.3 off v0
zw apply "$dir/other" >"$dir/out" 2>&1
policy one 10.99.0.2 off v0
zw apply "$dir/one" >"$dir/out" 2>&1
check "it decides" decides
check "what only root may read is saved" is "$(stat -c %a "$saved/confirmed")" 600
rm "$dir/one"
boot
check "after a boot nothing decides" soon answers 10.99.0.3
check "restore" exits 0 zw restore
check "says what it attached" has "$(cat "$dir/out")" "v0 *ingress .*attached"
check "and the policy decides, though its file is gone" decides
check "by its rule" has "$(zw rules)" "ping"
before=$(generation)
check "once more: nothing to do" exits 0 zw restore
check "and that is said" has "$(cat "$dir/out")" "generation $before decides already"
check "and nothing was changed" is "$before" "$(generation)"

echo "# what is on disk"
check "the one before is kept, too" test -s "$saved/former"
truncate -s -5 "$saved/confirmed"
boot
check "one that is damaged is told, and the one before restored" exits 0 zw restore
check "by name" has "$(cat "$dir/out")" "$saved/confirmed is damaged"
check "it decides" answers 10.99.0.3
boot
zw restore >"$dir/out" 2>&1
check "and is the saved one now" not has "$(cat "$dir/out")" damaged
boot
rm "$saved/former"
: >"$saved/confirmed"
check "without any that is whole: exit status 1" exits 1 zw restore
check "said so" has "$(cat "$dir/out")" "no saved policy can be restored: nothing but SSH to this host (tcp/22) is let in"
listener=$(at_node bash -c 'python3 -c "
import socket
s = socket.socket(socket.AF_INET6)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((\"::\", 22))
s.listen()
while True: s.accept()" >/dev/null 2>&1 & echo $!')
trap 'kill $run $listener 2>/dev/null; clean_up' EXIT
lets_in() { at_peer timeout "${1:-2}" bash -c ': </dev/tcp/10.99.0.1/22'; }
check "SSH is let in" soon lets_in
check "and nothing else" not answers 10.99.0.2 0.3
start_run
ok $? "run adopts it"
ip -n "$node" addr add 10.99.0.6/24 dev v0
check "follows addresses with it" soon grep -q "addresses of this host have changed" "$dir/run.log"
sleep 0.5
check "SSH is let in still" lets_in
stop_run
ip -n "$node" addr del 10.99.0.6/24 dev v0
kill "$listener"
check "what was saved is left as it is" is "$(stat -c %s "$saved/confirmed") $(find "$saved" -name former)" "0 "
boot
policy one 10.99.0.2 off v0
zw apply "$dir/one" >/dev/null 2>&1
zw apply "$dir/other" >/dev/null 2>&1
zw rollback >/dev/null 2>&1
boot
zw restore >/dev/null 2>&1
check "what was gone back to is restored" decides
zw down >/dev/null 2>&1
check "down says that it is not to come back by itself" test -e "$saved/down"
check "by hand it does" exits 0 zw restore
check "and then again with a boot" test ! -e "$saved/down"
check "it decides" decides
rm -r "$saved"
touch "$saved"
check "an apply that cannot be saved is an apply" exits 0 zw apply "$dir/other"
check "with a warning" has "$(cat "$dir/out")" "would not come back after a boot"
rm "$saved"
zw apply "$dir/one" >/dev/null 2>&1

echo "# addresses that come later"
cat >"$dir/host" <<-END
	version: 1
	defaults: {action: drop}
	interfaces: [{match: [v0], xdp: off}]
	rules: [{id: ping, from: 10.99.0.2, to: host, service: icmp/echo-request, action: allow}]
END
zw apply "$dir/host" >/dev/null 2>&1
boot
ip -n "$node" addr flush dev v0
check "restored before there are addresses" exits 0 zw restore
start_run
ok $? "run"
ip -n "$node" addr add 10.99.0.1/24 dev v0
check "follows them, without any file" soon decides
check "and says so" grep -q "the addresses of this host have changed" "$dir/run.log"
before=$(generation)
stop_run
start_run
check "started again it finds nothing to change" is "$before" "$(generation)"
stop_run
ip -n "$node" addr add 10.99.0.7/24 dev v0
address=10.99.0.7
check "what changes without it" not answers 10.99.0.2 0.3
start_run
check "it does when it is started" soon decides
sed 's/10.99.0.2/10.99.0.3/' "$dir/host" >"$dir/host3"
zw apply "$dir/host3" >/dev/null 2>&1
check "what somebody else applies decides" soon answers 10.99.0.3
ip -n "$node" addr add 10.99.0.8/24 dev v0
address=10.99.0.8
check "and is followed" soon answers 10.99.0.3
ip -n "$node" addr del 10.99.0.7/24 dev v0
ip -n "$node" addr add 10.99.0.9/24 dev v0
address=10.99.0.9
check "so are others, before somebody applies again" soon answers 10.99.0.3
zw apply "$dir/host" >/dev/null 2>&1
ip -n "$node" addr add 10.99.0.10/24 dev v0
address=10.99.0.10
check "the next one is followed" soon decides
zw rollback >/dev/null 2>&1
check "a rollback goes to the policy before, and makes it anew for today's addresses" soon answers 10.99.0.3
check "not to that for other addresses" not answers 10.99.0.2 0.3
zw rollback >/dev/null 2>&1
check "and forward again" soon decides
stop_run
echo "1..$count"
