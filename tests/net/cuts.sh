#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# cuts.sh - what `apply --dry-run` foresees: connections and listening sockets that a policy would cut; and that `apply`
# does not cut the connection over which it was typed. CUTS=N random flow sets and policies (cuts.py), SEED=N repeats a run.
#
#    a 10.1.0.2, 10.1.0.3 ----- va  node  vb ----- b 10.2.0.2      the node is .1, and routes; IPv6 likewise
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "cuts-$$"
here=$(realpath "${BASH_SOURCE%/*}")
add_hosts node a b
join node va a e0 1
join node vb b e0 2
ip -n "$base-a" addr add 10.1.0.3/24 dev e0
route a 1 1
route b 2 1
route_between node
: "${SEED:=$$}"
echo "# SEED=$SEED"

policy() # policy FILE RULE...: by default nothing passes; a and b may what the rules say
{
	cat >"$dir/$1" <<-END
		version: 1
		defaults: {action: drop, log: none}
		failsafe: []
		interfaces: [{match: [${interfaces:-va, vb}]}]
		zones: {a: [10.1.0.0/24], b: [10.2.0.0/24], node: [10.1.0.1, 10.2.0.1]}
		rules:
	END
	printf '  - %s\n' "${@:2}" >>"$dir/$1"
}
dry() { zw node apply --dry-run "$dir/$1" 2>&1; }
serve() # serve NAME HOST: tcp/7001 and udp/7001, and what is said to them is nobody's business
{
	start "$1" "$2" python3 -c '
import socket, time
tcp, udp = socket.socket(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
for s in tcp, udp: s.bind(("", 7001))
tcp.listen(8)
kept = []
while True: kept.append(tcp.accept())'
	soon listens "$2" 7001
}
# The connection's client is a shell on a, whose descriptor 9 it is.
hold() { start held a bash -c 'exec 9<>/dev/tcp/10.1.0.1/7001 && echo held && sleep 60 & wait'; soon says held held; }

echo "# listening sockets"
serve server node
admin='{id: admin, from: a, to: node, service: [tcp/7001, udp/7001], action: allow}'
policy open "$admin"
policy no-tcp '{id: admin, from: a, to: node, service: udp/7001, action: allow}'
policy refused '{id: nobody, from: any, to: node, service: tcp/7001, action: drop}' "$admin"
policy narrower '{id: admin, from: 10.1.0.2, to: node, service: [tcp/7001, udp/7001], action: allow}'
out=$(dry no-tcp)
check "over nothing: everything passes now" has "$out" "nothing decides now: everything passes"
check "what nobody could reach any more is told, by each address" has "$out" "tcp *10.1.0.1:7001 *not decided *default"
check "by each address" has "$out" "tcp *10.2.0.1:7001 *not decided *default"
check "what somebody could is not" not has "$out" "udp *10.1.0.1:7001"
zw node apply "$dir/open" >/dev/null 2>&1
hold
out=$(dry open)
check "the same policy changes nothing" has "$out" "no change in meaning"
check "and cuts nothing" has "$out" "0 of 1 live connections would be cut"
check "nor closes anything" has "$out" "0 of [0-9]* listening sockets could be reached by nobody"
out=$(dry refused)
check "the change in meaning is told, as by diff" has "$out" "- a → node: tcp/7001"
check "a connection that would be cut" has "$out" "tcp *10.1.0.2:[0-9]* *10.1.0.1:7001 *rule admin *rule nobody"
check "how many, by which rule" has "$out" "by rule nobody: 1"
check "and a socket that nobody could reach" has "$out" "tcp *10.1.0.1:7001 *rule admin *rule nobody"
check "nothing is changed" has "$(zw node status)" "generation 1"
out=$(dry narrower)
check "who may go on goes on" has "$out" "0 of 1 live connections would be cut"
check "a socket that some may reach is not closed" has "$out" "0 of [0-9]* listening sockets"
interfaces=vb policy elsewhere '{id: admin, from: a, to: node, service: udp/7001, action: allow}'
out=$(dry elsewhere)
check "a connection over an interface that is not named any more goes on" has "$out" "0 of 1 live connections would be cut"
json=$(zw node apply --dry-run -o json "$dir/refused" 2>/dev/null)
check "as JSON: the difference" has "$json" '"schema":"zonewall.apply-dry-run/1".*"diff":{"schema":"zonewall.diff/1"'
check "as JSON: the connection" has "$json" '"connections":1,"cut":\[{"proto":"tcp","from":"10.1.0.2","sport":[0-9]*,"to":"10.1.0.1","dport":7001,"before":{"reason":"rule","rule":"admin"},"now":{"reason":"rule","rule":"nobody"},"own":false}\]'
check "as JSON: the socket" has "$json" '"closed":\[{"proto":"tcp","address":"10.1.0.1","port":7001,"before":{"reason":"rule","rule":"admin"},"now":{"reason":"rule","rule":"nobody"}},{'

echo "# one's own connection"
port=$(at node ss -Htn state established | sed -n 's/.*10\.1\.0\.2:\([0-9]*\).*/\1/p')
ssh="SSH_CONNECTION=10.1.0.2 $port 10.1.0.1 7001"
out=$(at node env "$ssh" "$zonewall" apply --instance "$base-node" "$dir/refused" 2>&1)
check "SSH_CONNECTION: refused, exit status 1" test $? = 1
check "said why" has "$out" "this would cut the connection over which it was typed: 10.1.0.2:$port → 10.1.0.1:7001/tcp, dropped by rule nobody"
check "and that nothing was changed" has "$out" "nothing was changed"
check "with the way out" has "$out" "fix: a rule or a failsafe that allows it; or --force"
check "the same generation" has "$(zw node status)" "generation 1"
out=$(at node env "$ssh" "$zonewall" apply --dry-run --instance "$base-node" "$dir/refused" 2>&1)
check "a dry run marks it" has "$out" "this command was typed over it"
check "a policy that lets it go on is applied" at node env "$ssh" "$zonewall" apply --instance "$base-node" "$dir/narrower"
check "--confirm does not make it safe: refused" not at node env "$ssh" "$zonewall" apply --confirm 1s --instance "$base-node" "$dir/refused"
check "a variable that names a connection elsewhere is not believed" at node env "SSH_CONNECTION=10.1.0.2 1 10.1.0.1 7001" \
	"$zonewall" apply --instance "$base-node" "$dir/refused"
zw node apply "$dir/open" >/dev/null 2>&1
check "--force" at node env "$ssh" "$zonewall" apply --force --instance "$base-node" "$dir/refused"
zw node apply "$dir/open" >/dev/null 2>&1
# As under sshd and sudo: the socket is an ancestor's, and the environment says nothing of it.
cat >"$dir/session.py" <<-'END'
	import os, socket, subprocess, sys
	listener = socket.socket()
	listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
	listener.bind(("10.1.0.1", 7002))
	listener.listen(1)
	print("listens", flush=True)
	connection, _ = listener.accept()
	environment = {key: value for key, value in os.environ.items() if not key.startswith("SSH")}
	os.set_inheritable(connection.fileno(), False)
	command = "bash -c '\"$@\"; exit $?' - " + " ".join(sys.argv[1:]) # a shell between
	done = subprocess.run(command, shell=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
	print(done.stdout, "status", done.returncode, flush=True)
END
session() # session POLICY: what apply says that is typed over a connection to tcp/7002
{
	start session node python3 "$dir/session.py" "$zonewall" apply --instance "$base-node" "$dir/$1"
	soon says session listens
	start typed a bash -c 'exec 9<>/dev/tcp/10.1.0.1/7002 && sleep 20 & wait'
	soon says session status
	stop typed
	stop session
	cat "$dir/session"
}
policy with-shell "$admin" '{id: shell, from: a, to: node, service: tcp/7002, action: allow}'
zw node apply "$dir/with-shell" >/dev/null 2>&1
out=$(session open)
check "an ancestor's connection: refused" has "$out" "status 1"
check "said whose" has "$out" "10.1.0.2:[0-9]* → 10.1.0.1:7002/tcp (of python3, process [0-9]*), dropped by default"
out=$(session with-shell)
check "a policy that lets it go on is applied" has "$out" "status 0"
zw node apply "$dir/open" >/dev/null 2>&1
zw node apply "$dir/refused" >/dev/null 2>&1
has "$(at node ss -Htn state established)" "10.1.0.1:7001" || echo "Bail out! the connection is gone"
out=$(dry no-tcp)
check "what is cut already is not cut again" has "$out" "0 of 0 live connections would be cut"
stop held
stop server
down node

echo "# random connections and policies"
start cuts node python3 "$here/cuts.py" "$base-node" "$base-a" "$base-b" "$base-node" "${CUTS:-30}" "$SEED"
wait "${started[cuts]}"
status=$?
unset "started[cuts]"
grep '^#' "$dir/cuts"
check "${CUTS:-30} times" test "$status" = 0
read -r mistakes cut kept <<<"$(tail -n 1 "$dir/cuts")"
[ "$status" -eq 0 ] || tail -n 20 "$dir/cuts" | sed 's/^/# /'
check "what was foreseen was cut, and nothing else" test "${mistakes:-1}" = 0
check "some were cut, and some went on" test "${cut:-0}" -gt 0 -a "${kept:-0}" -gt 0
echo "1..$count"
