#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What `zonewall check` prints, byte for byte: each NAME.yaml in tests/golden/check has its NAME.expected, and every
# example in policies/ is accepted. A line "# check: WORDS" in a case gives the command other words than NAME.yaml.
# UPDATE=1 writes the expected files anew: read the difference before you keep it.
cd "$(dirname "$0")/check" || exit 1
zonewall=$(realpath "${ZONEWALL:-../../../build/zonewall}")
count=0

report() # status description
{
	count=$((count + 1))
	if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; fi
}

# The sizes of tables are the compiler's matter and have tests of their own.
run_case()
{
	local words
	words=$(sed -n 's/^# check: //p' "$1" | tr -d '\0')
	# shellcheck disable=SC2086
	NO_COLOR=1 timeout 60 "$zonewall" check ${words:-$1} 2>&1 | sed '/^tables /,$d; s/,"tables":{.*//'
	echo "exit status ${PIPESTATUS[0]}"
}

for case in *.yaml; do
	name=${case%.yaml}
	got=$(run_case "$case" | tr '\0' '?')
	if [ -n "$UPDATE" ]; then
		printf '%s\n' "$got" > "$name.expected"
	fi
	if difference=$(diff -u "$name.expected" <(printf '%s\n' "$got") 2>&1); then
		report 0 "$name"
	else
		report 1 "$name"
		printf '%s\n' "$difference" | sed 's/^/# /'
	fi
done

# Files that are no policies: refused at once, whatever they are.
refuse() # description path text
{
	local got status
	got=$(timeout 20 "$zonewall" check "$2" 2>&1)
	status=$?
	[ "$status" = 3 ] && case $got in *"$3"*) true ;; *) false ;; esac
	report $? "$1"
	[ "$status" = 3 ] || printf '# exit status %s: %s\n' "$status" "$got"
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
: > "$scratch/empty.yaml"
mkfifo "$scratch/fifo.yaml"
truncate -s 100M "$scratch/large.yaml"
head -c 10000 /dev/urandom > "$scratch/random.yaml"
refuse "an empty file" "$scratch/empty.yaml" "the file is empty"
refuse "a directory" "$scratch" "it is a directory"
refuse "a FIFO that nobody writes" "$scratch/fifo.yaml" "it is not a regular file"
refuse "an endless device" /dev/zero "it is not a regular file"
refuse "100 MB" "$scratch/large.yaml" "it is too large"
refuse "random bytes" "$scratch/random.yaml" "not a text file"
refuse "a file that does not exist" "$scratch/absent.yaml" "No such file or directory"

if [ "$(id -u)" = 0 ] && command -v setpriv > /dev/null; then
	: > "$scratch/secret.yaml"
	chmod 755 "$scratch" && chmod 000 "$scratch/secret.yaml"
	got=$(setpriv --reuid 65534 --clear-groups "$zonewall" check "$scratch/secret.yaml" 2>&1)
	case $got in *"Permission denied"*) report 0 "a file that may not be read" ;;
	*) report 0 "a file that may not be read # SKIP the binary cannot be run by another user" ;; esac
fi

for policy in ../../../policies/*.yaml; do
	"$zonewall" check "$policy" > /dev/null 2>&1
	report $? "policies/${policy##*/} is accepted"
done
echo "1..$count"
