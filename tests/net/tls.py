#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""tls.py - servers and clients for the tests of rules with `tls`.

tls.py sink PORT...               takes connections and says "PORT N bytes" of each that sent some, until it is killed; on
                                  ports from 2500 to 2599 it speaks first, as a mail server does
tls.py get ADDRESS PORT HOW [COUNT]   COUNT requests over TLS, 20 at once; prints how many were answered. HOW:
    whole      as the library sends it
    large      the ClientHello has 30,000 bytes, several records
    narrow     in segments of at most 88 bytes
    eleven     eleven bytes, then each byte of the ClientHello in a segment of its own
    bytes      each byte in a segment of its own
    fast-open  the ClientHello in the SYN
"""
import concurrent.futures
import socket
import ssl
import sys
import threading
import time

REQUEST = b"GET / HTTP/1.0\r\n\r\n"


def take(server, port):
    while True:
        sock = server.accept()[0]
        threading.Thread(target=count, args=(sock, port), daemon=True).start()


def count(sock, port):
    total = 0
    with sock:
        try:
            if 2500 <= port <= 2599:
                sock.sendall(b"220 mail ESMTP\r\n")
            while piece := sock.recv(65536):
                total += len(piece)
                print(f"{port} {total} bytes\n", end="", flush=True)
        except OSError:
            pass


def sink(*ports):
    for port in ports:
        server = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
        threading.Thread(target=take, args=(server, port), daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


def context(how):
    result = ssl.create_default_context()
    result.check_hostname = False
    result.verify_mode = ssl.CERT_NONE
    if how == "large":
        result.set_alpn_protocols(["http/1.0"] + [f"{i:0199}" for i in range(150)])
    return result


def connect(address, port, how, first):
    """A connection on which the first bytes have been said."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    sock.settimeout(70) # a SYN that is lost again and again is said after 1, 3, 7, 15, 31 and 63 s
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if how == "narrow":
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 88)
    if how == "fast-open":
        sock.settimeout(None)
        sent = sock.sendto(first, socket.MSG_FASTOPEN, (address, port))
        sock.sendall(first[sent:])
        return sock
    sock.connect((address, port))
    if how in ("eleven", "bytes"):
        if how == "eleven":
            sock.sendall(first[:11])
            first = first[11:]
        for i in range(len(first)):
            sock.sendall(first[i:i + 1])
            time.sleep(0.0005)
    else:
        sock.sendall(first)
    return sock


def get(address, port, how):
    """One request, through a TLS of our own reading and writing: so we choose how its bytes are sent."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context(how).wrap_bio(incoming, outgoing)

    def hold(action):
        while True:
            try:
                result = action()
                sock.sendall(outgoing.read())
                return result
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                piece = sock.recv(65536)
                if not piece:
                    raise ConnectionError("closed")
                incoming.write(piece)

    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    first = outgoing.read()
    assert how != "large" or len(first) > 30000
    with connect(address, port, how, first) as sock:
        hold(tls.do_handshake)
        hold(lambda: tls.write(REQUEST))
        return b"200 OK" in hold(lambda: tls.read(65536))


def get_many(address, port, how, count=1):
    def one(_):
        try:
            return get(address, port, how)
        except OSError as e:
            print(e, file=sys.stderr)
            return False

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        print(sum(pool.map(one, range(count))))


if __name__ == "__main__":
    command, arguments = sys.argv[1], [int(a) if a.isdigit() else a for a in sys.argv[2:]]
    {"sink": sink, "get": get_many}[command](*arguments)
