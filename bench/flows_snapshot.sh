#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# flows_snapshot.sh [FLOWS] - how long `zonewall flows` takes with a million flows of each family in the tables of an
# instance of its own: seconds until the last line, and of processor time, to /dev/null. Root. Directly, through the
# loader's socket, and where only a few lines remain.
set -eu
zonewall=${ZONEWALL:-build/zonewall}
fill=${BUILD:-build}/tests/net/flows_fill
flows=${1:-1000000}
instance=zw-flows-bench-$$
dir=$(mktemp -d)
run=''

at_node() { nsenter --net="/run/netns/$instance" "$@"; }
clean_up()
{
	[ -z "$run" ] || kill "$run" 2>/dev/null || true
	at_node "$zonewall" down --instance "$instance" >/dev/null 2>&1 || true
	ip netns del "$instance" || true
	rm -rf "$dir" "/run/zonewall/$instance" "/var/lib/zonewall/$instance"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

measure() # measure WHAT OPTION...
{
	local what=$1
	shift
	TIMEFORMAT="%R s, %U user, %S system"
	printf '%-34s ' "$what"
	{ time at_node "${via[@]}" "$zonewall" flows --instance "$instance" "$@" >/dev/null; } 2>&1
}
both()
{
	for family in 4 6; do
		for output in json text; do measure "IPv$family, $output$1" "-$family" -o $output; done
	done
}

ip netns add "$instance"
ip -n "$instance" link add v0 type veth peer name v1
cat >"$dir/policy.yaml" <<END
version: 1
defaults: {action: drop, flows: $((flows * 2))}
interfaces: [{match: [v0], xdp: off}]
zones: {clients: [10.192.0.0/10, "fd40::/10"], servers: [10.128.0.0/16, "fd80::/16"]}
rules: [{id: clients-to-servers, from: clients, to: servers, service: tcp/443, action: allow}]
END
at_node "$zonewall" apply --instance "$instance" "$dir/policy.yaml" >/dev/null 2>&1
for family in 4 6; do echo "IPv$family: $("$fill" "$instance" "$flows" $family) flows"; done
via=()
both ""
measure "both, sorted, the first ten" --sort bytes -n 10
measure "both, counted" --count
measure "both, one address" --from 10.192.0.1
at_node "$zonewall" run --instance "$instance" >/dev/null 2>"$dir/run.err" &
run=$!
for _ in {1..100}; do grep -q ready "$dir/run.err" && break; sleep 0.1; done
# Uid 0 may ask the loader; without capabilities it cannot look by itself.
via=(setpriv --bounding-set=-all --inh-caps=-all)
both ", through the socket"
