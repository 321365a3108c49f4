#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# flows.sh - `zonewall flows` over flows of real clients and servers, in both families: who opened, state, rule, zones,
# and packets and bytes that are what was sent. nginx and a small server are on the node, clients on the peer.
# shellcheck source=tests/net/publish.bash
. "${BASH_SOURCE%/*}/publish.bash" "flows-$$"
fill_tool=${BUILD:-build}/tests/net/flows_fill
run=''
pids=()

kill_children()
{
	for pid in $run "${pids[@]}"; do kill "$pid"; done 2>/dev/null
	[ ! -e "$dir/nginx.pid" ] || kill "$(cat "$dir/nginx.pid")" 2>/dev/null
	clean_up
}
set_up
trap kill_children EXIT
ip -n "$node" addr add fd99::1/64 dev v0 nodad
ip -n "$peer" addr add fd99::2/64 dev v1 nodad

policy_file() # FILE SERVICES-OF-QUERY [FLOWS]
{
	cat >"$dir/$1" <<-END
		version: 1
		defaults: {action: drop, flows: ${3:-20000}}
		failsafe: []
		interfaces: [{match: [v0], xdp: native}]
		zones: {peer: [10.99.0.2, "fd99::2"], node: [10.99.0.1, "fd99::1"], crowd: [10.192.0.0/10, "fd40::/10"]}
		services: {ping: [icmp/echo-request, icmpv6/echo-request]}
		rules:
		  - {id: web, from: peer, to: node, service: tcp/80, action: allow}
		  - {id: query, from: peer, to: node, service: $2, action: allow}
		  - {id: ping, from: peer, to: node, service: ping, action: allow}
		  - {id: echo, from: peer, to: node, service: tcp/7, action: allow}
		  - {id: out, from: node, to: peer, service: tcp/7, action: allow}
		  - {id: crowd, from: crowd, to: any, service: tcp/443, action: allow}
	END
}

# Strictly: one object a line, no key twice, no NaN, and always the same keys. Then the expression, over flows `f`.
cat >"$dir/check.py" <<'END'
import json, sys

KEYS = ["schema", "from", "to", "sport", "dport", "icmp", "id", "protocol", "state", "protected", "from_zones", "to_zones",
        "reason", "rule", "staged", "generation", "stale", "age", "idle", "from_opener", "to_opener"]

def no_constant(text):
    raise ValueError(text)

def once(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError("a key twice")
    return dict(pairs)

f = [json.loads(line, parse_constant=no_constant, object_pairs_hook=once) for line in sys.stdin]
for flow in f:
    assert list(flow) == KEYS, list(flow)
    assert flow["schema"] == "zonewall.flow/1"
    assert list(flow["from_opener"]) == list(flow["to_opener"]) == ["packets", "bytes"]
    assert flow["age"] >= 0 and flow["idle"] >= 0
one = f[0] if len(f) == 1 else None
if not eval(f"({sys.argv[1]})"):
    print(f"{len(f)} flows, not {sys.argv[1]}:", *f[:10], sep="\n")
    sys.exit(1)
END
# as EXPRESSION OPTION...: what does `flows OPTION...` show? Through $via, if it is set.
via=()
flows() { at_node "${via[@]}" "$zonewall" flows --instance "$instance" "$@"; }
as() { flows "${@:2}" -o json | python3 "$dir/check.py" "$1"; }
soon() { for _ in {1..30}; do "$@" >/dev/null && return 0; sleep 0.1; done; "$@"; } # nginx and others take their time

# server ADDRESS...: an echo server (port 7) that answers each 1,000 bytes with 2,000, and stays; and a UDP one (53) that
# answers each second datagram.
cat >"$dir/server.py" <<'END'
import selectors, socket, sys

selector = selectors.DefaultSelector()
seen = {}
for address in sys.argv[1:]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, 7), family=family)
    selector.register(listener, selectors.EVENT_READ, "listener")
    udp = socket.socket(family, socket.SOCK_DGRAM)
    udp.bind((address, 53))
    selector.register(udp, selectors.EVENT_READ, "udp")
print("ready", flush=True)
while True:
    for key, _ in selector.select():
        if key.data == "listener":
            selector.register(key.fileobj.accept()[0], selectors.EVENT_READ, "tcp")
        elif key.data == "udp":
            data, sender = key.fileobj.recvfrom(2000)
            seen[sender] = seen.get(sender, 0) + 1
            if seen[sender] % 2 == 0:
                key.fileobj.sendto(data, sender)
        else:
            data = key.fileobj.recv(1000)
            if data:
                key.fileobj.sendall(data * 2)
            else:
                selector.unregister(key.fileobj)
                key.fileobj.close()
END
# client ADDRESS: 1,000 bytes and back 2,000, then stays until it is killed.
cat >"$dir/client.py" <<'END'
import signal, socket, sys

s = socket.create_connection((sys.argv[1], 7), timeout=3)
s.sendall(b"x" * 1000)
got = 0
while got < 2000:
    got += len(s.recv(4000))
print("done", flush=True)
signal.pause()
END
# udp ADDRESS COUNT SPORT: one datagram, which is not answered, or then more, of which the first, third, ... are.
cat >"$dir/udp.py" <<'END'
import socket, sys

address, count, sport = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
s.bind(("", sport))
for i in range(count):
    s.sendto(b"y" * 100, (address, 53))
    if count > 1 and i % 2 == 0:
        s.recv(200) # every answer: one to a socket that is gone would cause an ICMP error, which the rule counts
END

start() # start OUTPUT COMMAND...: in the background, until it has written something
{
	: >"$1"
	"${@:2}" >"$1" 2>"$1.err" &
	pids+=($!)
	for _ in {1..50}; do [ -s "$1" ] && return 0; sleep 0.1; done
	sed 's/^/# /' "$1.err"
	return 1
}
serve()
{
	head -c 1000000 /dev/zero >"$dir/large"
	cat >"$dir/nginx.conf" <<-END
		pid $dir/nginx.pid; error_log $dir/error.log; worker_processes 1; user root; events {}
		http { access_log off; client_body_temp_path $dir/b; proxy_temp_path $dir/p; fastcgi_temp_path $dir/f;
		uwsgi_temp_path $dir/u; scgi_temp_path $dir/s;
		server { listen 80; listen [::]:80; root $dir; limit_rate 1k; } }
	END
	at_node nginx -c "$dir/nginx.conf" &&
		start "$dir/server.out" nsenter --net="/run/netns/$node" python3 "$dir/server.py" 10.99.0.1 fd99::1
}
hold() # hold NAME ADDRESS: a client that stays until the end
{
	start "$dir/$1.out" nsenter --net="/run/netns/$peer" python3 "$dir/client.py" "$2"
}

# The loader sees a group that this machine need not have.
start_run()
{
	{ grep -v ^zonewall: /etc/group; echo "zonewall:x:54321:"; } >"$dir/group"
	: >"$dir/run.err"
	# shellcheck disable=SC2016
	nsenter --net="/run/netns/$node" unshare -m sh -c 'mount --bind "$0" /etc/group && exec "$@"' "$dir/group" \
		"$zonewall" run --instance "$instance" >"$dir/run.out" 2>"$dir/run.err" &
	run=$!
	for _ in {1..100}; do grep -q ready "$dir/run.err" && break; sleep 0.05; done
}

out=$(zw flows 2>&1)
check "without anything published: exit status 4" test $? = 4
check "which says so" has "$out" "nothing is published"
policy_file one udp/53
check "apply" zw apply "$dir/one"
serve || { echo "Bail out! the servers do not start"; exit 1; }
check "no flows yet" as 'f == []'
check "a table without flows is its head" has "$(flows)" '^PROTO *STATE *FROM'

for address in 10.99.0.1 fd99::1; do
	v=4 ip=20 from=10.99.0.2 icmp='[8, 0]' ping=icmp
	case $address in *:*) v=6 ip=40 from=fd99::2 icmp='[128, 0]' ping=icmpv6 ;; esac
	ends="one['from'] == '$from' and one['to'] == '$address' and one['from_zones'] == ['peer'] and one['to_zones'] == ['node', 'host']"
	fresh="one['generation'] == 1 and not one['stale'] and one['age'] < 60 and one['idle'] <= one['age']"

	hold "echo$v" "$address"
	ok $? "IPv$v: a TCP client that stays"
	check "IPv$v: is established, by its rule, from its opener" as \
		"$ends and $fresh and one['state'] == 'established' and one['protected'] and one['reason'] == 'rule' and
		one['rule'] == 'echo' and one['protocol'] == 'tcp' and one['dport'] == 7 and one['sport'] >= 1024" "-$v" --port 7
	# SYN, ACK, data, and ACKs of what came back; headers of TCP with time stamps.
	check "IPv$v: with the bytes it sent, and received" as \
		"1000 + 3 * ($ip + 20) <= one['from_opener']['bytes'] <= 1000 + one['from_opener']['packets'] * ($ip + 60) and
		2000 + 2 * ($ip + 20) <= one['to_opener']['bytes'] <= 2000 + one['to_opener']['packets'] * ($ip + 60) and
		3 <= one['from_opener']['packets'] <= 10 and 2 <= one['to_opener']['packets'] <= 10" "-$v" --port 7

	at_peer python3 "$dir/udp.py" "$address" 1 4000
	check "IPv$v: a datagram without an answer" as "$ends and $fresh and one['state'] == 'unanswered' and not one['protected'] and
		one['sport'] == 4000 and one['from_opener'] == {'packets': 1, 'bytes': $ip + 108} and
		one['to_opener'] == {'packets': 0, 'bytes': 0}" "-$v" --port 53
	at_peer python3 "$dir/udp.py" "$address" 5 4000
	check "IPv$v: and then 5 more, of which 3 are answered" as "$ends and one['state'] == 'confirmed' and one['protected'] and
		one['rule'] == 'query' and one['from_opener'] == {'packets': 6, 'bytes': 6 * ($ip + 108)} and
		one['to_opener'] == {'packets': 3, 'bytes': 3 * ($ip + 108)}" "-$v" --proto udp

	at_peer ping -n -c 3 -i 0.6 -s 56 "$address" >/dev/null
	check "IPv$v: a ping" as "$ends and $fresh and one['state'] == 'open' and one['icmp'] == $icmp and one['rule'] == 'ping' and
		one['sport'] is None and one['dport'] is None and 0 <= one['id'] <= 65535 and
		one['from_opener'] == one['to_opener'] == {'packets': 3, 'bytes': 3 * ($ip + 64)} and
		one['age'] >= 1 > one['idle']" "-$v" --proto "$ping"
	at_peer ping -n -c 1 -s 3000 "$address" >/dev/null
	check "IPv$v: one in fragments is one flow more" as "len(f) == 2" "-$v" --proto "$ping"
	check "IPv$v: and its first fragments are remembered beside" has "$(zw status -o json)" \
		"\"ipv$v\":{\"entries\":[0-9]*,\"live\":4,\"protected\":2,\"fragments\":[12],"

	host=$address; [ "$v" = 4 ] || host="[$address]"
	nsenter --net="/run/netns/$peer" curl -sS --max-time 60 -o /dev/null "http://$host/large" 2>/dev/null &
	curl=$!
	pids+=("$curl")
	check "IPv$v: curl and nginx" soon as "$ends and one['state'] == 'established' and one['rule'] == 'web' and
		one['to_opener']['bytes'] > 1000" "-$v" --rule web
	kill "$curl"
	wait "$curl" 2>/dev/null
	check "IPv$v: after curl has gone" soon as "one['state'] in ('fin', 'closing', 'reset')" "-$v" --rule web
done
rm -f "$dir/large"

# The other way round: the node opens.
start "$dir/peer.out" nsenter --net="/run/netns/$peer" python3 "$dir/server.py" 10.99.0.2
start "$dir/out.out" nsenter --net="/run/netns/$node" python3 "$dir/client.py" 10.99.0.2
ok $? "a client on the node itself"
check "is the opener of its flow" as "one['from'] == '10.99.0.1' and one['to'] == '10.99.0.2' and one['from_zones'] == ['node', 'host'] and
	one['to_zones'] == ['peer'] and one['from_opener']['bytes'] < one['to_opener']['bytes']" --rule out

# Nothing is counted twice or lost: the flows of a rule are its counters. (Later fragments are the rule's alone.)
counters() # counters RULE
{
	zw rules -o json | python3 -c 'import json, sys
rule = [r for r in json.load(sys.stdin)["rules"] if r["id"] == sys.argv[1]][0]
print(rule["flows"], rule["packets"], rule["bytes"])' "$1"
}
for rule in query echo out; do
	read -r opened packets bytes <<<"$(counters "$rule")"
	check "the flows of rule $rule are its counters: $opened flows, $packets packets, $bytes bytes" as \
		"len(f) == $opened and sum(x[w]['packets'] for x in f for w in ('from_opener', 'to_opener')) == $packets and
		sum(x[w]['bytes'] for x in f for w in ('from_opener', 'to_opener')) == $bytes" --rule "$rule"
done

echo "# filters, orders, tables"
check "by zone of the opener" as "len(f) == 1 and one['rule'] == 'out'" --from node
check "by zone of the other side" as "len(f) == 1" --to peer
check "by either" as "{x['rule'] for x in f} >= {'echo', 'query', 'out'}" --zone peer
check "by address" as "len(f) == 1" --from 10.99.0.1
check "by CIDR" as "{x['rule'] for x in f} >= {'echo', 'query'} and all(x['from'] == 'fd99::2' for x in f)" --from fd99::/16
check "by family" as "{x['rule'] for x in f} >= {'echo', 'query'} and all(':' in x['to'] for x in f)" -6
check "by state" as "len(f) == 3 and all(x['state'] == 'established' for x in f)" --state established
check "none" as "f == []" --state syn
check "most bytes first" as "[sum(x[w]['bytes'] for w in ('from_opener', 'to_opener')) for x in f] ==
	sorted((sum(x[w]['bytes'] for w in ('from_opener', 'to_opener')) for x in f), reverse=True) and len(f) > 3" --sort bytes --from peer
check "oldest first" as "[x['age'] for x in f] == sorted((x['age'] for x in f), reverse=True)" --sort age
check "most recent first" as "[x['idle'] for x in f] == sorted(x['idle'] for x in f) and len(f) == 3" --sort idle -n 3
check "a limit" as "len(f) == 2" --limit 2
check "as text" has "$(flows --rule out)" 'tcp *established *10.99.0.1:[0-9]* *node,host *10.99.0.2:7 *peer *out *[0-9]*s *[0-9]*s '
check "and its head" has "$(flows --rule out | head -1)" \
	'^PROTO STATE *FROM *FROM-ZONES TO *TO-ZONES RULE *AGE *IDLE *PACKETS *BYTES *BACK *BYTES NOTE$'
check "a count as JSON" has "$(flows --count -o json --rule out)" '^{"schema":"zonewall.flow-count/1","flows":1,"changing":0}$'
out=$(flows --zone per 2>&1)
check "a zone that the policy lacks: exit status 1" test $? = 1
check "and the one that was meant" has "$out" "did you mean 'peer'"
out=$(flows --rule qery 2>&1)
check "a rule likewise" has "$out" "did you mean 'query'"
# Some time out meanwhile.
status_counts() { has "$(zw status)" "flows: IPv4: $(flows --count -4) live, [0-9]* of them protected, room for 32768"; }
check "status counts as many" soon status_counts
out=$(flows >/dev/full 2>&1)
check "a full disk: exit status 1" test $? = 1

echo "# members of the group, through the loader's socket"
start_run
if ! command -v setpriv >/dev/null; then
	ok 0 "# SKIP there is no setpriv"
else
	via=(setpriv --bounding-set=-all --inh-caps=-all) # uid 0, which may ask, but has no right to look by itself
	check "the same flows" test "$(flows --count --state established)" = 3
	check "as JSON" as "{x['rule'] for x in f} == {'echo', 'out'}" --state established
	check "filtered and sorted" as "len(f) == 2 and f[0]['age'] >= f[1]['age'] and f[0]['rule'] == 'echo'" --rule echo --sort age
	check "as text" has "$(flows --rule out)" 'tcp *established *10.99.0.1:[0-9]* *node,host *10.99.0.2:7 *peer *out '
	out=$(flows --rule qery 2>&1)
	check "a mistake: exit status 1" test $? = 1
	check "which is told" has "$out" "did you mean 'query'"
	via=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	out=$(flows 2>&1)
	check "a stranger: exit status 5" test $? = 5
	check "which names the group" has "$out" "group 'zonewall'"
	via=(setpriv --reuid=65534 --regid=65534 --groups=54321)
	check "a member of the group" as "len(f) == 3" --state established
	via=()
fi

echo "# after an apply"
policy_file two udp/54
check "apply" zw apply "$dir/two"
check "flows that had no packet since are stale, and have their rule" as \
	"len(f) == 2 and all(x['stale'] and x['generation'] == 1 and x['rule'] == 'query' for x in f)" --rule query
check "and say so as text" has "$(flows --rule query)" 'of generation 1$'
at_peer ping -n -c 1 10.99.0.1 >/dev/null
check "new ones are not" as "sum(not x['stale'] and x['generation'] == 2 for x in f) == 1" --proto icmp
at_peer python3 "$dir/udp.py" 10.99.0.1 1 4000 2>/dev/null
check "what the policy denies now stays so, with its counts" as "one['stale'] and one['from_opener']['packets'] == 6" -4 --rule query

echo "# many"
for v in 4 6; do
	check "IPv$v: 15,000 flows in the table" test "$("$fill_tool" "$instance" 15000 $v)" = 15000
	check "IPv$v: are counted" test "$(flows --count "-$v" --from crowd)" = 15000
	check "IPv$v: and listed, each once" as "len(f) == 15000 == len({(x['from'], x['sport'], x['to']) for x in f})" \
		"-$v" --zone crowd
	check "IPv$v: as a table with a line each" test "$(flows "-$v" --zone crowd | wc -l)" = 15001
	via=(setpriv --bounding-set=-all --inh-caps=-all)
	check "IPv$v: through the socket, too" as "len(f) == 15000 == len({(x['from'], x['sport'], x['to']) for x in f})" \
		"-$v" --zone crowd
	via=()
done
check "the loader is alive" kill -0 "$run"
kill "$run"
wait "$run"
ok $? "and ends with exit status 0"
run=''

echo "# a table that is full"
zw down >/dev/null 2>&1
policy_file small udp/53 1
check "apply" zw apply "$dir/small"
start_run
sleep 2.5 # until the loader has looked once
at_peer python3 -c '
import socket
for port in range(5000, 5400): # far more than slots, many in one jiffy
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", port))
    s.sendto(b"z", ("10.99.0.1", 53))'
refused=$(zw status -o json | sed -n 's/.*"ipv4":{[^}]*"refused":\([0-9]*\).*/\1/p')
check "status has what was refused" test "$refused" -gt 0
check "in words" has "$(zw status)" "flows: IPv4: table full: $refused new flows found no slot"
check "the loader says so" soon grep -q "the IPv4 flow table is full: [0-9]* new flows found no slot" "$dir/run.err"
check "and status warns while it goes on" has "$(zw status)" "warning: the IPv4 flow table is full: $refused new flows"
kill "$run"
wait "$run"
run=''
echo "1..$count"
