#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# models.sh - spin on the models of the flow tables' protocol: all states, in every order that they allow. Each model
# says what it stands for. Those that leave something out must fail, or the model would prove nothing. FULL=1: larger.
set -u
models=$(cd "${BASH_SOURCE%/*}" && pwd)
command -v spin >/dev/null || { echo "1..0 # SKIP spin is missing (Debian package spin)"; exit 0; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
count=0

# explore MODEL DEFINE...: prints the verifier's report. A search that was cut short is no answer.
explore()
{
	local model=$models/$1
	shift
	spin -a "${@/#/-D}" "$model" >spin.out 2>&1 && "${CC:-gcc}" -O1 -DSAFETY -DCOLLAPSE -w -o pan pan.c || return 1
	./pan -m100000 -w22
}

row() # row ERRORS WHAT MODEL DEFINE...
{
	local errors=$1 what=$2 report states
	shift 2
	count=$((count + 1))
	report=$(explore "$@" 2>&1)
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' <<<"$report")
	if grep -q "errors: $errors\$" <<<"$report" && ! grep -q 'max search depth too small\|out of memory' <<<"$report"; then
		echo "ok $count - $what: $states states"
	else
		echo "not ok $count - $what"
		cat spin.out - <<<"$report" | sed 's/^/# /'
	fi
	rm -f pan* ./*.trail
}
holds() { row 0 "$@"; }
fails() { row 1 "but not so: $1" "${@:2}"; }

larger() { [ -z "${FULL:-}" ] || holds "$@"; }

holds "a slot replaced twice, by two CPUs: no false match, and whole in the end" slot.pml VERSIONS=3 REPLACEMENTS=2 ORDERED
holds "by one, publishing not even ordered: no false match" slot.pml VERSIONS=3 REPLACEMENTS=2 WRITERS=1
larger "by two" slot.pml VERSIONS=3 REPLACEMENTS=2
larger "three times in order" slot.pml VERSIONS=4 REPLACEMENTS=3 ORDERED
fails "as many replacements as versions" slot.pml VERSIONS=2 REPLACEMENTS=2
fails "three of three" slot.pml VERSIONS=3 REPLACEMENTS=3
fails "words without versions" slot.pml VERSIONS=3 REPLACEMENTS=2 UNVERSIONED

holds "two CPUs open a flow whose state changes: one slot keeps it" twins.pml
holds "three CPUs" twins.pml OPENERS=3 CHANGES=0 CLAIMS=1 WEAK=0
holds "over one that is closing" twins.pml BEFORE=CLOSING EARLY=0
holds "over one that is past its time" twins.pml BEFORE=LIVE TIME_OVER EARLY=0
holds "one CPU over one that is closing, another CPU another flow" twins.pml OPENERS=1 OTHERS=1 BEFORE=CLOSING
larger "two CPUs, another CPU another flow" twins.pml OTHERS=1 CHANGES=0 EARLY=0
larger "whose state changes three times" twins.pml CHANGES=3 EARLY=0
larger "over one that is closing, heads loaded before tags" twins.pml BEFORE=CLOSING
larger "over one that is past its time, heads loaded before tags" twins.pml BEFORE=LIVE TIME_OVER
larger "over one that is past its time and changes twice" twins.pml BEFORE=LIVE TIME_OVER CHANGES=2 EARLY=0
fails "no look for twins" twins.pml UNSCANNED
fails "a twin is ended by one try" twins.pml UNRETRIED EARLY=0
fails "a time of another version counts" twins.pml UNVERSIONED BEFORE=LIVE TIME_OVER
fails "a twin that is over counts like others" twins.pml ORDINARY BEFORE=CLOSING
fails "the tag is changed after the publication" twins.pml TAGGED_LATE CHANGES=0
fails "tags are loaded before the publication" twins.pml TAGS_EARLY CHANGES=0
fails "a tag is changed by a load and a store" twins.pml TAGGED_PLAINLY OPENERS=1 OTHERS=1 CHANGES=0
echo "1..$count"
