# SPDX-License-Identifier: GPL-2.0-only
# net.bash - what the network tests share: TAP (tap.bash), hosts (network namespaces), zonewall on them, its counters. Sourced with
# a name, by which namespaces and instances are called: host `a` of test `udp-17` is the namespace zw-udp-17-a, and the
# zonewall on it the instance of that name.
# shellcheck disable=SC2034 # some of what is set here only those use that source it
set -u
# shellcheck source=tests/net/tap.bash
. "${BASH_SOURCE%/*}/tap.bash"
base=zw-$1
zonewall=$(realpath -m "${ZONEWALL:-build/zonewall}")
tools=$(realpath -m "${BUILD:-build}")/tests/net
dir=$(mktemp -d)
defaults='' # more of a policy's defaults
hosts=()
declare -A started=() # name -> pid

soon() # soon COMMAND...: within five seconds (or $patience), on a machine that may be busy
{
	local out i
	for ((i = 0; i < ${patience:-5} * 10; i++)); do
		out=$("$@" 2>&1) && return 0
		sleep 0.1
	done
	printf '%s\n' "$out"
	return 1
}

# --- hosts

at() { nsenter --net="/run/netns/$base-$1" "${@:2}"; } # at HOST COMMAND...
sysctls() # sysctls HOST NAME=VALUE...: of /proc/sys/net; a name that this kernel lacks is left out
{
	at "$1" bash -c 'for s; do if [ -e "/proc/sys/net/${s%%=*}" ]; then echo "${s#*=}" >"/proc/sys/net/${s%%=*}"; fi; done' \
		- "${@:2}"
}
# add_hosts HOST...: MPTCP is off, errors are sent however many there are, and addresses can be used at once
add_hosts()
{
	local host
	[ -x "$zonewall" ] || { echo "Bail out! there is no $zonewall"; exit 1; }
	trap remove_hosts EXIT
	trap 'exit 1' INT TERM
	for host; do
		ip netns add "$base-$host" || { echo "Bail out! no namespace $base-$host"; exit 1; }
		hosts+=("$host")
		ip -n "$base-$host" link set lo up
		sysctls "$host" mptcp/enabled=0 ipv4/icmp_ratelimit=0 ipv4/icmp_msgs_per_sec=100000 ipv6/icmp/ratelimit=0 \
			ipv6/conf/all/accept_dad=0 ipv6/conf/default/accept_dad=0
	done
}
route_between() { local host; for host; do sysctls "$host" ipv4/ip_forward=1 ipv6/conf/all/forwarding=1; done; }
join() # join HOST INTERFACE HOST INTERFACE NET: 10.NET.0.1 and fd00:NET::1 at the first, .2 and ::2 at the second
{
	ip link add "$2" netns "$base-$1" type veth peer name "$4" netns "$base-$3"
	address "$1" "$2" "$5" 1
	address "$3" "$4" "$5" 2
}
address() # address HOST INTERFACE NET NUMBER
{
	ip -n "$base-$1" addr add "10.$3.0.$4/24" dev "$2"
	ip -n "$base-$1" addr add "fd00:$3::$4/64" dev "$2" nodad
	ip -n "$base-$1" link set "$2" up
}
# chained_hosts: a e1 -- w1 r1 e2 -- w2 r2 e3 -- w3 b; net N lies at the right of the Nth host, whose end is .1. In two
# rounds each way of attaching is once at an end and once in the middle.
rounds=("a=tcx r1=clsact r2=native b=generic" "a=native r1=generic r2=tcx b=clsact")
chained_hosts()
{
	add_hosts a r1 r2 b
	join a e1 r1 w1 1
	join r1 e2 r2 w2 2
	join r2 e3 b w3 3
	route a 1 2
	route b 3 1
	route r1 2 2
	route r2 2 1
	route_between r1 r2
}

# wired_hosts: a (10.1.0.1) and b (10.1.0.2) with a namespace between them, in which `disturb KIND...` starts the program
# wire, which carries the frames. Once it is stopped, `did early` is what it says of that.
wired_hosts()
{
	add_hosts a wire b
	sysctls wire ipv6/conf/all/disable_ipv6=1 ipv6/conf/default/disable_ipv6=1
	ip link add e0 netns "$base-a" type veth peer name wa netns "$base-wire"
	ip link add e0 netns "$base-b" type veth peer name wb netns "$base-wire"
	ip -n "$base-wire" link set wa up
	ip -n "$base-wire" link set wb up
	address a e0 1 1
	address b e0 1 2
}
disturb() { start wire wire "$tools/wire" wa wb "$@" && soon says wire ready; }
did() { sed -n "s/.*\<$1 \([0-9]*\).*/\1/p" "$dir/wire"; }
route() # route HOST NET NUMBER: both default routes lead to that neighbour
{
	ip -n "$base-$1" route add default via "10.$2.0.$3"
	ip -n "$base-$1" -6 route add default via "fd00:$2::$3"
}

start() # start NAME HOST COMMAND...: in the background, output in $dir/NAME; its pid in started[NAME]
{
	: >"$dir/$1"
	nsenter --net="/run/netns/$base-$2" "${@:3}" >"$dir/$1" 2>&1 </dev/null &
	started[$1]=$!
}
stop() # stop NAME [SIGNAL]: waits for it, too
{
	kill "-${2:-TERM}" "${started[$1]}" 2>/dev/null
	wait "${started[$1]}" 2>/dev/null
	unset "started[$1]"
}
says() { grep -q -- "$2" "$dir/$1" || { tail -n 20 "$dir/$1"; return 1; }; } # says NAME PATTERN
listens() { has "$(at "$1" ss -Hln"${3:-t}" "sport = :$2")" .; } # listens HOST PORT [t|u]

remove_hosts()
{
	local host name
	for name in "${!started[@]}"; do kill "${started[$name]}"; done 2>/dev/null
	for host in "${hosts[@]}"; do
		zw "$host" down
		ip netns del "$base-$host"
		rm -rf "/run/zonewall/$base-$host" "/var/lib/zonewall/$base-$host"
	done >/dev/null 2>&1
	rm -rf "$dir"
}

# --- zonewall on them

modes=(tcx clsact native generic) # how the ingress hook is attached; egress is TCX but for clsact
declare -A mode_of=() # host -> how it is attached there
command_of() # command_of HOST COMMAND: into the array command
{
	command=("$zonewall" "$2" --instance "$base-$1")
	[ "${mode_of[$1]:-}" != clsact ] || command=(env ZONEWALL_NO_TCX=1 "${command[@]}")
}
zw() # zw HOST COMMAND...
{
	local command
	command_of "$1" "$2"
	at "$1" "${command[@]}" "${@:3}"
}
# apply HOST[=MODE]...: the policy on stdin, in the mode in $attached if no other is said. What all policies here share is
# written before it.
apply()
{
	local host rest pids=() pid xdp status=0
	rest=$(cat)
	for host; do
		[[ $host = *=* ]] || host+==$attached
		mode_of[${host%=*}]=${host#*=}
		host=${host%=*}
		xdp=off
		case ${mode_of[$host]} in native | generic) xdp=${mode_of[$host]} ;; esac
		cat >"$dir/$host.yaml" <<-END
			version: 1
			defaults: {action: drop, flows: 4096${defaults:+, $defaults}}
			failsafe: []
			interfaces: [{match: ['*'], xdp: $xdp}]
			$rest
		END
		zw "$host" apply "$dir/$host.yaml" >"$dir/apply.$host" 2>&1 &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || status=1; done
	[ $status -eq 0 ] || cat "$dir"/apply.*
	return $status
}
run() # run HOST: `zonewall run` in the background, with the policy that was applied last
{
	local command
	command_of "$1" run
	start "run-$1" "$1" "${command[@]}" "$dir/$1.yaml"
	soon says "run-$1" ready
}
down() { local host; for host; do zw "$host" down; done >/dev/null 2>&1; }

# --- its counters: all of a host's attach points, or those of one hook, or of one interface

counters() # counters HOST: a line for each INTERFACE HOOK VERDICT REASON PACKETS that is not zero
{
	zw "$1" status -o json 2>/dev/null | perl -MJSON::PP -e '
		for my $p (@{ decode_json(join "", <>)->{attach_points} }) {
			for my $v ("allowed", "dropped") {
				my $r = $p->{$v}{reasons};
				print "$p->{interface} $p->{hook} $v $_ $r->{$_}{packets}\n" for sort keys %$r;
			}
		}'
}
# counted HOST allowed|dropped [REASON [HOOK-OR-INTERFACE]]
counted()
{
	counters "$1" | awk -v v="$2" -v r="${3:-}" -v w="${4:-}" \
		'$3 == v && (r == "" || r == $4) && (w == "" || w == $1 || w == $2) { n += $5 } END { print n + 0 }'
}
counts() # counts HOST allowed|dropped REASON: some
{
	[ "$(counted "$@")" -gt 0 ] || { counters "$1"; return 1; }
}
drops_nothing() # drops_nothing HOST...: on no hook
{
	local host status=0
	for host; do
		[ "$(counters "$host" | wc -l)" -gt 0 ] || { echo "$host: nothing counted"; status=1; }
		counters "$host" | sed -n "s/^\(.* dropped .*\)/$host: \1/p" | grep . && status=1
	done
	return $status
}
new_flows() # new_flows HOST RULE
{
	zw "$1" rules -o json 2>/dev/null | perl -MJSON::PP -e '
		my $wanted = shift;
		for my $r (@{ decode_json(join "", <STDIN>)->{rules} }) { print "$r->{flows}\n" if $r->{id} eq $wanted }' "$2"
}

# judge_traffic FD [WHO]: the two lines with which publish_traffic ends
judge_traffic()
{
	local name line sent arrived echoed denied either

	for name in in out; do
		read -r line <&"$1"
		echo "# ${2:-}$line"
		read -r _ _ sent _ arrived _ echoed _ denied _ either <<<"$line"
		check "$name: no packet is lost that both policies allow" test "$sent" -gt 0 -a "$sent" = "$arrived"
		check "$name: nor an answer" test "$sent" = "$echoed"
		check "$name: no packet passes that both deny" test "$denied" = 0
		check "$name: both policies did decide" test "$either" -gt 0 -a "$either" -lt "$sent"
	done
}
