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
		rules: [{id: group, from: a, to: all, service: udp/5555, action: $1}]
	END
}
# hears GROUP: a and b join it, a sends; prints who hears it
hears()
{
	nsenter --net="/run/netns/$base-a" python3 - "$1" "/run/netns/$base-b" <<-'END'
		import ctypes, os, socket, struct, sys
		def receiver(group, family):
		    s = socket.socket(family, socket.SOCK_DGRAM)
		    s.settimeout(0.4)
		    s.bind(("", 5555))
		    e0 = struct.pack("i", socket.if_nametoindex("e0"))
		    if family == socket.AF_INET6:
		        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(family, group) + e0)
		    elif group.startswith("239."):
		        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + bytes(4) + e0)
		    return s
		group = sys.argv[1]
		family = socket.AF_INET6 if ":" in group else socket.AF_INET
		own = receiver(group, family)
		sender = socket.socket(family, socket.SOCK_DGRAM)
		sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
		sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"e0\0")
		if ctypes.CDLL(None, use_errno=True).setns(os.open(sys.argv[2], os.O_RDONLY), 0):
		    sys.exit("setns")
		other = receiver(group, family)
		try:
		    sender.sendto(b"x", (group, 5555))
		except OSError as e:
		    print(e.strerror, end=" ")
		for name, s in ("a", own), ("b", other):
		    try:
		        s.recv(16)
		        print(name, end=" ")
		    except TimeoutError:
		        pass
	END
}

groups=(239.1.2.3 10.1.0.255 255.255.255.255 ff15::99)
for group in "${groups[@]}"; do check "without zonewall $group is heard by both" is "$(hears "$group")" "a b "; done
for attached in "${modes[@]}"; do
	check "a policy that allows them is applied" apply a < <(policy allow)
	for group in "${groups[@]}"; do
		if [ $attached = generic ]; then
			check "$group: generic XDP is not told what is a copy, and drops it" is "$(hears "$group")" "b "
		else
			check "$group is heard by both" is "$(hears "$group")" "a b "
		fi
	done
	[ $attached = generic ] || check "nothing is dropped" drops_nothing a
	down a
done
attached=tcx
check "a policy that denies them is applied" apply a < <(policy drop)
for group in 239.1.2.3 ff15::99; do check "$group does not leave" not has "$(hears "$group")" "b"; done
check "but is dropped on its way out, by the rule" is "$(counted a dropped rule egress)" 2
echo "1..$count"
