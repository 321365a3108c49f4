#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""stay.py - a TCP and a UDP flow that stay, for the tests that change the policy under them.

stay.py serve PORT              echoes lines over TCP and datagrams; says "ready". A line on stdin goes to all TCP clients
stay.py tcp|udp ADDRESS PORT    each line on stdin is sent; what comes back is printed as it comes
"""
import select
import socket
import sys


def serve(port):
    listener = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    datagrams.bind(("::", port))
    sockets, clients = [listener, datagrams], []
    print("ready", flush=True)
    while True:
        for ready in select.select([sys.stdin.buffer, *sockets], [], [])[0]:
            if ready is sys.stdin.buffer:
                line = sys.stdin.buffer.raw.read(4096)
                if not line:
                    return
                for client in clients:
                    client.sendall(line)
            elif ready is listener:
                clients.append(listener.accept()[0])
                sockets.append(clients[-1])
            elif ready is datagrams:
                data, sender = datagrams.recvfrom(4096)
                datagrams.sendto(data, sender)
            else:
                data = ready.recv(4096)
                if data:
                    ready.sendall(data)
                else:
                    sockets.remove(ready)
                    clients.remove(ready)
                    ready.close()


def talk(protocol, address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
    sock.connect((address, port))
    while True:
        for ready in select.select([sys.stdin.buffer, sock], [], [])[0]:
            if ready is sock:
                print(sock.recv(4096).decode(), end="", flush=True)
                continue
            line = sys.stdin.buffer.raw.read(4096)
            if not line:
                return
            sock.sendall(line)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        talk(sys.argv[1], sys.argv[2], int(sys.argv[3]))
