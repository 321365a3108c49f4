#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""block_clock.py - when a block begins and ends, as datagrams see it.

block_clock.py NETNS ADDRESS COMMAND...: a thread in NETNS sends datagrams to ADDRESS, here, as fast as it can be heard of. COMMAND
blocks their source for a second; ROUNDS times it is run, and of each are told, in ms, how long after its start the last
datagram arrived, and the first one again.
"""

import ctypes
import os
import socket
import subprocess
import sys
import threading
import time

ROUNDS = 12
PORT = 7010
PAUSE_S = 0.0002


def send(netns, address, stop):
    with open(f"/run/netns/{netns}", "rb") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0):
            os._exit(3)
    sender = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    while not stop.is_set():
        try:
            sender.sendto(b"x", (address, PORT))
        except OSError:
            pass
        time.sleep(PAUSE_S)


def main():
    netns, address, command = sys.argv[1], sys.argv[2], sys.argv[3:]
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind((address, PORT))
    listener.settimeout(0.5)
    stop = threading.Event()
    thread = threading.Thread(target=send, args=(netns, address, stop))
    thread.start()
    for _ in range(ROUNDS):
        listener.recv(16)
        begin = last = time.monotonic()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while time.monotonic() < begin + 0.5:
            try:
                listener.recv(16)
            except TimeoutError:
                break
            last = time.monotonic()
        listener.settimeout(5)
        listener.recv(16)
        again = time.monotonic()
        listener.settimeout(0.5)
        child.wait()
        print(f"{(last - begin) * 1000:.2f} {(again - begin) * 1000:.2f}", flush=True)
    stop.set()
    thread.join()


main()
