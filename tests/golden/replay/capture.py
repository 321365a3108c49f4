#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""capture.py LINK... - writes a capture to standard output; LINK: ethernet, sll, sll2, raw, radio. With "lines" the same
packets as lines for simulate, with "cut" only the first 50 bytes of each, with "back" the last one a minute early."""

import json
import struct
import sys
from ipaddress import ip_address

START = 1777629600  # 2026-05-01T10:00:00Z
SYN, ACK, FIN = 2, 16, 1


def ip(source, destination, protocol, payload):
    source, destination = ip_address(source).packed, ip_address(destination).packed
    if len(source) == 4:
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0)
    else:
        head = struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64)
    return head + source + destination + payload


def tcp(sport, dport, seq, ack, flags, data=b""):
    return struct.pack(">HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 64240, 0, 0) + data


def connection(client, server, sport, dport, at):
    """Opened, asked, answered, closed."""
    steps = [(0, SYN, b""), (1, SYN | ACK, b""), (0, ACK, b""), (0, ACK, b"question"), (1, ACK, b"answer"),
             (0, FIN | ACK, b""), (1, FIN | ACK, b""), (0, ACK, b"")]
    ends, ports, seq = (client, server), (sport, dport), [1000, 5000]
    for number, (who, flags, data) in enumerate(steps):
        ack = seq[1 - who] if flags & ACK else 0
        yield at + number / 100, ip(ends[who], ends[1 - who], 6, tcp(ports[who], ports[1 - who], seq[who], ack, flags, data))
        seq[who] += len(data) + bool(flags & (SYN | FIN))


def udp(sport, dport):
    return struct.pack(">HHHH", sport, dport, 12, 0) + b"data"


def echo(kind, number):
    return struct.pack(">BBHHH", kind, 0, 0, number, 1)


def packets():
    yield from connection("10.1.0.7", "10.2.0.9", 40000, 5432, 0)
    yield from connection("10.1.0.7", "10.2.0.9", 40001, 23, 1)
    yield from connection("10.1.0.7", "10.2.0.9", 40002, 23, 2)
    yield from connection("fd00:1::7", "fd00:2::9", 40000, 443, 3)
    yield 4, ip("10.1.0.7", "10.2.0.9", 17, udp(40000, 53))
    yield 5, ip("10.2.0.9", "10.1.0.7", 17, udp(53, 40000))
    yield 40, ip("10.2.0.9", "10.1.0.7", 17, udp(53, 40000))  # too late for an answer
    yield 41, ip("10.1.0.7", "10.2.0.9", 1, echo(8, 3))
    yield 42, ip("10.2.0.9", "10.1.0.7", 1, echo(0, 3))
    yield 43, ip("127.0.0.1", "10.2.0.9", 17, udp(1, 2))


def record(link, packet):
    kind = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
    outgoing = packet[12:16] == ip_address("10.2.0.9").packed or packet[8:24] == ip_address("fd00:2::9").packed
    if link == "ethernet":
        return bytes.fromhex("020000000002020000000001") + kind + packet
    if link == "sll":
        return struct.pack(">HHH", 4 * outgoing, 1, 6) + bytes(8) + kind + packet
    if link == "sll2":
        return kind + struct.pack(">HIHBB", 0, 2, 1, 4 * outgoing, 6) + bytes(8) + packet
    return packet


def main():
    link, *how = sys.argv[1:]
    number = {"ethernet": 1, "raw": 101, "sll": 113, "sll2": 276, "radio": 127}[link]
    if "lines" in how:
        for time, packet in packets():
            print(json.dumps({"time": START + time, "frame": record("ethernet", packet).hex()}))
        return
    out = sys.stdout.buffer
    out.write(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, number))
    everything = list(packets())
    for time, packet in everything:
        if "back" in how and packet is everything[-1][1]:
            time -= 60
        data = record(link, packet)
        kept = data[:50] if "cut" in how else data
        seconds, micro = divmod(round((START + time) * 1000000), 1000000)
        out.write(struct.pack("<IIII", seconds, micro, len(kept), len(data)) + kept)


main()
