#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""cuts.py NODE_NS A_NS B_NS INSTANCE COUNT SEED - what `apply --dry-run` foresees is what `apply` does.

COUNT times: a random policy is applied, random connections are opened among the hosts that cuts.sh draws, another random
policy is looked at by a dry run and then applied. Then both sides of each connection speak: those that the dry run named
are cut, all others go on. TAP, a line for each mistake and one for the sum; SEED repeats a run.
"""
import json
import os
import random
import select
import socket
import subprocess
import sys
import tempfile
import time

from talk import enter

ZONEWALL = os.path.realpath(os.environ.get("ZONEWALL", "build/zonewall"))
PORTS = [7001, 7002, 7003, 7004]
ADDRESSES = {
    "node": ["10.1.0.1", "10.2.0.1", "fd00:1::1", "fd00:2::1"],
    "a": ["10.1.0.2", "10.1.0.3", "fd00:1::2"],
    "b": ["10.2.0.2", "fd00:2::2"],
}
INTERFACES = ["va", "vb"]
MODES = ["native", "generic", "off"]


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def words(*rest):
    return "[" + ", ".join(f'"{word}"' for word in rest) + "]"


def random_service(draw):
    return words(*draw.sample(["tcp", "udp"] + [f"{p}/{port}" for p in ("tcp", "udp") for port in PORTS],
                              draw.randint(1, 5)))


def random_policy(draw, open_share):
    """open_share: how likely a rule allows."""
    zones = {f"z{n}": draw.sample(sum(ADDRESSES.values(), []), draw.randint(1, 5)) for n in range(4)}
    zones["nets"] = ["10.1.0.0/24", "fd00:1::/64"]
    names = list(zones) + ["any", "host", "world"]
    ends = lambda: words(*draw.sample(names, draw.randint(1, 2)))
    allows = lambda: "allow" if draw.random() < open_share else "drop"
    interfaces = draw.choice([INTERFACES, INTERFACES, INTERFACES[:1], INTERFACES[1:]])
    bound = [f"{{match: [{name}], source: {draw.choice(names[:5])}}}" for name in interfaces if draw.random() < 0.2]
    lines = ["version: 1",
             f"defaults: {{action: {allows()}, log: none, tcp: {draw.choice(['loose', 'strict'])}, flows: 4096}}",
             f"interfaces: [{', '.join([f'{{match: {words(*interfaces)}, xdp: {draw.choice(MODES)}}}'] + bound)}]",
             "zones: {" + ", ".join(f"{name}: {words(*list_)}" for name, list_ in zones.items()) + "}"]
    failsafe = ""
    if draw.random() < 0.3:
        # Of the node's own: forwarded connections that failsafe alone lets pass have no flow, and nobody tells of them.
        between = ["host", draw.choice(names)]
        draw.shuffle(between)
        failsafe = f"{{from: {between[0]}, to: {between[1]}, service: {draw.choice(['tcp', 'udp'])}/{draw.choice(PORTS)}}}"
    lines.append(f"failsafe: [{failsafe}]")
    lines.append("rules:")
    for n in range(draw.randint(1, 8)):
        lines.append(f"  - {{id: r{n}, from: {ends()}, to: {ends()}, service: {random_service(draw)}, action: {allows()}}}")
    return "\n".join(lines) + "\n"


class Hosts:
    def __init__(self, spaces):
        self.spaces = spaces
        self.listeners = {}
        for host in spaces:
            enter(spaces[host])
            for port in PORTS:
                listener = socket.socket(socket.AF_INET6)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                listener.bind(("::", port))
                listener.listen(64)
                self.listeners[host, port] = listener
        enter(spaces["node"])

    def socket(self, host, *what):
        enter(self.spaces[host])
        made = socket.socket(*what)
        enter(self.spaces["node"])
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setblocking(False)
        return made


class Connection:
    """Of TCP or UDP, opened from (host, address, sport) to (host, address, dport). Both ends are in `ends`."""

    def __init__(self, draw, hosts, sport):
        self.hosts = hosts
        self.proto = draw.choice(["tcp", "udp"])
        self.from_host, self.to_host = draw.sample(list(ADDRESSES), 2)
        self.source = draw.choice(ADDRESSES[self.from_host])
        self.to = draw.choice([x for x in ADDRESSES[self.to_host] if family(x) == family(self.source)])
        self.sport, self.dport = sport, draw.choice(PORTS)
        self.ends = []

    def name(self):
        return (self.proto, self.source, self.sport, self.to, self.dport)

    def reversed_name(self):
        return (self.proto, self.to, self.dport, self.source, self.sport)

    def start(self):
        kind = socket.SOCK_STREAM if self.proto == "tcp" else socket.SOCK_DGRAM
        client = self.hosts.socket(self.from_host, family(self.source), kind)
        self.ends = [client]
        client.bind((self.source, self.sport))
        if self.proto == "udp":
            server = self.hosts.socket(self.to_host, family(self.to), kind)
            server.bind((self.to, self.dport))
            server.connect((self.source, self.sport))
            self.ends.append(server)
        try:
            client.connect((self.to, self.dport))
        except (BlockingIOError, PermissionError):
            pass

    def close(self):
        for end in self.ends:
            if self.proto == "tcp":  # at once, without TIME_WAIT
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            end.close()


def say(end):
    try:
        end.send(b"x")
    except (BlockingIOError, PermissionError, ConnectionError):
        pass


def hear(end):
    try:
        return len(end.recv(4096)) > 0
    except (BlockingIOError, ConnectionError):
        return False


def accept_all(hosts, connections):
    wanted = {(c.from_host, c.source, c.sport): c for c in connections if c.proto == "tcp" and len(c.ends) == 1}
    for listener in hosts.listeners.values():
        while select.select([listener], [], [], 0)[0]:
            end, (address, port, *_) = listener.accept()
            address = address.removeprefix("::ffff:")
            found = next((c for key, c in wanted.items() if key[1:] == (address, port)), None)
            if found and len(found.ends) == 1:
                end.setblocking(False)
                found.ends.append(end)
            else:
                end.close()


def open_all(hosts, connections):
    """Returns those that the policy lets open."""
    for c in connections:
        c.start()
    end = time.monotonic() + 0.1
    while time.monotonic() < end:
        accept_all(hosts, connections)
        time.sleep(0.01)
    complete = [c for c in connections if len(c.ends) == 2]
    spoken, _ = talk(complete, complete, 0.1)
    for c in connections:
        if c not in spoken:
            c.close()
    return spoken


def talk(connections, expected, patience):
    """Both sides of each speak. Waits until all that are expected have heard on both sides, or for so many seconds; and for
    a tenth for those that are not. Returns those that have, and those that have on one side."""
    heard = {}
    begin = time.monotonic()
    for c in connections:  # the opener first: without its flow, nobody else may
        say(c.ends[0])
    time.sleep(0.002)
    for c in connections:
        say(c.ends[1])
    while True:
        for c in connections:
            for side in 0, 1:
                if hear(c.ends[side]):
                    heard.setdefault(c, set()).add(side)
        done = all(len(heard.get(c, ())) == 2 for c in expected)
        passed = time.monotonic() - begin
        if passed > patience or (done and passed > 0.1):
            break
        time.sleep(0.005)
    return [c for c in connections if len(heard.get(c, ())) == 2], [c for c in connections if len(heard.get(c, ())) == 1]


class Run:
    def __init__(self, instance, hosts, folder):
        self.instance, self.hosts, self.folder = instance, hosts, folder
        self.sport = 20000
        self.cut = self.kept = self.foreign = 0

    def zonewall(self, *rest):
        """All connections are those of this process: `apply` needs --force to cut one."""
        done = subprocess.run([ZONEWALL, rest[0], "--instance", self.instance, *rest[1:]], capture_output=True, text=True,
                              check=False)
        if done.returncode:
            raise RuntimeError(" ".join(rest) + ": " + done.stderr)
        return done.stdout

    def policy(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def foresee(self, path):
        """Connections that would be cut, and whether one side may still be heard: `source:` of an interface may bind only one
        side, and what had no flow, since failsafe let it pass, may have another rule for its answers."""
        seen = json.loads(self.zonewall("apply", "--dry-run", "-o", "json", path))
        return {(c["proto"], c["from"], c["sport"], c["to"], c["dport"]):
                c["now"]["reason"] == "spoofed" or (c["before"] or {}).get("reason") == "failsafe" for c in seen["cut"]}

    def once(self, draw):
        """Returns what is wrong, or ''."""
        fresh = draw.random() < 0.1
        if fresh:
            try:
                self.zonewall("down")
            except RuntimeError:
                pass
        else:
            self.zonewall("apply", "--force", self.policy("first", random_policy(draw, 0.85)))
        connections = []
        for _ in range(draw.randint(4, 16)):
            self.sport = 20000 + (self.sport - 19999) % 40000
            connections.append(Connection(draw, self.hosts, self.sport))
        if fresh:  # of forwarded ones nobody knows without connection tracking
            connections = [c for c in connections if "node" in (c.from_host, c.to_host)]
        connections = open_all(self.hosts, connections)
        path = self.policy("second", random_policy(draw, 0.6))
        foreseen = self.foresee(path)
        self.zonewall("apply", "--force", path)
        named = [c for c in connections if c.name() in foreseen or c.reversed_name() in foreseen]
        others = [c for c in connections if c not in named]
        passed, half = talk(connections, others, 3)
        wrong = [f"not foreseen, and cut: {c.name()}" for c in others if c not in passed]
        wrong += [f"foreseen, and not cut: {c.name()}" for c in named if c in passed]
        wrong += [f"foreseen, and heard on one side: {c.name()}" for c in named if c in half and
                  not (foreseen.get(c.name()) or foreseen.get(c.reversed_name()))]
        self.cut += len(named)
        self.kept += len(others)
        for c in connections:
            c.close()
        return "\n".join(wrong)


def main(node, a, b, instance, count, seed):
    hosts = Hosts({"node": node, "a": a, "b": b})
    mistakes = 0
    with tempfile.TemporaryDirectory() as folder:
        run = Run(instance, hosts, folder)
        for n in range(int(count)):
            wrong = run.once(random.Random(int(seed) + n))
            if not wrong:
                continue
            mistakes += 1
            print(f"# seed {int(seed) + n}:")
            for name in ("first", "second"):
                path = os.path.join(folder, name)
                if os.path.exists(path):
                    with open(path, encoding="utf-8") as file:
                        print("".join(f"# {line}" for line in file))
            print("".join(f"# {line}\n" for line in wrong.splitlines()))
    print(f"# {run.cut} connections were cut, {run.kept} went on")
    print(f"{mistakes} {run.cut} {run.kept}")


if __name__ == "__main__":
    main(*sys.argv[1:])
