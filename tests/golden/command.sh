#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The command line itself: global options in any place, help, unknown and future commands, output that cannot be written.
set -u
ZONEWALL=${ZONEWALL:-build/zonewall}
n=0

# is DESCRIPTION STATUS PATTERN COMMAND...: the exit status, and an extended pattern that stdout and stderr must match
is() {
	local what=$1 want=$2 pattern=$3 output status
	shift 3
	output=$("$@" 2>&1)
	status=$?
	n=$((n + 1))
	if [ $status = "$want" ] && grep -qE -- "$pattern" <<<"$output"; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		printf '# %s\n' "status $status, not $want; wanted /$pattern/" "$output"
	fi
}
z() { "$ZONEWALL" "$@"; }
to() { local file=$1; shift; "$ZONEWALL" "$@" >"$file"; }
closed() { "$ZONEWALL" "$@" <&- >&- 2>&-; }
commands() { "$ZONEWALL" help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'; }
too_wide() { local name; for name in "" "$@"; do "$ZONEWALL" help $name; done | awk 'length > 80'; }
gone() { # a reader that goes away before anything is written
	local status
	{ sleep 0.2; "$ZONEWALL" "$@"; echo "status $?" >&2; } | true
	status=$?
	return $status
}

is "without a command, usage and status 2" 2 '^usage: zonewall COMMAND' z
is "--help" 0 '^commands:$' z --help
is "help lists check" 0 '^  check ' z help
is "help of a command" 0 '^usage: zonewall simulate' z help simulate
is "--help behind a command" 0 '^usage: zonewall simulate' z simulate --help
is "help of a command that does not exist" 2 "no command 'nonsense'" z help nonsense
is "help takes one command" 2 'one command' z help check apply
is "help of a command as JSON, with its options" 0 '"options":\[\{"name":"werror","letter":null,"argument":null,"help":' z -o json help check
# shellcheck disable=SC2046 # names of commands
is "help fits a terminal" 0 '^$' too_wide $(commands)
is "help as JSON" 0 '^\{"schema":"zonewall.help/1","commands":\[\{"name":"check"' z -o json help
is "--version" 0 '^zonewall [0-9]+\.[0-9]+\.[0-9]+ ' z --version
is "--version behind a command" 0 '^zonewall [0-9]+\.[0-9]+\.[0-9]+ ' z check --version
is "version as JSON, option in front" 0 '^\{"schema":"zonewall.version/1",' z -o json version
is "version as JSON, option behind" 0 '^\{"schema":"zonewall.version/1",' z version -ojson
is "version as JSON, long option" 0 '^\{"schema":"zonewall.version/1",' z version --output=json
is "abbreviated long option" 0 '^\{"schema":"zonewall.version/1",' z version --out json
is "version takes no arguments" 2 'no arguments' z version 1
is "an unknown output format" 2 "cannot print 'yaml'" z version -o yaml
is "an output format of another command" 2 "fix: -o json or -o text" z version -o tap
is "a command's own output formats are named" 2 "fix: -o json, -o tap, -o junit or -o text" z test -o xml x
is "and stand in its help" 0 '^  -o, --output junit ' z help test
is "an option without its value" 2 "'--output' needs a value" z version -o
is "a value too many" 2 "'--no-colour' takes no value" z version --no-colour=1
is "an unknown long option" 2 "'--frobnicate'" z version --frobnicate
is "an unknown letter" 2 "'-x'" z version -x
is "an option before the command that is not global" 2 "'-f'" z -f drops
is "an instance name with a slash" 2 'not an instance name' z --instance a/b version
is "an empty instance name" 2 'not an instance name' z --instance '' version
is "an instance name that is a folder" 2 'not an instance name' z --instance .. version
is "an instance name from the environment" 2 'ZONEWALL_INSTANCE' env ZONEWALL_INSTANCE=../x "$ZONEWALL" version
is "a misspelt command" 2 "did you mean 'check'" z chekc
is "a word that is no command" 2 "lists the commands" z frobnicate-the-wall-for-me
is "confirm takes no arguments" 2 "confirm takes no arguments" z confirm 5
is "--confirm needs a time" 2 "'--confirm' needs a value" z apply --confirm
is "a time to confirm that is none" 2 "--confirm: not a time from 1s to 1d, like 30s, 10m or 2h: 'soon'" z apply --confirm soon x
is "'top' is refused by name" 6 "'top' is not built in this version" z top x
is "block needs an address" 2 "zonewall block: which address?" z block
is "a range is none" 2 "a range that is no CIDR" z block 10.0.0.1-10.0.0.3
is "nor is everything" 2 "that is every address" z block 0.0.0.0/0
is "host bits, and what was meant" 2 "fix: write 10.0.0.0/8" z block 10.0.0.1/8
is "a time that is none" 2 "--for: a time is needed .*'soon'" z block --for soon 10.0.0.1
is "a reason of two lines" 2 "--reason: one line" z block --reason "a
b" 10.0.0.1
is "--list takes no address" 2 "--list takes no address: '10.0.0.1'" z block --list 10.0.0.1
is "--all takes no address" 2 "--all takes no address: '10.0.0.1'" z unblock --all 10.0.0.1
is "help of flows" 0 '^  -4, --ipv4  *IPv4 only$' z help flows
is "flows takes no argument" 2 "takes no argument: 'x'" z flows x
is "a state that is none, and the one that was meant" 2 "fix: did you mean 'established'" z flows --state estblished
is "a protocol that is none" 2 "not a protocol .*: 'tpc'" z flows --proto tpc
is "a number that is none" 2 "-n: not a number: 'many'" z flows --limit many
is "a port that is none" 2 "not a port: '70000'" z flows --port 70000
is "a CIDR that is none" 2 "not an address, CIDR or zone: '10.0.0.0/40'" z flows --from 10.0.0.0/40
is "an order that is none" 2 "not an order .*: 'size'" z flows --sort size
is "a filter that belongs to drops" 2 "'--reason'" z flows --reason rule
is "a full disk is reported" 1 'cannot write the output: No space left' to /dev/full help
is "a full disk is reported for JSON" 1 'cannot write the output' to /dev/full -o json help
is "a reader that goes away is a failure without words" 0 '^status 1$' gone help
is "closed standard descriptors do no harm" 0 '^$' closed version
echo "1..$n"
