# SPDX-License-Identifier: GPL-2.0-only
# tap.bash - one line of TAP for each check of a network test.
count=0
attached='' # how zonewall is attached now, or what else the checks that follow are about: stands before their names

ok() # ok STATUS WHAT
{
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then echo "ok $count - ${attached:+$attached: }$2"; else echo "not ok $count - ${attached:+$attached: }$2"; fi
}
skip() { count=$((count + 1)); echo "ok $count # SKIP ${attached:+$attached: }$1"; }
check() # check WHAT COMMAND...: its output is shown if it fails
{
	local what=$1 out status
	shift
	out=$("$@" 2>&1)
	status=$?
	ok "$status" "$what"
	[ "$status" -eq 0 ] || printf '%s\n' "$out" | sed 's/^/# /'
}
has() # has TEXT PATTERN
{
	grep -q -- "$2" <<<"$1" || { printf 'no "%s" in: %s\n' "$2" "$1"; return 1; }
}
not() { ! "$@"; }
is() { [ "$1" = "$2" ] || { echo "'$1', not '$2'"; return 1; }; }
