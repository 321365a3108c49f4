#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# feeds.sh - `zonewall run` follows files of addresses.
#
#    a  e0 10.1.0.1 --- e0 10.1.0.2  b, zonewall
#
# What is new and good takes effect, also where another process applied the policy from another folder; what is broken is not
# taken, what was there before stays, and `status` and the log of events name it. Then large files are replaced under
# traffic: no packet is decided wrongly, and memory stays what it is. ENTRIES=N, SECONDS_OF_LOAD=N, PERIOD=N seconds: the whole is
# ENTRIES=1000000 SECONDS_OF_LOAD=300 PERIOD=10.
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "feeds-$$"
add_hosts a b
join a e0 b e0 1
traffic=$tools/publish_traffic
mkdir -p "$dir/policy/feeds" "$dir/elsewhere"
feed=$dir/policy/feeds/drop.txt

log=$dir/events
start_run() # start_run FILE...: from the policy's folder; not in a function that check calls, since it is this shell's
{
	: >"$dir/run-b"
	(cd "$dir/policy" && exec nsenter --net="/run/netns/$base-b" "$zonewall" run --instance "$base-b" --log "$log" -o json "$@") \
		>>"$dir/run-b" 2>&1 </dev/null &
	started[run-b]=$!
}
is_ready() { soon says run-b ready; }
replace() { cat >"$feed.new" && mv "$feed.new" "$feed"; } # by another file of that name
status() { zw b status -o json; }
feeds() # feeds PERL: an expression about the feed's zone $f and the warnings $w
{
	status | perl -MJSON::PP -e 'my $s = decode_json(join "", <STDIN>); my ($f) = grep { $_->{zone} eq "bad" } @{ $s->{feeds} };
		my $w = join "\n", @{ $s->{warnings} }; exit(!eval shift)' "$1" || { status | sed 's/.*"feeds"/"feeds"/'; return 1; }
}
decides() # decides ADDRESS drop|allow: what the kernel has
{
	has "$(zw b explain --running --from "$1" --to 10.1.0.2 --service tcp/80 2>&1)" "^$2 "
}
kept() # kept WHAT PATTERN: what is on the disk is not taken
{
	check "$1: is told in status" soon feeds "\$f->{problem} =~ /$2/ && \$w =~ /feeds.drop.txt is not taken, what it held before stays/"
	check "$1: in the log of events" soon grep -q "zonewall.feed/1.*$2" "$log"
	check "$1: what was there before decides" eval 'decides 192.0.2.7 drop && decides 192.0.2.99 allow'
}

cat >"$dir/policy/p.yaml" <<-END
	version: 1
	defaults: {action: allow, flows: 4096}
	failsafe: []
	interfaces: [{match: [e0], xdp: off}]
	zones: {bad: {file: feeds/drop.txt, min-entries: 2, max-age: 1h}}
	rules: [{id: no, from: bad, to: any, service: any, action: drop}]
	tests: [{from: 203.0.113.1, to: 10.1.0.2, service: tcp/80, expect: allow}]
END
printf '192.0.2.1\n192.0.2.2\n' >"$feed"
start_run p.yaml
check "run applies a policy with a feed" is_ready
check "it is followed" soon feeds '$f->{entries} == 2 && !defined $f->{problem} && $f->{age_s} < 60'
printf '192.0.2.7\n198.51.100.0/24 # a net\n2001:db8::/32\n' | replace
check "another file takes its place: it decides" soon decides 192.0.2.7 drop
check "what it does not list any more is let in" decides 192.0.2.1 allow
check "status has its entries" soon feeds '$f->{entries} == 3 && !defined $f->{problem}'
echo 192.0.2.8 >>"$feed"
check "it is written to where it is: that decides" soon decides 192.0.2.8 drop
sed -i 's/action: drop/action: allow/' "$dir/policy/p.yaml"
printf '192.0.2.7\n192.0.2.9\n' | replace
check "the policy's file was edited: the feed decides" soon decides 192.0.2.9 drop
sed -i '/id: no/s/action: allow/action: drop/' "$dir/policy/p.yaml"

printf '192.0.2.7\n192.0.2.99\nnobody\n' | replace
kept "a line of garbage" "drop.txt:3:1: error: .nobody. is not an address"
printf '192.0.2.99\n192.0.2.98\n0.0.0.0/0\n' | replace
kept "everybody" "wider than .8"
printf '192.0.2.99\n192.0.2.98\n192.0.2.9' | replace
kept "a last line without an end" "cut off"
printf '192.0.2.99\n192.0.' | replace
kept "a last line that is half an address" "cut off"
: >"$feed"
kept "nothing at all" "cut off"
printf '192.0.2.99\n' | replace
kept "too few" "has 1 entries, fewer than min-entries .2."
printf '192.0.2.99\n192.0.2.98\n203.0.113.0/24\n' | replace
kept "what the policy's tests refuse" "could not be published"
rm "$feed"
kept "no file" "cannot read .*No such file"
printf '192.0.2.7\n192.0.2.10\n' >"$feed.new"
touch -d '2 hours ago' "$feed.new"
mv "$feed.new" "$feed"
check "a good one again: it decides" soon decides 192.0.2.10 drop
check "status has no complaint but its age" soon feeds '!defined $f->{problem} && $f->{age_s} > 7000 && $w =~ /old, more than max-age/ && $w !~ /not taken/'

stop run-b
printf '192.0.2.7\n192.0.2.99\nnobody\n' | replace
start_run p.yaml
check "a loader that starts with a broken one begins with what it held before" eval 'is_ready && decides 192.0.2.10 drop'
kept "broken as the loader starts" "drop.txt:3:1: error: .nobody. is not an address"
printf '192.0.2.7\n192.0.2.10\n' | replace
check "a good one again" soon feeds '!defined $f->{problem}'
check "another process applies, from another folder" eval 'cd "$dir/elsewhere" && zw b apply ../policy/p.yaml'
printf '192.0.2.7\n192.0.2.11\n' | replace
check "its feed is followed, too" soon decides 192.0.2.11 drop
stop run-b KILL
printf '192.0.2.7\n192.0.2.12\n' | replace
start_run
check "a loader that was away takes what has come meanwhile" eval 'is_ready && soon decides 192.0.2.12 drop'
check "on trial nothing is published over it" eval 'zw b apply --confirm 60s "$dir/policy/p.yaml" && printf "192.0.2.7\n192.0.2.13\n" | replace && sleep 1.5 && decides 192.0.2.13 allow'
check "confirmed, it is" eval 'zw b confirm && soon decides 192.0.2.13 drop'
stop run-b
down b

# Under load. `all` has the peer in every version, `half` in every other one: 5001 is allowed and 5002 denied for who is
# in `all`, whatever the generation; 5003 depends on `half`.
entries=${ENTRIES:-100000} period=${PERIOD:-3} turns=$((${SECONDS_OF_LOAD:-15} / ${PERIOD:-3}))
cat >"$dir/policy/load.yaml" <<-END
	version: 1
	defaults: {action: drop}
	failsafe: []
	interfaces: [{match: [e0], xdp: off}]
	zones:
	  all: {file: feeds/all.txt, min-entries: $entries}
	  half: {file: feeds/half.txt}
	  node: [10.1.0.2]
	rules:
	  - {id: in, from: all, to: node, service: udp/5001, action: allow}
	  - {id: out, from: node, to: all, service: udp/5001, action: allow}
	  - {id: no-in, from: all, to: node, service: udp/5002, action: drop}
	  - {id: no-out, from: node, to: all, service: udp/5002, action: drop}
	  - {id: yes, from: any, to: any, service: udp/5002, action: allow}
	  - {id: half-in, from: half, to: node, service: udp/5003, action: allow}
	  - {id: half-out, from: node, to: half, service: udp/5003, action: allow}
END
# Hosts of 32.0.0.0/3, other ones in each version.
make_feed() # make_feed FILE VERSION
{
	{ perl -e '($n, $v) = @ARGV; for $i (1 .. $n) { $a = ($i * 2654435761 + $v * 40503) & 0x1fffffff | 0x20000000;
		print join(".", unpack("C4", pack("N", $a))), "\n" }' "$entries" "$2"; echo 10.1.0.1; } >"$1"
}
memory() { awk '/^VmRSS/ { print $2 }' "/proc/${started[run-b]}/status"; }
generation() { status | perl -MJSON::PP -e 'print decode_json(join "", <STDIN>)->{generation}'; }
for v in 0 1; do make_feed "$dir/all.$v" $v; done
echo 10.1.0.1 >"$dir/half.0"
echo "# nobody" >"$dir/half.1"
cp "$dir/all.0" "$dir/policy/feeds/all.txt"
cp "$dir/half.0" "$dir/policy/feeds/half.txt"
patience=60
start_run load.yaml
check "a policy with $entries entries" is_ready
patience=5
coproc traffic_of { exec "$traffic" "$base-b" 10.1.0.2 "$base-a" 10.1.0.1; }
exec {from}<&"${traffic_of[0]}"
first=$(generation) late=0 slowest=0 early_kib=0 last_kib=0
for ((i = 1; i <= turns; i++)); do
	began=$SECONDS before=$(generation 2>/dev/null)
	cp "$dir/all.$((i % 2))" "$dir/policy/feeds/all.new"
	cp "$dir/half.$((i % 2))" "$dir/policy/feeds/half.new"
	mv "$dir/policy/feeds/all.new" "$dir/policy/feeds/all.txt"
	mv "$dir/policy/feeds/half.new" "$dir/policy/feeds/half.txt"
	while [ "$(generation 2>/dev/null)" -le "$before" ] && [ $((SECONDS - began)) -lt 60 ]; do sleep 0.2; done
	took=$((SECONDS - began))
	[ $took -lt 60 ] || late=$((late + 1))
	[ $took -le $slowest ] || slowest=$took
	while [ $((SECONDS - began)) -lt "$period" ]; do sleep 0.2; done
	sleep 0.5 # between two, what it keeps
	last_kib=$(memory)
	[ $i -gt 2 ] || early_kib=$last_kib
done
traffic_input=${traffic_of[1]}
exec {traffic_input}>&-
echo "# $entries entries replaced $turns times, $(($(generation) - first)) generations; the loader took $((early_kib / 1024)) MiB after the second, $((last_kib / 1024)) MiB after the last; the slowest took effect after $slowest s"
check "each replacement took effect" is $late 0
check "the loader's memory is steady" test "$last_kib" -le $((early_kib * 5 / 4 + 4096))
check "and so are generations in the kernel" test "$(find "/sys/fs/bpf/zonewall/$base-b" -name 'gen-*' | wc -l)" -le 3
judge_traffic "$from"
exec {from}<&-
stop run-b
down b
echo "1..$count"
