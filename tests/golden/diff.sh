#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What `zonewall diff` prints, byte for byte, and its exit status: diff/base.yaml and, for each case, a policy that sed makes
# of it; NAME.expected stands in tests/golden/diff. UPDATE=1 writes those files anew: read the difference before you keep it.
# Then: back to front a pair has the same regions, the other way round.
set -u
here=$(cd "$(dirname "$0")" && pwd)
zonewall=$(realpath "${ZONEWALL:-${BUILD:-build}/zonewall}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
cp "$here/diff/base.yaml" .
cp base.yaml old.yaml
count=0

report() # STATUS DESCRIPTION
{
	count=$((count + 1))
	if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; fi
}

is() # NAME ARGUMENTS...
{
	local name=$1 got difference
	shift
	got=$(NO_COLOR=1 timeout 60 "$zonewall" diff "$@" 2>&1; echo "exit status $?")
	[ -z "${UPDATE:-}" ] || printf '%s\n' "$got" >"$here/diff/$name.expected"
	if difference=$(diff -u "$here/diff/$name.expected" <(printf '%s\n' "$got") 2>&1); then
		report 0 "$name"
	else
		report 1 "$name"
		printf '%s\n' "$difference" | sed 's/^/# /'
	fi
}

# A host that is 10.2.0.9, an app; and old.yaml as SED leaves it.
case_of() # NAME SED ARGUMENTS...
{
	sed "$2" old.yaml >"$1.yaml"
	is "$1" old.yaml "$1.yaml" --host 10.2.0.9 "${@:3}"
}

case_of other-text 's/\[tcp.80, tcp.443\]/[tcp\/443, tcp\/80]/; s/10.3.0.0.25/10.3.0.0-10.3.0.127/; s/id: users/id: visitors/; /^#/d'
case_of rule-added '/id: ping/a\  - {id: reports, from: [app, ops], to: data, service: [tcp/8443, udp/514], action: allow}'
case_of rule-removed '/id: to-app/d'
case_of rule-narrower 's/tcp.8000-8099/tcp\/8000-8009/'
case_of rule-wider 's/from: gateway, to: app,/from: [gateway, ops], to: any,/'
case_of rules-exchanged '/id: users/{h;d}; /id: to-app/{G}'
case_of guardrail-first '/id: no-telnet/a\  - {id: no-ssh, tier: guardrail, from: any, to: data, service: any, action: drop}'
case_of address-added 's/  db: \[/  db: [10.4.0.0\/24, /'
case_of zone-without 's/  app: \(.*\)/  app: {addresses: \1, except: [10.2.0.77]}/'
case_of one-family 's/  gateway: \[10.1.0.0.24, /  gateway: [/'
case_of icmp-only 's/ping: \[icmp.echo-request, /ping: [/'
case_of protocols 's/tcp.8000-8099/[proto\/47, proto\/50, sctp, icmp\/3\/4]/'
case_of default-allow 's/action: drop, tcp/action: allow, intra-zone: drop, tcp/'
case_of intra-zone 's/action: drop, tcp/action: drop, intra-zone: allow, tcp/'
case_of failsafe 's/from: host, to: ops, service: udp.53/from: host, to: [ops, gateway], service: udp\/53/; s/to: host, service: tcp.22/to: host, service: tcp\/2222/'
case_of limit-other 's/rate: 50/rate: 60/'
case_of limit-gone 's/, limit: {.*}}/}/'
case_of limit-of-another-rule 's/id: to-db/id: to-database/'
case_of tls-gone 's/, tls: {require: true}//'
case_of tls-newer 's/require: true/require: true, min: "1.2"/'
case_of now-in-failsafe 's/from: ops, to: host, service: tcp.22/from: [ops, gateway], to: host, service: [tcp\/22, tcp\/8000-8099]/'
sed '/id: users/i\  - {id: ops-ssh, from: ops, to: host, service: tcp\/22, action: allow, limit: {rate: 1\/s}}' base.yaml >old.yaml
case_of limit-that-failsafe-takes-away 's/rate: 1.s/rate: 2\/s/'
# Of the unspecified address there is only DHCP's source port: that rule makes no exception of what is from port 53.
sed '/id: users/i\  - {id: dhcp, from: 0.0.0.0, to: any, service: udp, action: allow}' base.yaml >old.yaml
case_of unspecified-source 's/from: host, to: ops, service: udp.53/from: host, to: any, service: udp\/53/'
cp base.yaml old.yaml
case_of drop-logged-anyway 's/owner: security/owner: security, log: all/'
case_of logged 's/owner: web team}/owner: web team, log: all}/; s/owner: security/owner: security, log: none/'
case_of settings 's/tcp: loose/tcp: strict, log: all, non-ip: allow, flows: 4096/; s/match: .eth0./match: [eth1]/; s/, source: db//; s/to: world, service: tcp.443/to: world, service: tcp\/80/'
case_of another-source 's/  db: \[10.3.0.0.25/  db: [10.3.0.0\/26/'
case_of json 's/tcp.8000-8099/tcp\/8000-8009/; s/rate: 50/rate: 60/; s/from: host, to: ops/from: host, to: app/; s/tcp: loose/tcp: strict/' -o json
case_of fail-on-narrowed 's/tcp.8000-8099/tcp\/8000-8009/' --fail-on widened
case_of fail-on-any 's/tcp.8000-8099/tcp\/8000-8009/' --fail-on any
case_of fail-on-widened 's/tcp.8000-8099/tcp\/8000-8109/' --fail-on widened
case_of fail-on-looser-terms 's/rate: 50/rate: 60/' --fail-on widened
case_of fail-on-stricter-terms 's/tcp.8000-8099, action: allow/tcp\/8000-8099, action: allow, limit: {rate: 1\/s}/' --fail-on widened
case_of fail-on-setting 's/tcp: loose/tcp: loose, non-ip: allow/' --fail-on widened
is host-not-known old.yaml rule-removed.yaml
is host-not-known-fail-on old.yaml rule-removed.yaml --fail-on widened
grep -v 'host' old.yaml | sed 's/failsafe:$/failsafe: []/; s/world/any/' >no-host.yaml
is host-not-named no-host.yaml no-host.yaml --fail-on any

# Rules that end: what changes, and when.
now=2030-01-01T00:00:00Z
case_of until 's/tcp.8000-8099, action: allow/&, until: 2031-01-01T00:00:00Z/' --at $now
case_of until-over 's/tcp.8000-8099, action: allow/&, until: 2029-01-01T00:00:00Z/' --at $now
case_of until-other-change 's/tcp.8000-8099, action: allow/&, until: 2031-01-01T00:00:00Z/; s/tcp: loose/tcp: strict/; /id: ping/d' --at $now
case_of until-two 's/tcp.8000-8099, action: allow/&, until: 2031-01-01T00:00:00Z/; s/, action: drop, owner/, action: drop, until: 2032-01-01T00:00:00Z, owner/' --at $now -o json
cp until.yaml old.yaml
case_of until-later 's/2031/2033/' --at $now
case_of until-sooner 's/2031/2030-06/; s/06-01-01/06-01/' --at $now --fail-on widened
case_of until-of-a-staged-rule 's/mode: stage/mode: stage, until: 2031-01-01T00:00:00Z/' --at $now
case_of until-gone 's/, until: 2031-01-01T00:00:00Z//' --at $now --fail-on widened
cp base.yaml old.yaml
is bad-at old.yaml old.yaml --at tomorrow

# Directories: every *.yaml in them, one policy.
mkdir before after
for side in before after; do
	sed '/^zones:/,$d' old.yaml >$side/10-defaults.yaml
	sed -n '/^zones:/,/^failsafe:/{/^failsafe:/!p}' old.yaml | sed '1iversion: 1' >$side/20-zones.yaml
	sed -n '/^failsafe:/,$p' old.yaml | sed '1iversion: 1' >$side/30-rules.yaml
	echo 'no policy' >$side/README
done
sed -i '/id: ping/d' after/30-rules.yaml
is directories before after --host 10.2.0.9
is directory-and-file before old.yaml --host 10.2.0.9
mkdir empty
is empty-directory before empty

# What is wrong.
echo 'version: 1' >bad.yaml
sed 's/to: db, service/to: dbb, service/' old.yaml >misspelt.yaml
is both-bad bad.yaml misspelt.yaml
is no-file old.yaml none.yaml
is one-word old.yaml
is three-words old.yaml old.yaml old.yaml
is bad-fail-on old.yaml old.yaml --fail-on narrowed
is running-with-host running old.yaml --host 10.2.0.9

# Back to front: the same regions, with + for - and - for +.
regions() { NO_COLOR=1 "$zonewall" diff "$1" "$2" --host 10.2.0.9 | grep '^[-+] ' | sort; }
exchanged() { sed 's/^+ /x /; s/^- /+ /; s/^x /- /; s/(old)/(x)/g; s/(new)/(old)/g; s/(x)/(new)/g' | sort; }
for name in rule-added rule-wider guardrail-first zone-without default-allow failsafe one-family; do
	cmp -s <(regions old.yaml $name.yaml) <(regions $name.yaml old.yaml | exchanged)
	report $? "$name, back to front"
done
echo "1..$count"
