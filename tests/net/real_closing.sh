#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# real_closing.sh - TCP conversations over a wire that loses, doubles and reorders: whatever is repeated or comes late in
# an exchange that opens, closes or stalls belongs to its flow, and no policy drops it.
#
#    a  e0 10.1.0.1, fd00:1::1 --- wire, 10 % each --- e0 10.1.0.2, fd00:1::2  b: exchange.py serve
#
# zonewall is on both; a may connect to b, not b to a. SEED=N repeats what the wire does.
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "closing-$$"
wired_hosts
exchange=$(realpath "${BASH_SOURCE%/*}/exchange.py")
seed=${SEED:-$RANDOM}
echo "# SEED=$seed"

policy()
{
	cat <<-END
		zones: {a: [10.1.0.1, "fd00:1::1"], b: [10.1.0.2, "fd00:1::2"]}
		rules: [{id: all, from: a, to: b, service: tcp/7000, action: allow}]
	END
}
many() { is "$(at a timeout 180 python3 "$exchange" many "$1" 7000 "$2")" "$2"; }
none_left() { is "$(for host in a b; do at $host ss -Htno state connected exclude time-wait; done)" ""; }

start server b python3 "$exchange" serve 7000
soon says server ready || { echo "Bail out! the server does not start"; exit 1; }
for how in tcx/loose native/strict; do
	defaults="tcp: ${how#*/}"
	attached=${how%/*}
	check "the policy is applied, $how" apply a b < <(policy)
	disturb disorder 10 "$seed"
	many fd00:1::2 75 >"$dir/many6" 2>&1 &
	check "75 conversations come to their end over IPv4" many 10.1.0.2 75
	wait $!
	check "and over IPv6" is "$(cat "$dir/many6")" ""
	# A FIN that was lost a few times is repeated only after many seconds.
	patience=60 check "and leave nothing to be repeated" soon none_left
	stop wire
	echo "# $(tail -n 1 "$dir/wire")"
	check "the wire did lose, double and reorder" test "$(did lost)" -gt 100 -a "$(did duplicated)" -gt 100 -a "$(did held)" -gt 100
	check "no packet is dropped" drops_nothing a b
	down a b
done
echo "1..$count"
