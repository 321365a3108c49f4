#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What tables take is said before anything is loaded, and what is over --budget is refused with what costs most.
# shellcheck source=tests/golden/golden.bash
. "${BASH_SOURCE%/*}/golden.bash"

says() { # DESCRIPTION STATUS GOT-STATUS TEXT: is it in err?
	[ "$2" = "$3" ] && grep -qF -- "$4" "$folder/err"
	result $? "$1"
	sed 's/^/# /' "$folder/err"
}

printf 'version: 1\ndefaults: {action: drop}\nzones:\n  few: [192.0.2.1]\n  many: {file: feed}\nrules:\n  - {id: r, from: few, to: many, service: tcp/22, action: allow}\n' >"$folder/policy.yaml"
awk 'BEGIN { for (i = 0; i < 60000; i++) printf "10.%d.%d.%d\n", i % 256, i / 256, i % 199 }' >"$folder/feed"

"$ZONEWALL" check --budget 64M "$folder/policy.yaml" >"$folder/out" 2>"$folder/err"
result $? "what fits is accepted"
"$ZONEWALL" check --budget 1M "$folder/policy.yaml" >"$folder/out" 2>"$folder/err"
says "what does not is refused, with what costs most" 3 $? \
	"policy.yaml:5:3: error: the tables need more than their budget of 1024 KiB; addresses cost most, and zone 'many' has most of them (60000 ranges)"
says "and with the remedy" 0 0 "fix: allow more with --budget, up to 512M"
for size in 0 1023K 513M 1T 5MB -1M M '' 99999999999999999999; do
	"$ZONEWALL" check --budget "$size" "$folder/policy.yaml" >"$folder/out" 2>"$folder/err"
	says "--budget '$size' is no size" 2 $? "--budget: '$size' is not a size from 1M to 512M"
done

"$ZONEWALL" check "$folder/policy.yaml" >"$folder/out" 2>&1
grep -q '^reads  *a packet of no open flow reads at most [0-9]* (IPv4) or [0-9]* (IPv6) lines of 64 bytes:$' "$folder/out"
result $? "what a packet reads is said"
grep -q "^costs most  zone 'many' has most ranges of addresses (60000); rule 'r' names most pairs" "$folder/out"
result $? "and what costs most"
"$ZONEWALL" check -o json "$folder/policy.yaml" >"$folder/out" 2>"$folder/err"
python3 - "$folder/out" <<'END'
import json
import sys

tables = json.load(open(sys.argv[1], encoding="utf-8"))["tables"]
assert sum(tables["parts"].values()) == tables["bytes"], tables
for reads in tables["reads"].values():
    assert reads.pop("all") == sum(reads.values()) > 0, reads
assert tables["cache_bytes_a_cpu"] == 1 << 20
assert tables["counters_bytes_a_cpu"] % 64 == 0 < tables["counters_bytes_a_cpu"]
assert tables["costs_most"]["zone"] == "many" and tables["costs_most"]["rule"] == "r", tables["costs_most"]
END
result $? "as JSON: the parts are the whole"
echo "1..$n"
