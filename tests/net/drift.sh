#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# drift.sh - somebody detaches, replaces, edits, deletes or unpins what zonewall has attached, with a loader running: within a
# second it is told (in messages and status) and mended, and nothing denied passes afterwards. How long the way was open is
# measured by a flood of denied packets, one a millisecond. publish.bash draws the hosts.
# shellcheck source=tests/net/publish.bash
. "${BASH_SOURCE%/*}/publish.bash" "drift-$$"
set_up
run='' sender=''
trap 'kill $run $sender 2>/dev/null; rm -rf "/sys/fs/bpf/$base"; clean_up' EXIT

start_run()
{
	nsenter --net="/run/netns/$node" "$zonewall" run --instance "$instance" -o json --log "$dir/log" >>"$dir/run.log" 2>&1 &
	run=$!
	soon grep -q ready "$dir/run.log"
}
stop_run() { kill "$run"; wait "$run"; run=''; } 2>/dev/null
# Datagrams to a port that is denied, one a millisecond: those that arrived are in $dir/arrived, a line each. In $dir/late is a
# line for each time that the sender itself had to wait for longer than 20 ms: how long, in ms.
flood()
{
	: >"$dir/late"
	python3 - "/run/netns/$peer" "/run/netns/$node" "$dir/late" >"$dir/arrived" <<-'END' &
		import os, select, socket, sys, time
		def enter(path):
		    fd = os.open(path, os.O_RDONLY)
		    import ctypes
		    if ctypes.CDLL(None, use_errno=True).setns(fd, 0):
		        sys.exit("setns")
		enter(sys.argv[2])
		receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		receiver.bind(("10.99.0.1", 4444))
		receiver.setblocking(False)
		enter(sys.argv[1])
		sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		late = open(sys.argv[3], "a", buffering=1)
		then = time.monotonic()
		while True:
		    sender.sendto(b"x", ("10.99.0.1", 4444))
		    time.sleep(0.001)
		    now = time.monotonic()
		    if now - then > 0.02:
		        late.write(f"{1000 * (now - then):.0f}\n")
		    then = now
		    try:
		        while receiver.recv(16):
		            print(time.monotonic(), flush=True)
		    except BlockingIOError:
		        pass
	END
	sender=$!
}
arrived() { wc -l <"$dir/arrived"; }
late() { awk '{ ms += $1 } END { print ms + 0 }' "$dir/late"; }
told() { grep -q "drift: .*$1" "$dir/run.log" || { cat "$dir/run.log"; return 1; }; }
second() { patience=1 soon "$@"; }
closed() # nothing arrives for 300 ms
{
	local before
	before=$(arrived)
	sleep 0.3
	[ "$before" = "$(arrived)" ]
}
# tampered WHAT TOLD COMMAND...: is told and mended, within a second. As long as the sender had to wait meanwhile, on a machine
# that does other things, so has the loader, and so has this shell: that is not counted.
tampered()
{
	local what=$1 pattern=$2 before began waited
	: >"$dir/run.log"
	: >"$dir/log"
	before=$(arrived)
	waited=$(late)
	began=$(date +%s%N)
	"${@:3}" >"$dir/did" 2>&1 || { ok 1 "$what: $(head -n 1 "$dir/did")"; return; }
	patience=5 soon told "$pattern" >/dev/null
	ok $? "$what: is told"
	took=$((($(date +%s%N) - began) / 1000000))
	waited=$(($(late) - waited))
	check "$what: after $took ms, $waited of which this machine did something else" test $((took - waited)) -lt 1300
	check "$what: status tells" has "$(zw status -o json)" "\"drift\":\[.*$pattern"
	check "$what: and the log of events" soon \
		grep -q "\"schema\":\"zonewall.drift/1\",\"time\":\"[0-9TZ:-]*\",\"what\":\"[^\"]*$pattern" "$dir/log"
	check "$what: nothing denied passes afterwards" closed
	echo "# $what: $(($(arrived) - before)) denied packets passed meanwhile, one a millisecond"
	check "$what: the policy decides" only_pings 2
	check "$what: all is healthy" not has "$(zw status -o json)" '"healthy":false'
}
detach() { bpftool link detach pinned "$pins/links/$1-$(index v0)"; }
unpin() { rm "$pins/$1"; }
# replace_link HOOK: the link goes on with a program that passes everything. bpf(2): 7 is BPF_OBJ_GET, 29 BPF_LINK_UPDATE
replace_link()
{
	python3 - "$pins/links/$1-$(index v0)" "$(passing "$1")" <<-'END'
		import ctypes, os, struct, sys
		libc = ctypes.CDLL(None, use_errno=True)
		def bpf(command, *words):
		    attributes = ctypes.create_string_buffer(struct.pack(f"{len(words)}Q", *words), 128)
		    result = libc.syscall({"x86_64": 321}.get(os.uname().machine, 280), command, attributes, 128)
		    if result < 0:
		        sys.exit(f"bpf({command}): {os.strerror(ctypes.get_errno())}")
		    return result
		def get(path):
		    text = ctypes.create_string_buffer(path.encode())
		    return bpf(7, ctypes.addressof(text))
		bpf(29, get(sys.argv[1]) | get(sys.argv[2]) << 32)
	END
}
# Programs that pass everything, under pins of their own.
pass=/sys/fs/bpf/$base
passing() { if [ "$1" = xdp ]; then echo "$pass/zw_pass_xdp"; else echo "$pass/zw_pass_tc"; fi; }
# in_slots HOOK COMMAND...: on each slot of the gate
in_slots()
{
	local slot
	for slot in 0 1 2; do
		bpftool map "$2" pinned "$pins/gate/zw_slot_$1" key "$slot" 0 0 0 "${@:3}" || [ "$2" = delete ] || return
	done
}
index() { ip -n "$node" -o link show "$1" | cut -d: -f1; }

bpftool prog loadall "${BUILD:-build}/gate.bpf.o" "$pass"
for attached in $tc xdp clsact; do
	export ZONEWALL_NO_TCX=
	xdp=off
	case $attached in clsact) export ZONEWALL_NO_TCX=1 ;; xdp) xdp=native ;; esac
	policy one 10.99.0.2 $xdp v0
	zw apply "$dir/one" >/dev/null 2>&1
	start_run
	ok $? "run"
	flood
	sleep 0.3
	check "what is denied does not pass" is "$(arrived)" 0
	case $attached in
	tcx)
		tampered "a link is detached" "v0 (ingress, tcx)" detach ingress
		tampered "its pin removed" "links/ingress-.* was removed, and is put back" unpin "links/ingress-$(index v0)"
		tampered "its program replaced" "v0 (ingress, tcx)" replace_link ingress
		;;
	xdp)
		tampered "a link is detached" "v0 (xdp, native)" detach xdp
		tampered "its pin removed" "links/xdp-.* was removed, and is put back" unpin "links/xdp-$(index v0)"
		tampered "its program replaced" "v0 (xdp, native)" replace_link xdp
		;;
	clsact)
		tampered "the qdisc is deleted" "v0 (ingress, clsact)" at_node tc qdisc del dev v0 clsact
		tampered "a filter is replaced" "v0 (ingress, clsact)" at_node tc filter replace dev v0 ingress prio 1 handle 0x7a77 \
			protocol all bpf da object-pinned "$pins/gate/zw_gate_egress"
		tampered "a filter is deleted" "v0 (ingress, clsact)" at_node tc filter del dev v0 ingress prio 1
		;;
	esac
	hook=ingress
	[ "$attached" != xdp ] || hook=xdp
	tampered "the gate's slots are emptied" "slot . of the gate ($hook) was edited" in_slots "$hook" delete
	tampered "another program is put in them" "slot . of the gate ($hook) was edited" in_slots "$hook" update value pinned "$(passing "$hook")"
	generation=$(zw status -o json | sed -n 's/.*"generation":\([0-9]*\).*/\1/p' | head -n 1)
	before=$(find "$pins" -type f | sort)
	missed=$(arrived)
	if [ "$attached" = "$tc" ]; then # the same for all
		tampered "a gate's slots are unpinned" "zw_slot_ingress was removed, and is put back" unpin gate/zw_slot_ingress
		tampered "the gate's line" "zw_gate was removed" unpin gate/zw_gate
		tampered "tables" "zw_tables was removed" unpin "gen-$generation/zw_tables"
		tampered "flows" "zw_flows4 was removed" unpin state/zw_flows4
	fi
	tampered "everything is unpinned" "zw_slot_xdp was removed" rm -rf "/sys/fs/bpf/zonewall/$instance"
	check "every pin is back" is "$(find "$pins" -type f | sort)" "$before"
	check "and no denied packet passed by unpinning" is "$(arrived)" "$missed"
	check "tables cannot be edited: they are frozen" not bpftool map update pinned "$pins/gen-$generation/zw_tables" \
		key 0 0 0 0 value hex 00
	: >"$dir/run.log"
	policy two 10.99.0.3 $xdp v0
	for file in two one two one; do zw apply "$dir/$file" >/dev/null 2>&1; done
	sleep 1.2
	check "what applies remove is no drift" not grep 'drift:' "$dir/run.log"
	kill "$sender"
	wait "$sender" 2>/dev/null
	sender=''
	zw down >/dev/null 2>&1
	sleep 1.5
	check "nor what down removes" not grep 'drift:' "$dir/run.log"
	check "and run ends" not kill -0 "$run"
	check "nothing is left" test ! -e "/sys/fs/bpf/zonewall/$instance"
	stop_run
done
echo "1..$count"
