#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""exchange.py - small TCP conversations that end by FIN, for the tests of closing and of reused ports.

exchange.py serve PORT                        answers until it is killed; says "ready"
exchange.py again ADDRESS PORT WHO COUNT      COUNT conversations with the same five-tuple, at most 200 a second
exchange.py many ADDRESS PORT COUNT           COUNT conversations, 25 at once, a third each closed first by one side or
                                              by both
Both print how many conversations ended as they should. WHO closes first: client, server or both.
"""
import errno
import socket
import sys
import threading
import time

SIZE = 20000  # bytes each way, several segments
LOCAL_PORT = 33333
PATIENCE = 150  # seconds: eight repetitions of one segment take 51, and each of them may be lost
REQUEST = {"client": b"c", "server": b"s", "both": b"b"}


def receive(sock, size):
    data = b""
    while len(data) < size:
        piece = sock.recv(65536)
        if not piece:
            break
        data += piece
    return data


def answer(sock):
    with sock:
        sock.settimeout(PATIENCE)
        try:
            who = receive(sock, SIZE)[:1]
            sock.sendall(b"x" * SIZE)
            if who == b"c" and sock.recv(1):
                return
            sock.shutdown(socket.SHUT_WR)
            sock.recv(1)
        except OSError as e:
            print(e, flush=True)


def serve(port):
    server = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512)
    print("ready", flush=True)
    while True:
        threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()


def converse(sock, who):
    """One conversation on a connected socket: everything arrives, and the other side's FIN."""
    with sock:
        sock.sendall(REQUEST[who] + b"x" * (SIZE - 1))
        if len(receive(sock, SIZE)) < SIZE:
            return False
        if who != "server":
            sock.shutdown(socket.SHUT_WR)
        return sock.recv(1) == b""


def connect(address, port, local_port=0):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family)
    sock.settimeout(PATIENCE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if local_port:
        sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", local_port))
    sock.connect((address, port))
    return sock


def connect_again(address, port):
    """The last ACK of the conversation before may still be on its way: until then the kernel refuses the port."""
    for _ in range(1000):
        try:
            return connect(address, port, LOCAL_PORT)
        except OSError as e:
            if e.errno not in (errno.EADDRNOTAVAIL, errno.EADDRINUSE):
                raise
            time.sleep(0.001)
    raise TimeoutError("the port stays in use")


def again(address, port, who, count):
    done = 0
    for _ in range(count):
        due = time.monotonic() + 1 / 200
        done += converse(connect_again(address, port), who)
        time.sleep(max(0, due - time.monotonic()))
    print(done)


def many(address, port, count):
    done, lock, numbers = [], threading.Lock(), iter(range(count))

    def work():
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            try:
                done.append(converse(connect(address, port), list(REQUEST)[number % 3]))
            except OSError as e:
                print(e, file=sys.stderr)

    threads = [threading.Thread(target=work) for _ in range(25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(sum(done))


if __name__ == "__main__":
    command, arguments = sys.argv[1], [int(a) if a.isdigit() else a for a in sys.argv[2:]]
    {"serve": serve, "again": again, "many": many}[command](*arguments)
