#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What `zonewall explain` prints, byte for byte, and its exit status: each case below has its NAME.expected in
# tests/golden/explain. UPDATE=1 writes those files anew: read the difference before you keep it.
set -u
zonewall=$(realpath "${ZONEWALL:-${BUILD:-build}/zonewall}")
cd "$(dirname "$0")/explain" || exit 1
count=0

report() # status description
{
	count=$((count + 1))
	if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; fi
}

is() # name arguments...
{
	local name=$1 got difference
	shift
	got=$(NO_COLOR=1 timeout 60 "$zonewall" explain "$@" 2>&1; echo "exit status $?")
	[ -z "${UPDATE:-}" ] || printf '%s\n' "$got" > "$name.expected"
	if difference=$(diff -u "$name.expected" <(printf '%s\n' "$got") 2>&1); then
		report 0 "$name"
	else
		report 1 "$name"
		printf '%s\n' "$difference" | sed 's/^/# /'
	fi
}

# A question about policy.yaml on a host that is 10.5.0.1 and fd00:5::1.
ask() # name from to service arguments...
{
	local name=$1 from=$2 to=$3 service=$4
	shift 4
	is "$name" policy.yaml --host 10.5.0.1,fd00:5::1 --from "$from" --to "$to" --service "$service" "$@"
}

ask rule-allow 10.1.0.7 10.2.0.9 tcp/5432
ask rule-allow-by-name 10.1.0.7 10.2.0.9 postgres
ask rule-allow-json 10.1.0.7 10.2.0.9 postgres -o json
ask rule-allow-ipv6 fd00:1::7 fd00:2::9 tcp/5432
ask rule-tls 10.2.0.1 10.2.0.2 tcp/5432
ask rule-until 10.2.0.1 10.3.0.2 tcp/873 --at 2029-01-01T00:00:00Z
ask rule-drop 10.1.0.7 10.2.0.9 tcp/23
ask rule-icmp 10.9.0.1 10.2.0.9 ping
ask pass-to-next-tier 10.4.0.7 10.2.0.9 tcp/8080
ask pass-to-next-tier-json 10.4.0.7 10.2.0.9 tcp/8080 -o json
ask intra-zone-drop 10.3.0.7 10.3.0.9 tcp/443
is intra-zone-allow intra.yaml --from 10.1.0.1 --to 10.1.0.2 --service udp/53
is default-allow allow.yaml --from 10.1.0.1 --to 10.2.0.2 --service udp/53
over_time() # name service time arguments...
{
	is "$1" until.yaml --host 10.5.0.1 --from 10.1.0.7 --to 10.3.0.2 --service "$2" --at "$3" "${@:4}"
}
over_time until-before tcp/111 2029-12-31T23:59:59Z
over_time until-between tcp/111 2030-01-01T01:00:00+01:00
over_time until-between-json tcp/111 2030-01-01T00:00:00Z -o json
over_time until-after tcp/111 2031-01-01T00:00:00Z
over_time until-two-ports tcp/111,tcp/112 2030-01-01T00:00:00Z
is until-zones until.yaml --host 10.5.0.1 --from gateway --to cache --service tcp --at 2029-01-01T00:00:00Z
is until-of-others until.yaml --host 10.5.0.1 --from guest --to cache --service tcp --at 2029-01-01T00:00:00Z
over_time bad-at tcp/111 2030-02-30T00:00:00Z
ask miss-service 10.1.0.7 10.2.0.9 tcp/5433
ask miss-service-json 10.1.0.7 10.2.0.9 tcp/5433 -o json
ask miss-from 10.4.0.7 10.2.0.9 tcp/5432
ask miss-to 10.1.0.7 10.4.0.9 tcp/6379
ask miss-family fd00:1::7 fd00:3::1 tcp/6379
ask miss-protocol 10.1.0.7 10.2.0.9 udp/5432
ask miss-two-fields 10.4.0.7 10.3.0.9 tcp/6380
ask staged-allow 10.1.0.7 10.2.0.9 tcp/3306
ask staged-drop 10.4.0.7 10.1.0.9 tcp/443
ask staged-drop-json 10.4.0.7 10.1.0.9 tcp/443 -o json
ask staged-in-a-tier-not-walked 10.9.0.7 10.3.0.1 tcp/25
ask failsafe-over-rule 10.9.0.7 10.5.0.1 tcp/23
ask rule-before-failsafe 10.9.0.7 10.5.0.1 tcp/22
ask failsafe-over-default 10.5.0.1 10.9.0.2 udp/53
ask failsafe-answer 10.9.0.2 10.5.0.1 udp/4000 --sport 53
ask failsafe-answer-json 10.9.0.2 10.5.0.1 udp/4000 --sport 53 -o json
ask spoofed-source 10.1.0.7 10.2.0.9 tcp/5432 --interface veth-db
ask spoofed-source-json 10.1.0.7 10.2.0.9 tcp/5432 --interface veth-db -o json
ask spoofed-host 10.5.0.1 10.2.0.9 tcp/5432 --interface eth0
ask from-its-source 10.2.0.7 10.2.0.9 tcp/5432 --interface veth-db
ask essential-neighbour fd00:1::7 ff02::1:ff00:1 icmpv6/neighbor-solicitation
ask essential-dhcp 10.1.0.1 10.5.0.1 udp/68 --sport 67
ask malformed 224.0.0.1 10.2.0.9 tcp/5432
ask no-zone 10.1.0.7 224.0.0.5 udp/9000
is host-not-known policy.yaml --from 10.9.0.7 --to 10.5.0.1 --service tcp/22

ask zones-yes gateway db postgres
ask zones-no guest data postgres
ask zones-partly gateway data tcp/5432,tcp/6379
ask zones-partly-json gateway data tcp/5432,tcp/6379 -o json
ask zones-any-service guest db any
ask zones-everything any any any
ask zones-host ops host tcp/22
ask zones-from-host host any udp
ask zones-one-port-many 10.4.0.7 10.1.0.9 tcp/80-81
ask zones-cidr 10.1.0.0/16 10.2.0.9 postgres
ask zones-interface any db postgres --interface veth-db
ask zones-none cache fd00:1::/64 tcp/443
ask zones-essential any any icmpv6/neighbor-solicitation

ask unknown-zones gatway dbb tcp/443
ask unknown-service 10.1.0.7 10.2.0.9 postgre
ask unknown-protocol 10.1.0.7 10.2.0.9 tcp/80,tpc/443
ask unknown-icmp 10.1.0.7 10.2.0.9 icmp/echo-reqest
ask bad-cidr 10.1.0.7/24 10.2.0.9 tcp/443
ask bad-port 10.1.0.7 10.2.0.9 tcp/70000
ask empty-end "" 10.2.0.9 tcp/443
ask bad-sport 10.1.0.7 10.2.0.9 tcp/443 --sport http
ask mixed-families 10.1.0.7 fd00:2::9 tcp/443
ask icmpv6-in-ipv4 10.1.0.7 10.2.0.9 icmpv6/echo-request
ask unknown-interface 10.1.0.7 10.2.0.9 tcp/5432 --interface veth-bd
ask running 10.1.0.7 10.2.0.9 tcp/443 --running
is host-asked-not-known policy.yaml --from ops --to host --service tcp/22
is no-from policy.yaml --to db --service tcp/22
is no-service policy.yaml --from db --to db
is no-file --from db --to db --service tcp/22
is bad-policy bad.yaml --from db --to db --service tcp/22

echo "1..$count"
