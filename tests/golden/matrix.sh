#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `zonewall show --matrix`: text and JSON byte for byte, as stand in matrix/ beside this file; Graphviz draws the graph; the
# page is whole, needs nothing but itself, and lets no text of a policy through as HTML.
# shellcheck source=tests/golden/golden.bash
. "${BASH_SOURCE%/*}/golden.bash"

HOST=10.2.0.5,fd00:2::5
corners=tests/golden/matrix/corners.yaml

shown() { # NAME WORDS...
	local name=$1
	shift
	"$ZONEWALL" show "$@" >"$folder/out" 2>/dev/null
	result $? "$name is shown"
	same "$here/matrix/$name" "$folder/out" "$name is as expected"
}
refused() { # STATUS PATTERN WORDS...
	local status=$1 pattern=$2
	shift 2
	"$ZONEWALL" show "$@" >"$folder/out" 2>"$folder/err"
	[ $? = "$status" ] && [ ! -s "$folder/out" ] && grep -q -- "$pattern" "$folder/err"
	result $? "refused: show $*"
}

shown three-tier.txt --matrix --host $HOST policies/three-tier.yaml
shown quarantine.txt --matrix --host $HOST policies/quarantine.yaml
shown quickstart.txt --matrix --host 192.0.2.7 policies/quickstart.yaml
shown service-mesh.txt --matrix policies/service-mesh.yaml
shown corners.txt --matrix $corners
shown corners.json --matrix -o json $corners
shown corners.dot -o dot $corners
shown narrow.txt --matrix --from world,gateway --to any,db policies/three-tier.yaml
shown open.txt --matrix tests/golden/matrix/open.yaml
shown until-before.txt --matrix --host 10.5.0.1 --from gateway --at 2029-12-31T23:59:59Z tests/golden/explain/until.yaml
shown until-between.txt --matrix --host 10.5.0.1 --from gateway --at 2030-01-01T00:00:00Z tests/golden/explain/until.yaml
shown until-after.txt --matrix --host 10.5.0.1 --from gateway --at 2031-01-01T00:00:00Z tests/golden/explain/until.yaml

refused 2 "there is no zone 'gatway'" --matrix --from gatway policies/three-tier.yaml
refused 2 "did you mean 'gateway'" --matrix --to gatway policies/three-tier.yaml
refused 2 "there is no zone '10.0.0.1'" --matrix --to 10.0.0.1 policies/three-tier.yaml
refused 2 "needs the name of a zone" --matrix --to , policies/three-tier.yaml
refused 2 "are for the matrix" --from world policies/three-tier.yaml
refused 2 "are for the matrix" --at 2031-01-01T00:00:00Z policies/three-tier.yaml
refused 2 "and no matrix" --effective --matrix policies/three-tier.yaml
refused 2 "and no matrix" --effective -o html policies/three-tier.yaml
refused 3 "error:" --matrix tests/golden/check/unknown-key.yaml
{
	printf 'version: 1\ndefaults: {action: drop}\nzones:\n'
	for ((i = 0; i < 250; i++)); do echo "  z$i: [10.0.0.$i]"; done
} >"$folder/many.yaml"
refused 1 "name the zones of interest" -o html "$folder/many.yaml"
refused 1 "name the zones of interest" -o dot "$folder/many.yaml"

# What the matrix says of a service is what explain says of it.
agrees() { # FROM TO SERVICE MATRIX ANSWER: a pattern of the cell, and explain's word
	"$ZONEWALL" show --matrix --from "$1" --to "$2" policies/three-tier.yaml 2>/dev/null | sed '1d;/^$/,$d' | grep -qE -- "$4" &&
		"$ZONEWALL" explain policies/three-tier.yaml --from "$1" --to "$2" --service "$3" 2>/dev/null | grep -q "^$5 "
	result $? "$1 to $2, $3: $5, by matrix and explain"
}
agrees world gateway web ' web *$' yes
agrees world db any ' - *$' no
agrees app data postgres 'postgres \(partly\)' partly

if command -v dot >/dev/null; then
	for policy in policies/*.yaml $corners; do
		"$ZONEWALL" show -o dot "$policy" 2>/dev/null | dot -Tsvg >"$folder/graph.svg" 2>"$folder/err" &&
			[ ! -s "$folder/err" ] && grep -q '</svg>' "$folder/graph.svg"
		result $? "Graphviz draws $policy"
	done
else
	n=$((n + 1))
	echo "ok $n # SKIP dot is missing (Debian package graphviz)"
fi
for policy in policies/*.yaml $corners; do
	"$ZONEWALL" show -o html --host $HOST "$policy" >"$folder/page.html" 2>/dev/null &&
		python3 "$here/matrix/page.py" "$folder/page.html" >"$folder/out" 2>&1
	result $? "the page of $policy is whole"
	sed 's/^/# /' "$folder/out"
done
"$ZONEWALL" show -o html $corners 2>/dev/null | grep -qF "&lt;script&gt;alert(&apos;&amp;&apos;)&lt;/script&gt;"
result $? "what an owner says is text"
echo "1..$n"
