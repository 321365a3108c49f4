#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""talk.py - connections between network namespaces, held open and spoken over as the lines on standard input say.

listen NAME NS ADDRESS PORT [v6only]      a TCP socket that accepts
connect NAME NS ADDRESS PORT LISTENER     a TCP connection to a listener
udp NAME NS ADDRESS PORT NS ADDRESS PORT  two connected UDP sockets, which have exchanged a datagram each
raw NAME NS ADDRESS NS ADDRESS PROTOCOL   two raw sockets, which have exchanged a packet each
opener NAME / other NAME                  that side sends; "yes" if it arrives within two seconds
cut NAME SIDE                             the same, but does it still not arrive after half a second?
shut NAME SIDE                            that side sends FIN
drop NAME                                 closes a listener
bye                                       resets all connections, and ends
segment NS SOURCE SPORT DESTINATION DPORT FLAGS   one TCP segment (flags as a number) that belongs to nothing

Each line is answered by one: "yes", or what went wrong.
"""
import ctypes
import os
import select
import socket
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
listeners = {}
pairs = {}  # name: (opener, other); each (socket, address to send to, or None)


def enter(ns):
    fd = os.open("/run/netns/" + ns, os.O_RDONLY)
    if libc.setns(fd, 0):
        raise OSError(ctypes.get_errno(), "setns " + ns)
    os.close(fd)


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def listen(name, ns, address, port, v6only=None):
    enter(ns)
    s = socket.socket(family(address), socket.SOCK_STREAM)
    if family(address) == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1 if v6only else 0)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, int(port)))
    s.listen(64)
    s.settimeout(2)
    listeners[name] = s


def connect(name, ns, address, port, listener):
    enter(ns)
    client = socket.create_connection((address, int(port)), 2)
    server, _ = listeners[listener].accept()
    pairs[name] = ((client, None), (server, None))


def udp(name, ns_a, a, a_port, ns_b, b, b_port):
    enter(ns_a)
    first = socket.socket(family(a), socket.SOCK_DGRAM)
    first.bind((a, int(a_port)))
    enter(ns_b)
    second = socket.socket(family(b), socket.SOCK_DGRAM)
    second.bind((b, int(b_port)))
    first.connect((b, int(b_port)))
    second.connect((a, int(a_port)))
    pairs[name] = ((first, None), (second, None))
    said(name, 0)
    said(name, 1)


def raw(name, ns_a, a, ns_b, b, protocol):
    enter(ns_a)
    first = socket.socket(family(a), socket.SOCK_RAW, int(protocol))
    enter(ns_b)
    second = socket.socket(family(b), socket.SOCK_RAW, int(protocol))
    pairs[name] = ((first, (b, 0)), (second, (a, 0)))
    said(name, 0)
    said(name, 1)


def arrives(name, side, timeout):
    (sender, to), (receiver, _) = pairs[name][side], pairs[name][1 - side]
    text = os.urandom(4).hex().encode()
    if to:
        sender.sendto(text, to)
    else:
        sender.send(text)
    while select.select([receiver], [], [], timeout)[0]:
        if text in receiver.recv(65536):
            return True
    return False


def said(name, side):
    if not arrives(name, side, 2):
        raise OSError("nothing arrives")


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def segment(ns, source, sport, destination, dport, flags):
    enter(ns)
    s = socket.socket(family(source), socket.SOCK_RAW, socket.IPPROTO_TCP)
    s.bind((source, 0))
    ends = socket.inet_pton(family(source), source) + socket.inet_pton(family(source), destination)
    head = struct.pack("!HHIIBBH", int(sport), int(dport), 1000, 2000, 5 << 4, int(flags), 1000)
    pseudo = ends + struct.pack("!IHBB", 20, 0, 0, 6) if len(ends) > 8 else ends + struct.pack("!BBH", 0, 6, 20)
    s.sendto(head + struct.pack("!HH", checksum(pseudo + head + b"\0" * 4), 0), (destination, 0))
    s.close()


def bye():
    for pair in pairs.values():
        for s, _ in pair:
            if s.type == socket.SOCK_STREAM:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
    print("yes", flush=True)
    sys.exit(0)


def do(word, *rest):
    if word in ("opener", "other"):
        said(rest[0], word == "other")
    elif word == "cut":
        if arrives(rest[0], rest[1] == "other", 0.5):
            raise OSError("it arrives")
    elif word == "shut":
        pairs[rest[0]][rest[1] == "other"][0].shutdown(socket.SHUT_WR)
    elif word == "drop":
        listeners.pop(rest[0]).close()
    else:
        {"listen": listen, "connect": connect, "udp": udp, "raw": raw, "segment": segment, "bye": bye}[word](*rest)


def main():
    for line in sys.stdin:
        try:
            do(*line.split())
            answer = "yes"
        except (OSError, KeyError, TypeError) as error:
            answer = "%s: %r" % (line.strip(), error)
        print(answer, flush=True)


if __name__ == "__main__":
    main()
