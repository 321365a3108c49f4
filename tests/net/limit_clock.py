#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""limit_clock.py - what a limit lets pass, and whom it bans, as datagrams see it. Run where they arrive.

limit_clock.py rate NETNS ADDRESS SECONDS SOURCE PACE [SOURCE PACE]...: threads in NETNS send from each SOURCE so many datagrams a
second to ADDRESS, each from a port of its own, so that each is a first packet. Of each source is told how many a second arrived,
once the first second, in which bursts are used up, is over.

limit_clock.py ban NETNS ADDRESS SOURCE: an open flow sends all the time; ten first packets are sent, more than the limit allows. Told
are, in ms after that, when the flow's last datagram was sent that arrived, and the first one again.
"""

import ctypes
import os
import socket
import struct
import sys
import threading
import time

PORT = 7000
PAUSE_S = 0.0002


def enter(netns):
    with open(f"/run/netns/{netns}", "rb") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0):
            os._exit(3)


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def send_new(address, source, port):
    with socket.socket(family(address), socket.SOCK_DGRAM) as sender:
        sender.bind((source, port))
        try:
            sender.sendto(b"x", (address, PORT))
        except OSError:
            pass


def send_at_pace(netns, address, source, pace, end):
    enter(netns)
    begin = time.monotonic()
    sent = 0
    while time.monotonic() < end:
        while sent < (time.monotonic() - begin) * pace:
            send_new(address, source, 1025 + sent % 64000)
            sent += 1
        time.sleep(0.001)


def listen(address):
    listener = socket.socket(family(address), socket.SOCK_DGRAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    listener.bind((address, PORT))
    return listener


def rate(netns, address, seconds, sources):
    listener = listen(address)
    listener.settimeout(0.3)
    begin = time.monotonic()
    end = begin + 1 + seconds + 0.5
    threads = [threading.Thread(target=send_at_pace, args=(netns, address, source, float(pace), end)) for source, pace in sources]
    arrived = {source: 0 for source, _ in sources}
    for thread in threads:
        thread.start()
    while time.monotonic() < begin + 1 + seconds:
        try:
            source = listener.recvfrom(16)[1][0]
        except TimeoutError:
            continue
        if time.monotonic() >= begin + 1:
            arrived[source] += 1
    for thread in threads:
        thread.join()
    for source, _ in sources:
        print(f"{source} {arrived[source] / seconds:.1f}")


def overrun(netns, address, source, stop, times):
    enter(netns)
    flow = socket.socket(family(address), socket.SOCK_DGRAM)
    flow.bind((source, 1024))
    begin = time.monotonic()
    while not stop.is_set():
        try:
            flow.sendto(struct.pack("d", time.monotonic()), (address, PORT))
        except OSError:
            pass
        if not times and time.monotonic() > begin + 0.3:
            times.append(time.monotonic())
            for port in range(1025, 1035):
                send_new(address, source, port)
        time.sleep(PAUSE_S)


def ban(netns, address, source):
    listener = listen(address)
    stop, times, last = threading.Event(), [], 0
    thread = threading.Thread(target=overrun, args=(netns, address, source, stop, times))
    thread.start()
    listener.settimeout(0.5)
    try:
        while True:
            data = listener.recv(16)
            if len(data) == 8:
                last = struct.unpack("d", data)[0]
    except TimeoutError:
        pass
    listener.settimeout(30)
    again = struct.unpack("d", listener.recv(16))[0]
    stop.set()
    thread.join()
    print(f"{(last - times[0]) * 1000:.2f} {(again - times[0]) * 1000:.2f}")


if sys.argv[1] == "rate":
    rate(sys.argv[2], sys.argv[3], float(sys.argv[4]), list(zip(sys.argv[5::2], sys.argv[6::2])))
else:
    ban(sys.argv[2], sys.argv[3], sys.argv[4])
