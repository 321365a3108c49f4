#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""wire.py TO FROM - what comes in by a test machine's network card, from before it is switched on until stdin is closed.

QEMU sends each frame as a datagram to port FROM and takes them on port TO (-netdev socket,udp=). Every few milliseconds one
datagram to a port that the policies of system_exam.sh deny, and one echo request, which they allow.
"""

import select
import socket
import struct
import sys

SOURCE, DESTINATION = socket.inet_aton("10.77.0.2"), socket.inet_aton("10.77.0.1")
ETHERNET = bytes.fromhex("525400000001" "525400000002" "0800")
PAUSE_S = 0.004


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(protocol, payload):
    def header(check):
        return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, check) + SOURCE + DESTINATION

    return ETHERNET + header(checksum(header(0))) + payload


def echo_request():
    def message(check):
        return struct.pack("!BBHHH", 8, 0, check, 1, 1)

    return message(checksum(message(0)))


def main():
    to = ("127.0.0.1", int(sys.argv[1]))
    wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    wire.bind(("127.0.0.1", int(sys.argv[2])))
    frames = [frame(17, struct.pack("!HHHH", 40000, 4444, 8, 0)), frame(1, echo_request())]
    while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
        for one in frames:
            try:
                wire.sendto(one, to)
            except ConnectionRefusedError:
                pass  # it is not there yet, or just being reset


main()
