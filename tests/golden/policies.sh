#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every example policy is accepted, with the summary and the warnings that stand in policies/NAME.txt beside this file, and
# so are the first examples of README.md and policies/README.md. How large the tables are is left out.
# shellcheck source=tests/golden/golden.bash
. "${BASH_SOURCE%/*}/golden.bash"

for policy in policies/*.yaml; do
	"$ZONEWALL" check "$policy" >"$folder/out" 2>"$folder/err"
	status=$?
	sed '/^tables /,$d' "$folder/out" | cat - "$folder/err" >"$folder/all"
	result $status "$policy is accepted"
	same "$here/policies/$(basename "$policy" .yaml).txt" "$folder/all" "$policy is understood as expected"
done

for page in README.md:2 policies/README.md:1; do
	sed -n '/^```yaml$/,/^```$/p' "${page%:*}" | sed '1d;/^```$/,$d' >"$folder/first.yaml"
	"$ZONEWALL" check --werror "$folder/first.yaml" >"$folder/all" 2>&1
	result $? "the first example of ${page%:*} is accepted"
	grep -q "^rules *${page#*:}: ${page#*:} allow" "$folder/all"
	result $? "and has its rules"
done

# What the examples' own tests cannot say, since it is about interfaces; and some that they say, too.
simulate() { # POLICY VERDICT REASON RULE PACKET
	"$ZONEWALL" simulate "policies/$1.yaml" 2>/dev/null <<<"$5" |
		grep -q "\"verdict\":\"$2\",\"reason\":\"$3\",\"rule\":$4,"
	result $? "$1: $2, $3 $4: $5"
}
simulate three-tier allow rule '"gateway-to-app"' '{"from":"10.1.0.7","to":"10.2.0.9","proto":"tcp","dport":8080}'
simulate three-tier drop default null '{"from":"10.1.0.7","to":"10.3.0.9","proto":"tcp","dport":5432}'
simulate three-tier drop rule '"no-other-ssh"' '{"from":"10.2.0.9","to":"10.2.0.10","proto":"tcp","dport":22}'
simulate three-tier allow rule '"app-cluster"' '{"from":"10.2.0.9","to":"10.2.0.10","proto":"tcp","dport":23}'
simulate three-tier allow rule '"probes"' '{"from":"192.0.2.16","to":"10.2.0.9","proto":"tcp","dport":9100}'
simulate quarantine drop rule '"quarantine-out"' '{"from":"10.2.0.66","to":"10.2.0.10","proto":"tcp","dport":23}'
simulate quarantine allow rule '"investigate"' '{"from":"192.0.2.9","to":"10.2.0.66","proto":"tcp","dport":22}'

mail='"from":"10.88.2.30","to":"10.88.0.53","proto":"udp","dport":53'
simulate container-node allow rule '"names"' "{$mail,\"interface\":\"veth-mail\"}"
simulate container-node drop spoofed null "{$mail,\"interface\":\"veth-shop\"}"
simulate container-node allow rule '"names"' "{$mail,\"interface\":\"veth7\"}"
simulate container-node drop spoofed null "{$mail,\"interface\":\"eth0\"}"
user='"from":"198.51.100.7","to":"10.88.1.10","proto":"tcp","dport":443'
simulate container-node allow rule '"users-to-shop"' "{$user,\"interface\":\"eth0\"}"
simulate container-node drop spoofed null "{$user,\"interface\":\"veth-mail\"}"
simulate service-mesh drop spoofed null \
	'{"from":"10.61.0.5","to":"10.60.4.7","proto":"tcp","dport":15008,"interface":"veth7"}'

standby='"from":"fd40:1::5","to":"fd40:1::6","proto":"tcp","dport":5432'
simulate pci-database allow rule '"replication"' "{$standby,\"interface\":\"cards0\"}"
simulate pci-database drop spoofed null "{$standby,\"interface\":\"company0\"}"
simulate pci-database allow rule '"payments"' \
	'{"from":"10.40.2.7","to":"10.40.1.5","proto":"tcp","dport":5432,"interface":"company0"}'
simulate pci-database drop spoofed null \
	'{"from":"198.51.100.7","to":"10.40.1.5","proto":"tcp","dport":5432,"interface":"company0"}'

# What the examples say of themselves holds, on a host that is in a zone of some of them and in none of the others; and
# no longer if somebody opens TCP from anybody to anybody, or closes everything.
HOST=10.0.1.5,fd00:1::5
cp -r policies "$folder/policies"
for policy in $(grep -l '^never:' policies/*.yaml); do
	"$ZONEWALL" test --host $HOST "$policy" >"$folder/all" 2>&1
	result $? "$policy keeps what it says"
	sed 's/^/# /' "$folder/all"
	sed 's/^tests:/  - {id: open, from: any, to: any, service: tcp, action: allow}\n&/' "$policy" >"$folder/$policy"
	"$ZONEWALL" test --host $HOST "$folder/$policy" 2>&1 | grep -q "failed: never '.*': a packet is allowed"
	result $? "$policy: an open door is found"
	sed '/^rules:/,/^tests:/{s/action: allow/action: drop/;s/,\? *\(limit\|tls\): {[^}]*}//}' "$policy" >"$folder/$policy"
	"$ZONEWALL" test --host $HOST "$folder/$policy" 2>&1 | grep -q "failed: always '.*': a packet is dropped"
	result $? "$policy: a closed door is found"
done
echo "1..$n"
