#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# zonewall simulate as a program: lines in, lines out, exit status (design section 11). The kernel's engine needs root.
set -u
ZONEWALL=${ZONEWALL:-${BUILD:-build}/zonewall}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
tests=0 failed=0

cat > "$folder/policy.yaml" <<-YAML
	version: 1
	defaults: {action: drop}
	zones:
	  gateway: [10.1.0.0/24, "fd00:1::/64"]
	  db: [10.2.0.0/24, "fd00:2::/64"]
	  data: {zones: [db]}
	failsafe: [{id: ssh, from: gateway, to: host, service: tcp/22}]
	rules:
	  - {id: gateway-to-db, from: gateway, to: db, service: tcp/5432, action: allow}
	  - {id: no-telnet, from: any, to: any, service: tcp/23, action: drop}
	  - {id: ask, from: gateway, to: db, service: udp/53, action: allow}
YAML
cat > "$folder/private.yaml" <<-YAML
	version: 1
	defaults: {action: drop}
	rules: [{id: private, from: any, to: any, service: tcp/443, action: allow, tls: {require: true, min: "1.2"}}]
YAML
cat > "$folder/bound.yaml" <<-YAML
	version: 1
	include: [policy.yaml]
	interfaces:
	  - match: [eth0]
	  - {match: ["veth*"], source: gateway}
	  - {match: [veth-db], source: data}
YAML

result() { # good? what
	tests=$((tests + 1))
	if [ "$1" = 0 ]; then echo "ok $tests - $2"; else echo "not ok $tests - $2"; failed=1; fi
}

# check WHAT STATUS INPUT OUTPUT [OPTION...]
check() {
	local what=$1 status=$2 input=$3 want=$4 got code
	shift 4
	got=$(printf '%s' "$input" | "$ZONEWALL" simulate "$folder/${policy:-policy}.yaml" "$@" 2> "$folder/err"; echo "status $?")
	code=${got##*status }
	got=${got%status *}
	got=${got%$'\n'}
	[ "$got" = "$want" ] && [ "$code" = "$status" ]
	local r=$?
	result $r "$what"
	[ $r = 0 ] && return
	diff <(echo "$want") <(echo "$got") | sed 's/^/# /'
	echo "# status $code, wanted $status"
	sed 's/^/# /' "$folder/err"
}

cat > "$folder/ends.yaml" <<-YAML
	version: 1
	defaults: {action: drop}
	zones:
	  gateway: [10.1.0.0/24]
	  db: [10.2.0.0/24]
	  data: {zones: [db]}
	rules: [{id: gateway-to-db, from: gateway, to: db, service: tcp/5432, action: allow, until: 1970-01-01T00:16:40Z}]
YAML

ALLOW='{"from":"10.1.0.7","to":"10.2.0.9","proto":"tcp","sport":40000,"dport":5432}'
ALLOWED='{"verdict":"allow","reason":"rule","rule":"gateway-to-db","from_zones":["gateway"],"to_zones":["db","data"]}'
SPOOFED='{"verdict":"drop","reason":"spoofed","rule":null,"from_zones":["gateway"],"to_zones":["db","data"]}'
REVOKED='{"verdict":"drop","reason":"revoked","rule":"gateway-to-db","from_zones":["db","data"],"to_zones":["gateway"]}'
FOLLOWED='{"verdict":"allow","reason":"flow","rule":"gateway-to-db","from_zones":["db","data"],"to_zones":["gateway"]}'
OTHER='{"from":"10.1.0.7","to":"10.2.0.9","proto":"tcp","dport":22}'
DROPPED='{"verdict":"drop","reason":"default","rule":null,"from_zones":["gateway"],"to_zones":["db","data"]}'
WORLD='{"from":"192.0.2.1","to":"10.9.0.1","proto":"tcp","dport":22}'

private() { # WHAT {FLAGS:PAYLOAD REASON}... [OPTION...]: to a port that asks for TLS 1.2
	local what=$1 input="" output="" rule verdict
	shift
	while [[ ${1:-} == *:* ]]; do
		rule='"private"' verdict=allow
		case $2 in tcp-state) rule=null verdict=drop ;; plaintext) verdict=drop ;; esac
		input+="{\"from\":\"10.1.0.7\",\"to\":\"10.2.0.9\",\"proto\":\"tcp\",\"dport\":443,\"flags\":\"${1%:*}\",\"payload\":\"${1#*:}\"}"$'\n'
		output+="{\"verdict\":\"$verdict\",\"reason\":\"$2\",\"rule\":$rule,\"from_zones\":[\"world\"],\"to_zones\":[\"world\"]}"$'\n'
		shift 2
	done
	policy=private check "$what ($*)" 0 "$input" "${output%$'\n'}" "$@"
}

at() { echo "${ALLOW%\}},\"time\":$1}"; }
answer() { echo '{"from":"10.2.0.9","to":"10.1.0.7","proto":"tcp","sport":5432,"dport":40000,"flags":"SA","time":'"$1}"; }
engine() { # the options of an engine: all that both must answer alike
	check "an allowed packet ($*)" 0 "$ALLOW" "$ALLOWED" "$@"
	check "answers come in order ($*)" 0 "$ALLOW"$'\n'"$OTHER"$'\n'"$ALLOW"$'\n' "$ALLOWED"$'\n'"$DROPPED"$'\n'"$ALLOWED" "$@"
	check "a drop by a rule names it ($*)" 0 '{"from":"10.1.0.7","to":"10.2.0.9","proto":6,"dport":23}' \
		'{"verdict":"drop","reason":"rule","rule":"no-telnet","from_zones":["gateway"],"to_zones":["db","data"]}' "$@"
	check "IPv6 ($*)" 0 '{"from":"fd00:1::7","to":"fd00:2::9","proto":"udp","dport":53}' \
		'{"verdict":"allow","reason":"rule","rule":"ask","from_zones":["gateway"],"to_zones":["db","data"]}' "$@"
	check "a state drop names no rule ($*)" 0 '{"from":"10.1.0.7","to":"10.2.0.9","proto":"tcp","dport":5432,"flags":"SA"}' \
		'{"verdict":"drop","reason":"tcp-state","rule":null,"from_zones":["gateway"],"to_zones":["db","data"]}' "$@"
	check "no address was read ($*)" 0 '{"frame":"0200000000020200000000010806000108000604000102000000000100000000000000000000"}' \
		'{"verdict":"allow","reason":"non-ip","rule":null,"from_zones":[],"to_zones":[]}' "$@"
	check "a later fragment is dropped ($*)" 0 \
		'{"from":"10.1.0.7","to":"10.2.0.9","proto":"tcp","frag":{"id":1,"offset":1480,"more":false},"payload":"00"}' \
		'{"verdict":"drop","reason":"fragment","rule":null,"from_zones":["gateway"],"to_zones":["db","data"]}' "$@"
	check "a line that cannot be read is answered, and the run goes on ($*)" 1 $'{"from"\n'"$ALLOW"$'\n' \
		$'{"error":"not JSON: the line ends too early"}\n'"$ALLOWED" "$@"
	check "a blank line is answered ($*)" 1 $'\n'"$ALLOW" $'{"error":"the line is blank"}\n'"$ALLOWED" "$@"
	check "nothing in, nothing out ($*)" 0 '' '' "$@"
	check "without --stateful a reply is a first packet ($*)" 0 "$ALLOW"$'\n''{"from":"10.2.0.9","to":"10.1.0.7","proto":"tcp","sport":5432,"dport":40000,"flags":"A"}' \
		"$ALLOWED"$'\n''{"verdict":"drop","reason":"default","rule":null,"from_zones":["db","data"],"to_zones":["gateway"]}' "$@"
	check "and so is the next question ($*)" 0 "$ALLOW"$'\n''{"from":"10.1.0.7","to":"10.2.0.9","proto":"tcp","dport":5432,"flags":"A"}' \
		"$ALLOWED"$'\n'"$ALLOWED" "$@"
	check "with --stateful it is a flow's ($*)" 0 "$ALLOW"$'\n''{"from":"10.2.0.9","to":"10.1.0.7","proto":"tcp","sport":5432,"dport":40000,"flags":"SA"}' \
		"$ALLOWED"$'\n''{"verdict":"allow","reason":"flow","rule":"gateway-to-db","from_zones":["db","data"],"to_zones":["gateway"]}' --stateful "$@"
	check "time is told ($*)" 0 \
		'{"from":"10.1.0.7","to":"10.2.0.9","proto":"udp","dport":53,"time":100}'$'\n''{"from":"10.2.0.9","to":"10.1.0.7","proto":"udp","sport":53,"dport":40000,"time":140}' \
		'{"verdict":"allow","reason":"rule","rule":"ask","from_zones":["gateway"],"to_zones":["db","data"]}'$'\n''{"verdict":"drop","reason":"default","rule":null,"from_zones":["db","data"],"to_zones":["gateway"]}' --stateful "$@"
	check "--host tells who the host is ($*)" 0 '{"from":"10.1.0.7","to":"10.9.0.1","proto":"tcp","dport":22}'$'\n'"$WORLD" \
		'{"verdict":"allow","reason":"failsafe","rule":"ssh","from_zones":["gateway"],"to_zones":["host"]}'$'\n''{"verdict":"drop","reason":"default","rule":null,"from_zones":["world"],"to_zones":["host"]}' \
		--host 10.9.0.1 "$@"
	check "an own address that enters is spoofed, that leaves is not ($*)" 0 \
		'{"from":"10.9.0.1","to":"10.1.0.7","proto":"tcp","dport":1}'$'\n''{"from":"10.9.0.1","to":"10.1.0.7","proto":"tcp","dport":1,"hook":"egress"}' \
		'{"verdict":"drop","reason":"spoofed","rule":null,"from_zones":["host"],"to_zones":["gateway"]}'$'\n''{"verdict":"drop","reason":"default","rule":null,"from_zones":["host"],"to_zones":["gateway"]}' \
		--host 10.9.0.1 "$@"
	enters() { echo "${ALLOW%\}},\"interface\":\"$1\"}"; }
	policy=ends check "a rule ends at its instant, and its flows with it ($*)" 0 "$(at 999)"$'\n'"$(at 1000)"$'\n'"$(answer 999)"$'\n'"$(answer 1000)" \
		"$ALLOWED"$'\n'"$DROPPED"$'\n'"$FOLLOWED"$'\n'"$REVOKED" --stateful "$@"
	policy=ends check "without a time it is now ($*)" 0 "$ALLOW" "$DROPPED" "$@"
	policy=bound check "a packet enters an interface whose source it comes from ($*)" 0 "$(enters veth1)" "$ALLOWED" "$@"
	policy=bound check "and none where another zone is the source ($*)" 0 "$(enters veth-db)" "$SPOOFED" "$@"
	policy=bound check "each line has its own interface ($*)" 0 "$(enters veth-db)"$'\n'"$ALLOW"$'\n'"$(enters veth-db)" \
		"$SPOOFED"$'\n'"$ALLOWED"$'\n'"$SPOOFED" "$@"
	policy=bound check "an interface without source, or that no entry matches, takes any ($*)" 0 \
		"$(enters eth0)"$'\n'"$(enters wan0)"$'\n'"$(enters lo)" "$ALLOWED"$'\n'"$ALLOWED"$'\n'"$ALLOWED" "$@"
	policy=bound check "a whole frame enters, too ($*)" 0 \
		'{"interface":"veth1","frame":"02000000000a020000000002080045000028000040004006655c0a0200090a0100079c40153800000000000000005002ffff00000000"}' \
		'{"verdict":"drop","reason":"spoofed","rule":null,"from_zones":["db","data"],"to_zones":["gateway"]}' "$@"
	policy=bound check "what leaves is not bound ($*)" 0 "$(enters veth-db | sed 's/}$/,"hook":"egress"}/')" "$ALLOWED" "$@"
	private 'a ClientHello in the SYN' S:1603010200010001fc0303 rule "$@"
	private 'plaintext in the SYN' S:474554202f20485454502f312e310d0a plaintext "$@"
	private 'mid-stream' A: tcp-state "$@"
	private 'a connection begins with a ClientHello' S: rule A:1603010200010001fc0303 flow A:00 flow --stateful "$@"
	private 'a connection begins with that of TLS 1.1' S: rule A:1603010200010001fc0302 plaintext A: flow --stateful "$@"
	private 'a connection begins with plaintext' S: rule A: flow A:474554202f plaintext A:1603010200010001fc0303 plaintext --stateful "$@"
	check "without source in the policy an interface changes nothing ($*)" 0 "$(enters veth-db)" "$ALLOWED" "$@"
}

engine --engine tables
if [ "$(id -u)" = 0 ]; then
	engine --engine kernel
	engine --engine kernel --hook tc-ingress
	printf -v LONG '{"frame":"%0600000d"}' 0
	check "a frame too long for the test run" 1 "$LONG"$'\n'"$ALLOW" \
		'{"error":"the kernel'"'"'s test run does not take this frame"}'$'\n'"$ALLOWED" --engine kernel
	check "a frame too short for the test run" 1 '{"frame":"02"}' '{"error":"the kernel'"'"'s test run does not take this frame"}' --engine kernel
else
	echo "# the kernel's engine needs root: skipped"
fi
check "an error quotes what is not UTF-8 as UTF-8" 1 $'{"from":"\xed\xa0\x80"}' \
	'{"error":"from: '"'"'\ufffd\ufffd\ufffd'"'"' is not an IPv4 or IPv6 address"}'
check "the default engine is the tables" 0 "$ALLOW" "$ALLOWED"
check "an empty frame is malformed" 0 '{"frame":""}' '{"verdict":"drop","reason":"malformed","rule":null,"from_zones":[],"to_zones":[]}'
check "--hook tc-egress decides what leaves" 0 '{"from":"10.9.0.1","to":"10.1.0.7","proto":"tcp","dport":1}' \
	'{"verdict":"drop","reason":"default","rule":null,"from_zones":["host"],"to_zones":["gateway"]}' --hook tc-egress --host 10.9.0.1

# A line of exactly 1 MiB is read, one byte more is not; the next line is answered all the same.
long() { printf '%s' "$ALLOW"; head -c $(($1 - ${#ALLOW})) /dev/zero | tr '\0' ' '; echo; }
got=$({ long 1048576; long 1048577; echo "$ALLOW"; } | "$ZONEWALL" simulate "$folder/policy.yaml")
[ "$got" = "$ALLOWED"$'\n''{"error":"the line is longer than 1 MiB"}'$'\n'"$ALLOWED" ]; result $? "a line has at most 1 MiB"

status() { # WHAT STATUS ARGUMENT...
	local what=$1 want=$2
	shift 2
	"$ZONEWALL" simulate "$@" < /dev/null > "$folder/out" 2> "$folder/err"
	local code=$?
	[ $code = "$want" ] && [ ! -s "$folder/out" ] && { [ "$want" = 0 ] || [ -s "$folder/err" ]; }
	result $? "$what"
}
printf 'version: 1\nrules: []\n' > "$folder/bad.yaml"
status "a policy with errors" 3 "$folder/bad.yaml"
status "a policy that does not exist" 3 "$folder/none.yaml"
feature() { # KEYS STATUS OPTION...: a rule with these keys
	printf 'version: 1\ndefaults: {action: drop}\nrules: [{id: r, from: any, to: any, service: tcp/80, action: allow, %s}]\n' "$1" > "$folder/feature.yaml"
	local keys=$1 want=$2
	shift 2
	status "a rule with $keys $*" "$want" "$folder/feature.yaml" "$@"
}
feature 'limit: {rate: 5/s}' 0
feature 'limit: {rate: 5/s}' 0 --stateful
feature 'mode: stage' 0
feature 'tls: {require: true}' 0
feature 'until: 2999-01-01T00:00:00Z' 0
status "no policy" 2
status "an unknown option" 2 "$folder/policy.yaml" --colour
status "an unknown engine" 2 "$folder/policy.yaml" --engine paper
status "an unknown hook" 2 "$folder/policy.yaml" --hook xpd
status "a host that is no address" 2 "$folder/policy.yaml" --host me
policy=bound check "--interface tells it for all lines, but for those that say it" 0 "$ALLOW"$'\n'"$(printf '%s' "${ALLOW%\}},\"interface\":\"veth1\"}")" \
	"$SPOOFED"$'\n'"$ALLOWED" --interface veth-db
status "several host addresses" 0 "$folder/policy.yaml" --host 10.9.0.1,fd00:9::1 --host 10.9.0.2
status "host addresses as words" 0 --host 10.9.0.1 fd00:9::1 "$folder/policy.yaml"

# Whoever asks line by line gets each answer before the next question.
coproc SIMULATE { "$ZONEWALL" simulate "$folder/policy.yaml"; }
pid=$SIMULATE_PID # bash forgets it when the process ends
echo "$ALLOW" >&"${SIMULATE[1]}"
read -r -t 10 answer <&"${SIMULATE[0]}"
result $? "an answer does not wait for the end of the input"
[ "$answer" = "$ALLOWED" ]; result $? "and it is the right one"
exec {SIMULATE[1]}>&-
wait "$pid" 2> /dev/null

echo "1..$tests"
exit $failed
