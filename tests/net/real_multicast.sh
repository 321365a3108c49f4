#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# real_multicast.sh - a host hears what it sends to a group or as a broadcast, as far as it listens; others, as far as
# policy allows.
#
#    a, zonewall  e0 10.1.0.1, fd00:1::1 --- e0 10.1.0.2, fd00:1::2  b
#
# The stack's copy for the host itself passes the ingress hook, without an Ethernet header.
# shellcheck source=tests/net/net.bash
. "${BASH_SOURCE%/*}/net.bash" "multicast-$$"
add_hosts a b
join a e0 b e0 1

policy() # policy ACTION
{
	cat <<-END
		zones: {a: [10.1.0.1, "fd00:1::1"], all: [239.1.2.3, 10.1.0.255, 255.255.255.255, "ff15::99"]}
		rules: [{id: group, from: a, to: all, service: udp/5555-5558, action: $1}]
	END
}
# listen GROUP...: a and b join each, a sends to it; a line "GROUP: HOST..." for each tells who hears it, into heard
listen()
{
	heard=$(
		nsenter --net="/run/netns/$base-a" python3 - "/run/netns/$base-b" "$@" <<-'END'
			import ctypes, os, socket, struct, sys
			def receiver(group, port):
			    s = socket.socket(family(group), socket.SOCK_DGRAM)
			    s.settimeout(0.4)
			    s.bind(("", port))
			    e0 = struct.pack("i", socket.if_nametoindex("e0"))
			    if ":" in group:
			        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, group) + e0)
			    elif group.startswith("239."):
			        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + bytes(4) + e0)
			    return s
			def sender(group):
			    s = socket.socket(family(group), socket.SOCK_DGRAM)
			    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
			    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"e0\0")
			    return s
			def family(group):
			    return socket.AF_INET6 if ":" in group else socket.AF_INET
			def hears(s):
			    try:
			        return bool(s.recv(16))
			    except TimeoutError:
			        return False
			groups = list(enumerate(sys.argv[2:], 5555)) # a port each
			own = [receiver(group, port) for port, group in groups]
			senders = [sender(group) for _, group in groups]
			if ctypes.CDLL(None, use_errno=True).setns(os.open(sys.argv[1], os.O_RDONLY), 0):
			    sys.exit("setns")
			other = [receiver(group, port) for port, group in groups]
			for (port, group), s in zip(groups, senders):
			    try:
			        s.sendto(b"x", (group, port))
			    except OSError:
			        pass # dropped on its way out
			for (_, group), a, b in zip(groups, own, other):
			    print(group + ":", *["a"] * hears(a), *["b"] * hears(b))
		END
	)
}
hear() # hear HOSTS: each group that was listened to
{
	is "$(sed 's/^[^ ]*: *//' <<<"$heard" | sort | uniq -c | tr -s ' ')" " ${#groups[@]} $1" || { echo "$heard"; return 1; }
}

groups=(239.1.2.3 10.1.0.255 255.255.255.255 ff15::99)
for _ in 1 2 3; do # until the interfaces are ready
	listen "${groups[@]}"
	hear "a b" >/dev/null && break
done
check "without zonewall both hear the groups and broadcasts that a sends to" hear "a b"
for attached in "${modes[@]}"; do
	check "a policy that allows them is applied" apply a < <(policy allow)
	listen "${groups[@]}"
	if [ "$attached" = generic ]; then
		check "generic XDP is not told what is a copy, and drops it" hear b
		check "as ethertype" counts a dropped ethertype
	else
		check "both hear them" hear "a b"
		check "nothing is dropped" drops_nothing a
	fi
	down a
done
attached=tcx
groups=(239.1.2.3 ff15::99)
check "a policy that denies them is applied" apply a < <(policy drop)
listen "${groups[@]}"
check "nothing leaves; the host hears itself, as without a network" not hear b
check "what was to leave is dropped by the rule" is "$(counted a dropped rule egress)" 2
echo "1..$count"
