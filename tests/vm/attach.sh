#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# attach.sh - each way of attaching decides packets on this kernel, outlives the process, and is gone after down. Few
# applies, since an emulated machine takes seconds for each; net/publish.sh has all of it (and runs here, too).
# shellcheck source=tests/net/publish.bash
. "${BASH_SOURCE%/*}/../net/publish.bash" "attach-$$"
set_up
for mode in native generic off; do policy "$mode" 10.99.0.2 "$mode" v0; done
policy other 10.99.0.3 off v0

for mode in native:xdp:native generic:xdp:generic "off:ingress:$tc"; do
	IFS=: read -r wish hook got <<<"$mode"
	out=$(zw apply -o json "$dir/$wish" 2>&1)
	check "$wish: $hook is attached as $got" has "$out" "\"hook\":\"$hook\",\"mode\":\"$got\",\"change\":\"attached\""
	check "$wish: decides" only_pings 2
done
before=$(link_ids)
check "another policy" zw apply "$dir/other"
check "decides" only_pings 3
check "what is attached stays" test "$before" = "$(link_ids)"
check "rollback" zw rollback
check "the former policy decides" only_pings 2

nsenter --net="/run/netns/$node" "$zonewall" run --instance "$instance" >"$dir/run.log" 2>&1 &
run=$!
ready() { grep -q ready "$dir/run.log" || { cat "$dir/run.log"; return 1; }; }
patience=30
check "run is ready" soon ready
kill -9 "$run"
wait "$run" 2>/dev/null
check "run killed: the policy still decides" only_pings 2
export ZONEWALL_NO_TCX=1
zw down >/dev/null 2>&1
out=$(zw apply "$dir/off" 2>&1)
check "clsact: ingress is attached as a filter" has "$out" "v0 *ingress *clsact *attached"
check "clsact: decides" only_pings 2
check "down" zw down
check "no pins" test ! -e "/sys/fs/bpf/zonewall/$instance"
check "everything passes" pings 3
echo "1..$count"
