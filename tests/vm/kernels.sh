#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kernels.sh - tests on Debian's kernels, each in a virtual machine without network, disk or KVM: a line for each kernel
# and test, and how many instructions the verifier processes there, against insns.txt.
#
#   KERNELS="6.1 6.12 newest"  which; VM_LIMIT=900  seconds that each has
#   VM_TESTS="insns bpf/packets net/publish"  what: insns, programs of tests/bpf, scripts of tests/net and tests/vm (of the tools
#   that these need only net_commands are there)
#   UPDATE=1  writes insns.txt
#
# What a machine said stays in build/vm: KERNEL.results, KERNEL.console.
# shellcheck source=tests/net/tap.bash
. "${BASH_SOURCE%/*}/../net/tap.bash"
here=${BASH_SOURCE%/*}
build=${BUILD:-build}
cache=build/vm
insns=$here/insns.txt
growth=10 # percent that a number of instructions may grow
read -ra kernels <<<"${KERNELS:-6.1 6.12 newest}"
read -ra tests <<<"${VM_TESTS:-insns bpf/packets bpf/matches bpf/conversations bpf/spoof bpf/strays bpf/tcp_states bpf/terms vm/attach vm/until}"
modules="veth dummy sch_ingress cls_bpf cls_flower inet_diag tcp_diag udp_diag"
net_commands="bash basename bpftool cat cut date dirname env find flock grep head ip kill ls mkdir mktemp nsenter ping realpath rm
	sed seq sleep sort tail tc test touch tr wc"

for command in qemu-system-x86_64 busybox xz objcopy; do
	[ -n "$(type -P $command)" ] || { echo "1..0 # SKIP there is no $command"; exit 0; }
done
for file in "$build/zonewall" "$build/zonewall.bpf.o" "$build/tests/vm/insns"; do
	[ -e "$file" ] || { echo "Bail out! there is no $file"; exit 1; }
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
# The programs say themselves who compiled them.
clang=$(grep -aom 1 'clang version [0-9]*' "$build/zonewall.bpf.o" | head -n 1)
clang=clang-${clang##* }

# --- the machine

command_of() # command_of TEST: as it is run there
{
	case $1 in
	insns) echo "build/tests/vm/insns" ;;
	bpf/*) echo "build/tests/$1" ;;
	*) echo "bash tests/$1.sh" ;;
	esac
}
program() # program FILE: without what only debuggers read, which is most of it. A word for image.sh
{
	mkdir -p "$dir/$(dirname "$1")"
	objcopy --strip-debug "$build/$1" "$dir/$1" && echo "$dir/$1:/zonewall/build/$1"
}
files() # words for image.sh: what the tests need
{
	local test command
	program zonewall || return
	for test in "${tests[@]}"; do
		case $test in
		insns) program tests/vm/insns || return ;;
		bpf/*) program "tests/$test" || return ;;
		vm/until) program tests/vm/tai || return ;;
		esac
	done
	[[ ${tests[*]} = *net/* || ${tests[*]} = *vm/* ]] || return 0
	for test in include/zonewall.h tests/net/*.*sh tests/vm/{attach,until}.sh; do echo "$test:/zonewall/$test"; done
	for command in $net_commands; do
		command=$(PATH=$PATH:/usr/sbin:/sbin type -P "$command") || return
		echo "$command:/usr/bin/${command##*/}"
	done
}
make_image() # make_image KERNEL
{
	local test
	for test in "${tests[@]}"; do echo "$test $(command_of "$test")"; done >"$dir/list"
	files >"$dir/words" || return
	mapfile -t words <"$dir/words"
	"$here/image.sh" "$cache/$1" "$dir/image" "$modules" "$dir/list:/tests" "${words[@]}"
}
machine() # machine KERNEL: to its end. Both serial lines are files
{
	exec timeout -k 5 "${VM_LIMIT:-900}" qemu-system-x86_64 -machine q35,accel=tcg -cpu max -smp 2 -m 1024 \
		-nodefaults -no-user-config -display none -nic none -no-reboot \
		-serial "file:$cache/$1.console" -serial "file:$dir/results" \
		-kernel "$cache/$1/vmlinuz" -initrd "$dir/image" \
		-append "console=ttyS0 panic=-1 quiet mitigations=off random.trust_cpu=on" </dev/null
}
begins() # begins PID: says something
{
	local second
	for ((second = 0; second < 150; second++)); do
		[ ! -s "$dir/results" ] && kill -0 "$1" 2>/dev/null || return 0
		sleep 1
	done
	return 1
}
# Where there is little time for it, an emulated machine of two CPUs has been seen to hang before its kernel's first word.
boot() # boot KERNEL
{
	: >"$dir/results"
	machine "$1" &
	if ! begins $!; then
		echo "# $1: the machine does not begin: once more"
		kill $!
		wait $!
		machine "$1" &
	fi
	wait $!
	tr -d '\r' <"$dir/results" >"$cache/$1.results"
	grep -qx @end "$cache/$1.results" || tail -n 20 "$cache/$1.console"
}

# --- what it said: in $said, as tests/vm/init has it

hear() # hear KERNEL WORD...: the part that begins with those words
{
	said=$(awk -v want="@${*:2}" '/^@(test|dmesg|end)/ { on = $0 == want; next } on' "$cache/$1.results")
}
explain() { tail -n 40 | sed 's/^/# /'; }
exited() { sed -n 's/^@exit //p' <<<"$said"; } # STATUS SECONDS

# TAP becomes one line: what failed, died, or kept a check back has failed.
judge() # judge WHAT
{
	local good bad skipped plan status seconds
	good=$(grep -c '^ok ' <<<"$said")
	bad=$(grep -c '^not ok ' <<<"$said")
	skipped=$(grep -c '^ok .*# SKIP' <<<"$said")
	plan=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' <<<"$said")
	read -r status seconds <<<"$(exited)"
	if [[ $said = *"1..0 # SKIP"* ]]; then
		skip "$1: $(sed -n 's/^1\.\.0 # SKIP //p' <<<"$said")"
	elif [ "$bad" -eq 0 ] && [ "$good" -gt 0 ] && [ "$plan" = "$good" ] && [ "$status" = 0 ]; then
		ok 0 "$1: $good checks, $skipped of them skipped, $seconds s"
	else
		ok 1 "$1: $good of ${plan:-unknown} checks are good, $bad are not; exit status ${status:-unknown}"
		grep -v '^ok ' <<<"$said" | explain
	fi
}

has_not_grown() # has_not_grown COUNT KEPT
{
	[ -n "$2" ] && [ "$1" -le $(($2 * (100 + growth) / 100)) ] && return
	echo "not within $growth % of what $insns has. If that is as it must be: make vm UPDATE=1"
	return 1
}
judge_insns() # judge_insns KERNEL WHAT: "PROGRAM INSTRUCTIONS" a line
{
	local name number kept
	if [[ $(exited) != 0\ * ]]; then
		ok 1 "$2: its verifier takes the programs"
		explain <<<"$said"
		return
	fi
	said=$(grep '^zw_' <<<"$said")
	[ -z "${UPDATE:-}" ] || keep_insns "$1"
	if ! grep -q "^$1 $clang " "$insns"; then
		skip "$2: $insns has no numbers for programs by $clang; make vm UPDATE=1 adds them"
		return
	fi
	while read -r name number; do
		kept=$(sed -n "s/^$1 $clang $name //p" "$insns")
		check "$2: $name takes $number instructions, where ${kept:-no number} is kept" has_not_grown "$number" "$kept"
	done <<<"$said"
}
keep_insns() # keep_insns KERNEL: its lines in insns.txt are those that it just said
{
	{
		grep '^#' "$insns"
		{ grep -v "^#\|^$1 $clang " "$insns"; sed "s/^/$1 $clang /" <<<"$said"; } | sort -V
	} >"$dir/insns"
	cat "$dir/insns" >"$insns"
}

test_kernel() # test_kernel KERNEL
{
	local what test trouble said
	trouble=$("$here/kernel.sh" "$1" "$cache" 2>&1)
	case $? in
	0) ;;
	1) skip "$1: ${trouble##*$'\n'}"; return ;;
	*) ok 1 "$1: ${trouble##*$'\n'}"; return ;;
	esac
	what="$1 ($(cat "$cache/$1/release"))"
	if ! trouble=$(make_image "$1" 2>&1); then
		ok 1 "$what: an image is made"
		explain <<<"$trouble"
		return
	fi
	trouble=$(boot "$1" 2>&1)
	for test in "${tests[@]}"; do
		hear "$1" test "$test"
		if [ "$test" = insns ]; then judge_insns "$1" "$what"; else judge "$what: $test"; fi
	done
	check "$what: ends by itself within ${VM_LIMIT:-900} s" is "$trouble" ""
	hear "$1" dmesg
	[ -z "$trouble" ] || said="not known: it did not come to its end"
	check "$what: its kernel has nothing to complain of" is "$said" ""
}

for kernel in "${kernels[@]}"; do test_kernel "$kernel"; done
echo "1..$count"
