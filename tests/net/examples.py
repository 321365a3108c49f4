#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""examples.py BASE ZONEWALL POLICY RESULTS - a policy's tests as real connections between the namespaces of examples.sh.

Writes a line for each to the file RESULTS: 0 or 1 (as it should be, or not), a tab, the verdict that is expected, a tab, what it is about.
"""
import ctypes
import ipaddress
import json
import os
import socket
import subprocess
import sys

BASE, ZONEWALL, POLICY, RESULTS = sys.argv[1:]
NAME = os.path.basename(POLICY).removesuffix(".yaml")
NODE = ("10.0.1.254", "fd00:1::fe")

# Behind which of the node's interfaces an address is; two: as the opener, as the other end. Else eth0 and eth1.
DEMO = [("10.1.0.0/24", "gateway"), ("10.2.0.0/24", "app"), ("10.3.0.0/24", "data"),
        ("fd00:1::/64", "gateway"), ("fd00:2::/64", "app"), ("fd00:3::/64", "data")]
LEGS = {
    "container-node": [("10.88.1.10", "veth-shop"), ("10.88.1.20", "veth-cart"), ("10.88.2.30", "veth-mail"),
                       ("10.88.0.53", "veth-dns"), ("fd88:0:1::10", "veth-shop"), ("fd88:0:1::20", "veth-cart"),
                       ("fd88:0:2::30", "veth-mail"), ("fd88::53", "veth-dns")],
    "pci-database": [("10.40.1.0/24", "cards0", "cards1"), ("fd40:1::/64", "cards0", "cards1"),
                     ("10.0.0.0/8", "company0"), ("fd00::/8", "company0")],
    "demo": DEMO,
    "demo-contained": DEMO,
}

# Beside a policy's own tests: from, to, service, verdict, by; and from where a forged one is sent.
MORE = {
    "threat-feed": [
        ("198.51.100.7", NODE[0], "tcp/443", "allow", "web-in"),
        ("2001:db8:ffff::7", NODE[1], "tcp/80", "allow", "web-in"),
        ("198.51.100.66", NODE[0], "tcp/443", "drop", "no-attackers"),
        ("2001:db8:bad::7", NODE[1], "tcp/80", "drop", "no-attackers"),
        (NODE[0], "198.51.100.8", "udp/53", "allow", "out"),
        (NODE[0], "198.51.100.200", "tcp/443", "drop", "no-c2"),
    ],
    "quickstart": [
        ("198.51.100.7", NODE[0], "tcp/443", "allow", "web-in"),
        ("2001:db8:ffff::7", NODE[1], "tcp/443", "allow", "web-in"),
        ("198.51.100.7", NODE[0], "tcp/22", "allow", "failsafe-1"),
        ("192.168.1.9", NODE[0], "tcp/9100", "allow", "metrics-in"),
        (NODE[0], "198.51.100.8", "udp/53", "allow", "out"),
        ("198.51.100.7", NODE[0], "tcp/9100", "drop", "default"),
        ("2001:db8:ffff::7", NODE[1], "udp/53", "drop", "default"),
    ],
    "demo": [
        ("10.1.0.10", "10.2.0.10", "tcp/80", "allow", "gateway-to-app"),
        ("fd00:2::10", "fd00:3::10", "tcp/6379", "allow", "app-to-data"),
        ("10.1.0.10", "10.3.0.10", "tcp/6379", "drop", "data-is-closed"),
        ("198.51.100.7", "10.2.0.10", "tcp/80", "drop", "default"),
    ],
    "demo-contained": [
        ("fd00:1::10", "fd00:2::10", "tcp/80", "allow", "gateway-to-app"),
        ("10.2.0.10", "10.3.0.10", "tcp/6379", "drop", "contain-app"),
    ],
    "container-node": [
        ("10.88.2.30", "10.88.0.53", "udp/53", "drop", "spoofed", "veth-shop"),
        ("fd88:0:1::20", "fd88::53", "udp/53", "drop", "spoofed", "eth0"),
    ],
    "pci-database": [
        ("10.40.1.5", "10.40.1.6", "tcp/5432", "drop", "spoofed", "company0"),
        ("fd40:2::7", "fd40:1::5", "tcp/5432", "drop", "spoofed", "cards0"),
    ],
}
# The outside of the demo: what matches none of its interfaces is not looked at, so its strangers are behind `gateway`.
STRANGERS = {"demo": "gateway", "container-node": "eth0", "pci-database": "eth0"}

libc = ctypes.CDLL(None, use_errno=True)


def enter(host):
    fd = os.open(f"/run/netns/{BASE}-{host}", os.O_RDONLY)
    if libc.setns(fd, 0):
        raise OSError(ctypes.get_errno(), "setns " + host)
    os.close(fd)


def ip(host, *lines):
    subprocess.run(["ip", "-n", f"{BASE}-{host}", "-batch", "-"], input="\n".join(lines), text=True, check=True)


def zonewall(command):
    done = subprocess.run([ZONEWALL, command, "-o", "json", "--instance", f"{BASE}-node"], capture_output=True, check=True)
    return json.loads(done.stdout)


def packets():
    """Of each rule."""
    enter("node")
    return {rule["id"]: rule["packets"] for rule in zonewall("rules")["rules"]}


def drops():
    """By reason."""
    enter("node")
    found = {}
    for point in zonewall("status")["attach_points"]:
        for reason, count in point["dropped"]["reasons"].items():
            found[reason] = found.get(reason, 0) + count["packets"]
    return {reason: count for reason, count in found.items() if count}


def leg_of(address, side):
    if address in NODE:
        return "node"
    for net, *legs in LEGS.get(NAME, []):
        if ipaddress.ip_address(address) in ipaddress.ip_network(net):
            return legs[min(side, len(legs) - 1)]
    return STRANGERS.get(NAME, "eth0") if side == 0 else "eth1"


placed = {}  # (leg, is it IPv6): the address that the host behind the leg has now


def place(address, leg):
    """Gives the host behind a leg the address, in the place of the one it had. Returns the node's way there."""
    six = ":" in address
    text, old = f"{address}/{128 if six else 32}", placed.get((leg, six))
    if leg == "node":
        return None
    if old != text:
        lines = [f"addr add {text} dev e0" + (" nodad" if six else "")]
        lines += [f"addr del {old} dev e0"] if old else []
        lines += [] if six else [f"route replace default via {NODE[0]} dev e0 onlink"]  # it goes with the last address
        ip(leg, *lines)
        placed[leg, six] = text
    return f"route replace {text} dev {leg}"


def serving(kind, family, address, port, host):
    enter(host)
    server = socket.socket(family, kind)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    if kind == socket.SOCK_STREAM:
        server.listen(1)
    server.settimeout(5)
    return server


QUESTION = bytes.fromhex("1603010200010001fc0303") + b"question"  # begins as a ClientHello, for rules with `tls`


def talk_tcp(client, server, to):
    client.connect(to)
    accepted, _ = server.accept()
    with accepted:
        client.sendall(QUESTION)
        accepted.settimeout(5)
        accepted.sendall(accepted.recv(64).replace(QUESTION, b"answer"))
        return client.recv(64) == b"answer"


def talk_udp(client, server, to):
    client.sendto(b"question", to)
    server.settimeout(client.gettimeout())
    _, sender = server.recvfrom(64)
    server.sendto(b"answer", sender)
    return client.recv(64) == b"answer"


def pings(source, target, wait):
    words = ["ping", "-n", "-q", "-c", "1", "-W", str(wait), "-I", source, target]
    return subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


def connects(source, target, service, hosts, wait):
    """Does a conversation of this service come about?"""
    protocol, _, port = service.partition("/")
    if protocol.startswith("icmp"):
        enter(hosts[0])
        return pings(source, target, wait)
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    kind, talk = (socket.SOCK_STREAM, talk_tcp) if protocol == "tcp" else (socket.SOCK_DGRAM, talk_udp)
    with serving(kind, family, target, int(port), hosts[1]) as server:
        enter(hosts[0])
        with socket.socket(family, kind) as client:
            client.bind((source, 0))
            client.settimeout(wait)
            try:
                return talk(client, server, (target, int(port)))
            except TimeoutError:
                return False


def is_rule(by):
    return by not in ("default", "spoofed")


class Results:
    """What became of each test; rules are counted one by one, drops by reason in the end (that is costly to ask)."""

    def __init__(self, file):
        self.file, self.packets, self.drops = file, packets(), {}

    def put(self, expect, what, wrong):
        print(1 if wrong else 0, expect, "; ".join([what, *wrong]), sep="\t", file=self.file)

    def add(self, came_about, what, expect, by):
        before, self.packets = self.packets, packets()
        counted = [rule for rule in self.packets if self.packets[rule] != before[rule]]
        wrong = []
        if came_about != (expect == "allow"):
            wrong.append("it comes about" if came_about else "it does not come about")
        if by.startswith("failsafe"):  # which leaves no flow: other rules may have let the answers pass
            counted = [rule for rule in counted if rule == by]
        if counted != ([by] if is_rule(by) else []):
            wrong.append(f"counted by {counted}")
        if expect == "drop":
            reason = "rule" if is_rule(by) else by
            self.drops[reason] = self.drops.get(reason, 0) + 1
        self.put(expect, what, wrong)

    def finish(self):
        found = drops()
        self.put("-", f"one drop for each that is denied, and no others: {self.drops}",
                 [] if found == self.drops else [f"dropped {found}"])


def run(results, source, target, service, expect, by, forged_at=None):
    hosts = (forged_at or leg_of(source, 0), leg_of(target, 1))
    ip("node", *filter(None, (place(source, hosts[0]), place(target, hosts[1]))))
    came_about = connects(source, target, service, hosts, 5 if expect == "allow" else 0.1)
    what = f"{source} to {target} {service}: {expect} by {by}" + (f", sent from {forged_at}" if forged_at else "")
    results.add(came_about, what, expect, by)


def tests():
    done = subprocess.run([ZONEWALL, "show", "-o", "json", POLICY], capture_output=True, check=True)
    for test in json.loads(done.stdout)["policy"].get("tests", []):
        yield test["from"], test["to"], test["service"], test["expect"], test["by"]
    yield from MORE.get(NAME, [])


with open(RESULTS, "w", encoding="utf-8") as output:
    table = Results(output)
    for row in tests():
        run(table, *row)
    table.finish()
