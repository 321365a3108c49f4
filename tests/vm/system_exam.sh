#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# system_exam.sh - runs in the machine of system.sh, as a service of systemd's, at each of three boots: TAP on the second
# serial line. By eth0 comes what wire.py sends, from before the boot on: datagrams to 10.77.0.1:4444, which the policy denies,
# and echo requests. net.service gives eth0 its address and sets it up, after network-pre.target.
exec >/dev/ttyS1 2>&1
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive HOME=/root
cd /zonewall || exit 1
# shellcheck source=tests/net/tap.bash
. ./tap.bash
boot=$(cat boot 2>/dev/null || echo 1)
count=$(cat count 2>/dev/null || echo 0)
attached="boot $boot"

counter() # counter PROTOCOL NAME: of the kernel, since it booted
{
	local names values i
	{ read -ra names; read -ra values; } < <(grep "^$1:" /proc/net/snmp)
	for i in "${!names[@]}"; do [ "${names[i]}" != "$2" ] || echo "${values[i]}"; done
}
# Datagrams that came by eth0 and were not dropped before they were looked at: to a socket or, as here, to none.
delivered() { echo $(($(counter Udp InDatagrams) + $(counter Udp NoPorts))); }
within() # within SECONDS COMMAND...
{
	local n out
	for ((n = 0; n < $1 * 5; n++)); do
		out=$("${@:2}" 2>&1) && return
		sleep 0.2
	done
	printf '%s\n' "$out"
	return 1
}
some_delivered() { test "$(delivered)" -gt 0; }
some_echos() { test "$(counter Icmp InEchos)" -gt 0; }
none_delivered() # for a second, in which echo requests are
{
	local before echos
	before=$(delivered) echos=$(counter Icmp InEchos)
	sleep 1
	is "$(delivered)" "$before" && test "$(counter Icmp InEchos)" -gt "$echos"
}
active() { is "$(systemctl is-active "$@" | sort -u)" active; }
is_detached() { ! ip -d link show | grep xdp && ! tc qdisc show | grep clsact && ! find /sys/fs/bpf/zonewall/* 2>/dev/null; }
main_pid() { systemctl show -p MainPID --value zonewall; }
exposure() { systemd-analyze security --no-pager "$1" | sed -n 's/.*\(exposure level\) for [^ ]* *\([0-9.]*\).*/\1 \2/p'; }
capabilities() { sed -n 's/^CapEff:\s*0*//p' "/proc/$(main_pid)/status"; }
# What the hooks of an interface have dropped, of the table of attach points: the 7th word
dropped() { zonewall status | sed -n "s/^$1 *[a-z]* *[a-z]* *ok *[0-9]* *\([0-9]*\).*/\1/p" | paste -sd+ | sed 's/^$/none/'; }

first()
{
	check "datagrams are delivered: the wire is there" within 20 some_delivered
	check "the package is installed" dpkg -i first.deb
	check "nothing is attached" is_detached
	check "no unit is enabled" is "$(systemctl is-enabled zonewall zonewall-boot | sort -u)" disabled
	check "a policy is applied" zonewall apply policy.yaml
	check "both units are enabled and started" systemctl enable --now zonewall-boot zonewall
	check "and run" active zonewall-boot zonewall
	for unit in zonewall zonewall-boot; do
		check "$unit: $(exposure "$unit")" systemd-analyze security --no-pager --threshold=25 "$unit"
	done
	check "CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF and nothing else" is "$(capabilities)" c000001000
	check "what is denied is not delivered any more" none_delivered
	upgrade
}

runs() { active zonewall || { systemctl status -n 30 --no-pager -l zonewall; systemctl list-jobs; false; }; }
has_two_hooks() { is "$(zonewall status | grep -c '^v0 .* ok ')" 2; }
upgrade()
{
	local before
	ip netns add peer
	ip link add v0 type veth peer name v1 netns peer
	ip addr add 10.78.0.1/24 dev v0
	ip link set v0 up
	ip -n peer addr add 10.78.0.2/24 dev v1
	ip -n peer link set v1 up
	check "an interface that appears is attached" within 10 has_two_hooks
	# An emulated machine stands still for seconds while programs are verified: what its processes read late is not lost.
	sysctl -qw net.core.rmem_max=8388608 net.core.wmem_max=8388608
	iperf3 -s >/dev/null 2>&1 &
	sleep 1
	ip netns exec peer iperf3 -J -u -b 200K -l 200 -w 4M -c 10.78.0.1 -t "$stream_s" >udp.json 2>&1 &
	sleep 2
	before=$(main_pid)
	check "a package of another version and ABI is installed" dpkg -i second.deb
	check "which runs" within 10 runs
	check "instead of the one before" not is "$(main_pid)" "$before"
	check "by the new ABI" has "$(zonewall version)" "abi $(cat second.abi)"
	check "and has taken over" is "$(ls /sys/fs/bpf/zonewall/default)" "abi-$(cat second.abi)"
	check "all is attached" has_two_hooks
	kill -0 %2
	check "while iperf3 runs" is $? 0
	wait %2
	check "of whose $(grep -o '"packets":[^,]*' udp.json | tail -n 1 | grep -o '[0-9]*') datagrams none is lost" \
		is "$(grep -o '"lost_packets":[^,]*' udp.json | tail -n 1 | grep -o '[0-9]*')" 0
	check "and none was dropped" is "$(dropped v0)" 0+0
	check "what is denied is not delivered" none_delivered
	kill %1
}

all_decided()
{
	local received decided
	received=$(cat /sys/class/net/eth0/statistics/rx_packets)
	decided=$(zonewall status | sed -n 's/^eth0 *\(xdp\|ingress\) *[a-z]* *ok *\([0-9]*\) *\([0-9]*\).*/\2 + \3/p')
	echo "received $received, decided $decided"
	test $((decided)) -ge "$received"
}
# Of all packets that eth0 has received, each was decided; none of those denied was delivered.
second()
{
	check "zonewall has restored the policy" active zonewall-boot zonewall
	check "echo requests come in" within 20 some_echos
	check "nothing denied was delivered since the kernel started" is "$(delivered)" 0
	check "nor is now" none_delivered
	check "nor was until now" is "$(delivered)" 0
	check "each packet that eth0 has received was decided" all_decided
	check "datagrams were dropped: $(dropped eth0)" not is "$(dropped eth0)" 0+0
	systemctl disable zonewall-boot zonewall
}

# Without the units the same boot lets them in; and without the package nothing is left.
third()
{
	check "without the units they are delivered" within 20 some_delivered
	check "the policy is restored by hand" zonewall restore
	check "and decides" none_delivered
	check "the package is removed" dpkg -r zonewall
	check "with all that was attached" is_detached
	check "and is purged" dpkg -P zonewall
	check "nothing is left" is "$(find / -xdev -name '*zonewall*' -not -path '/zonewall*' -not -path '/var/log/*')" ""
	check "but the group" grep -q '^zonewall:' /etc/group
}

stream_s=15
case $boot in
1) first ;;
2) second ;;
*) third ;;
esac
echo $((boot + 1)) >boot
echo "$count" >count
sync
if [ "$boot" -lt 3 ]; then systemctl reboot; else echo "1..$count" && systemctl poweroff; fi 2>/dev/null
