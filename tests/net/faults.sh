#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# faults.sh - each system call and each allocation of apply, confirm, rollback, restore, down and run fails once, and each of
# them is killed before and after each call: afterwards the old policy decides or the new one, whole, and the next command
# finds nothing in its way (faults.py). publish.bash draws the hosts.
#
# FAULTS=N     so many faults of each command (default 10); all: every one, which takes hours; kills: before and after each call
#              that changes something; fail: each call, with each of its errors; allocation: each allocation
# ONLY="NAME;…"  of these commands only; PART=I/N  the Ith of N parts of the faults; SEED=N repeats a run
# LOG=FILE     gets a line for each fault: what failed, the exit status, who decides then, and what was said
# In a mount namespace of its own: a BPF file system that is mounted by mistake hides nobody else's pins.
[ "${1:-}" = inside ] || exec unshare -m --propagation private bash "$0" inside
# shellcheck source=tests/net/publish.bash
. "${BASH_SOURCE%/*}/publish.bash" "faults-$$"
here=$(realpath "${BASH_SOURCE%/*}")
set_up
ip -n "$node" addr add 10.98.0.1/24 dev v2
ip -n "$peer" addr add 10.98.0.2/24 dev v3
if ! "$tools/inject" "$dir/report" /dev/null list "$zonewall" version >/dev/null 2>&1; then
	skip "system calls of others cannot be followed here"
	echo "1..$count"
	exit
fi
python3 "$here/faults.py" "$node" "$peer" "$instance" "$pins" "$dir"
