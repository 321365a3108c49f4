#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""probe.py NODE_NS NODE_ADDRESS PEER_NS - is the node to be reached, every 10 ms, until standard input is closed?

From the peer: a datagram to udp/5001, which is answered; a new connection to tcp/5002, which has 50 ms; and a number more
over a connection that was there before. Prints "ready" when that is, and ends with one line of JSON: for "udp" and "tcp"
the time between which probes failed (seconds, monotonic, when each was sent): the last that passed before, the first and
the last that failed, the first that passed again; null if none failed. Probes that failed after some had passed again are
"late". For "old" how many numbers were sent, and how many have come, in order.
"""
import errno
import json
import select
import socket
import struct
import sys
import time

from talk import enter

INTERVAL, CONNECT = 0.01, 0.05


class Probes:
    """When each was sent, and whether it passed."""

    def __init__(self):
        self.sent, self.passed = [], []

    def send(self):
        self.sent.append(time.monotonic())
        self.passed.append(False)
        return len(self.sent) - 1

    def summary(self):
        """Of one gap; what failed behind it is late."""
        if False not in self.passed:
            return None
        first = self.passed.index(False)
        again = next((i for i in range(first, len(self.passed)) if self.passed[i]), None)
        last = (again or len(self.passed)) - 1
        late = [self.sent[i] for i in range(last + 1, len(self.passed)) if not self.passed[i]]
        return {"before": self.sent[first - 1] if first else None, "first": self.sent[first], "last": self.sent[last],
                "again": self.sent[again] if again else None, "late": late}


class Datagrams(Probes):
    def __init__(self, node):
        super().__init__()
        self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.client.setblocking(False)
        self.to, self.server = node.udp.getsockname(), node.udp

    def probe(self):
        number = self.send()
        try:
            self.client.sendto(struct.pack("!I", number), self.to)
        except OSError as error:  # EPERM: dropped on its way out
            if error.errno not in (errno.EPERM, errno.ECONNREFUSED):
                raise

    def fetch(self):
        for data, origin in received(self.server):
            try:
                self.server.sendto(data, origin)
            except PermissionError:
                pass
        for data, _ in received(self.client):
            self.passed[struct.unpack("!I", data)[0]] = True


def received(sock):
    while True:
        try:
            yield sock.recvfrom(64)
        except BlockingIOError:
            return


class Connections(Probes):
    def __init__(self, node):
        super().__init__()
        self.to, self.listener, self.pending, self.accepted = node.tcp.getsockname(), node.tcp, {}, []

    def probe(self):
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.pending[self.send()] = sock
        try:
            sock.connect(self.to)
        except BlockingIOError:
            pass
        except PermissionError:
            pass

    def fetch(self):
        while select.select([self.listener], [], [], 0)[0]:
            self.listener.accept()[0].close()
        now = time.monotonic()
        _, ready, _ = select.select([], list(self.pending.values()), [], 0)
        for number, sock in list(self.pending.items()):
            if sock in ready:
                self.passed[number] = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            elif now - self.sent[number] < CONNECT:
                continue
            sock.close()
            del self.pending[number]


class OldConnection:
    def __init__(self, node):
        self.client = socket.create_connection(node.tcp.getsockname(), 2)
        self.server, _ = node.tcp.accept()
        self.sent = self.came = 0
        self.rest, self.ordered = b"", True
        self.client.setblocking(False)
        self.server.setblocking(False)

    def probe(self):
        try:
            self.client.send(struct.pack("!I", self.sent))
            self.sent += 1
        except BlockingIOError:
            pass

    def fetch(self):
        try:
            self.rest += self.server.recv(1 << 16)
        except BlockingIOError:
            return
        while len(self.rest) >= 4:
            self.ordered &= struct.unpack("!I", self.rest[:4])[0] == self.came
            self.came, self.rest = self.came + 1, self.rest[4:]

    def summary(self):
        return {"sent": self.sent, "came": self.came, "ordered": self.ordered}


class Node:
    def __init__(self, address):
        self.udp, self.tcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
        self.udp.bind((address, 5001))
        self.udp.setblocking(False)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind((address, 5002))
        self.tcp.listen(256)


def main(node_ns, address, peer_ns):
    enter(node_ns)
    node = Node(address)
    enter(peer_ns)
    probes = {"old": OldConnection(node), "udp": Datagrams(node), "tcp": Connections(node)}
    print("ready", flush=True)
    following = time.monotonic()
    while not select.select([sys.stdin], [], [], 0)[0]:
        for probe in probes.values():
            probe.probe()
        for probe in probes.values():
            probe.fetch()
        following = max(following + INTERVAL, time.monotonic())
        time.sleep(max(0, following - time.monotonic()))
    end = time.monotonic() + 5  # what is sent again is waited for
    while time.monotonic() < end and (probes["tcp"].pending or probes["old"].came < probes["old"].sent):
        for probe in probes.values():
            probe.fetch()
        time.sleep(INTERVAL)
    print(json.dumps({name: probe.summary() for name, probe in probes.items()}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
