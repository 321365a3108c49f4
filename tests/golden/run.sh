#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What `zonewall check` prints, byte for byte: each NAME.yaml in tests/golden/check has its NAME.expected, and every
# example in policies/ is accepted. A line "# check: WORDS" in a case gives the command other words than NAME.yaml.
# UPDATE=1 writes the expected files anew: read the difference before you keep it. LIMITS=1 runs the costly limits too.
zonewall=$(realpath "${ZONEWALL:-$(dirname "$0")/../../build/zonewall}")
cd "$(dirname "$0")/check" || exit 1
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

# Limits, each just exceeded.
head='version: 1
defaults: {action: drop}'
{ echo "$head"; echo 'zones:'; seq -f '  z%.0f: [10.0.0.1]' 16385; } > "$scratch/zones.yaml"
refuse "more than 16,384 zones" "$scratch/zones.yaml" "zones.yaml:16388:3: error: the policy has more than 16384 zones"
{ echo "$head"; echo 'zones: {small: [192.0.2.1], big: {file: feed.txt}}'; } > "$scratch/prefixes.yaml"
seq 1 4000001 | awk '{ printf "%d.%d.%d.%d\n", 1 + $1 / 16777216, $1 / 65536 % 256, $1 / 256 % 256, $1 % 256 }' > "$scratch/feed.txt"
refuse "more than 4,000,000 prefixes" "$scratch/prefixes.yaml" "prefixes.yaml:3:29: error: the zones list more than 4000000"
rm "$scratch/feed.txt"
{ echo "$head"; printf 'services:\n  many: ['; seq -s ', ' -f 'tcp/%.0f' 0 2 8194; echo ']'; } > "$scratch/parts.yaml"
refuse "more than 4,096 parts of a service" "$scratch/parts.yaml" "a service has more than 4096 ranges of ports"
{ echo "$head"; echo 'zones:'; echo '  z0: [10.0.0.1]'; echo '  z1: {zones: [z0], addresses: [10.0.0.2]}'
  seq 2 60 | awk '{ printf "  z%d: {zones: [z%d, z%d]}\n", $1, $1 - 1, $1 - 2 }'; } > "$scratch/unions.yaml"
refuse "unions that would grow without end" "$scratch/unions.yaml" "the zones unite more than"
{ echo "$head"; echo 'services:'; seq 1 40 | awk '{ printf "  s%d: [s%d]\n", $1, $1 + 1 }'; echo '  s41: tcp/1'; } > "$scratch/nested.yaml"
refuse "services nested too deep" "$scratch/nested.yaml" "names services nested too deep"
for i in $(seq 1 40); do printf 'version: 1\ninclude: [deep%d.yaml]\n' $((i + 1)) > "$scratch/deep$i.yaml"; done
echo 'version: 1' > "$scratch/deep41.yaml"
refuse "includes nested too deep" "$scratch/deep1.yaml" "includes are nested deeper than 32"
if [ -n "$LIMITS" ]; then
	{ echo "$head"; echo 'rules:'; seq -f '- {id: r%.0f, from: any, to: any, service: any, action: drop}' 1048575; } > "$scratch/rules.yaml"
	refuse "more than 1,048,575 rules" "$scratch/rules.yaml" "more than 1048575 rules"
else
	report 0 "more than 1,048,575 rules # SKIP 1.6 GB of memory: LIMITS=1 runs it"
fi

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
