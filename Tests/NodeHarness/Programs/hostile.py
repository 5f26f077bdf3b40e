#!/usr/bin/env python3
"""Peers in the network that mean harm: hostile.py CASE CA_DIR HOST [ARGUMENT...]

They dial port 15008 of an enrolled pod at HOST. Each prints one line of JSON: whether TLS came up ("up"), how the
connection ended ("ended": eof, reset, closed, alert ... or "" when it did not), the code of GOAWAY, the statuses and
resets by stream, and the seconds it took.
"""
import json
import os
import socket
import ssl
import struct
import sys
import time

sys.dont_write_bytecode = True
import certificates  # noqa: E402
import tunnel as h2  # noqa: E402
from tunnel import Connection, context, dial, frame  # noqa: E402

DOMAIN = "spiffe://cluster.local/ns/shop/sa/"


def report(connection, started, **more):
    seen = dict(connection.seen) if connection else {}
    return {
        "up": connection.is_up if connection else False, "ended": connection.ended if connection else "",
        "seconds": time.monotonic() - started, **seen, **more}


def open_tls(authority, host, kind="good", identity=DOMAIN + "client", **options):
    chain, key = certificates.make(authority, kind, identity) if kind else (None, None)
    connection = Connection(dial(host), context(False, chain, key, **options))
    connection.handshake()
    return connection


def open_tunnel(authority, host, settings=h2.NO_TABLE):
    """A connection on which every further byte is HTTP/2."""
    connection = open_tls(authority, host)
    assert connection.is_up, connection.ended
    connection.send(h2.PREFACE + frame(h2.SETTINGS, 0, 0, settings) + frame(h2.SETTINGS, h2.ACK, 0))
    connection.wait(lambda: connection.seen["frames"] >= 2)
    return connection


def request(connection, stream, authority):
    connection.send(h2.connect(stream, authority))
    return connection.answer(stream)


# --- before TLS is up ---


def case_bytes(authority, host, kind):
    """What is not TLS at all."""
    data = {
        "garbage": os.urandom(4096), "HTTP/1.1": b"GET / HTTP/1.1\r\nHost: pod\r\n\r\n",
        "HTTP/2": h2.PREFACE + frame(h2.SETTINGS, 0, 0),
        "half a record": b"\x16\x03\x01\xff\xff" + b"\1" * 200 + b"\x17\x03\x03\xff\xff" * 4096,
    }[kind]
    started = time.monotonic()
    connection = Connection(dial(host), context(False))
    connection.socket.send(data)
    connection.wait(within=15)
    return report(connection, started)


def case_certificate(authority, host, kind, identity=DOMAIN + "client"):
    started = time.monotonic()
    connection = open_tls(authority, host, None if kind == "none" else kind, identity)
    connection.wait(within=2 if kind == "good" else 5)
    return report(connection, started, leaf=connection.leaf)


def case_tls12(authority, host):
    started = time.monotonic()
    connection = open_tls(authority, host, version=ssl.TLSVersion.TLSv1_2)
    connection.wait()
    return report(connection, started)


def case_alpn(authority, host, names):
    started = time.monotonic()
    connection = open_tls(authority, host, alpn=[name for name in names.split(",") if name])
    connection.wait()
    return report(connection, started)


def case_flipped(authority, host):
    """A record whose seal does not fit."""
    started = time.monotonic()
    connection = open_tunnel(authority, host)
    connection.tls.write(frame(h2.PING, 0, 0, b"12345678"))
    record = bytearray(connection.outgoing.read())
    record[-1] ^= 1
    connection.unsent += record
    connection.wait()
    return report(connection, started)


def client_hello(authority):
    connection = Connection(None, context(False, *certificates.make(authority, "good", DOMAIN + "client")))
    try:
        connection.tls.do_handshake()
    except OSError:
        return connection.outgoing.read()
    return b""


def case_unfinished(authority, host, kind):
    """Handshakes that never come to an end: nothing, half a hello, or a hello byte by byte."""
    hello = client_hello(authority)
    started = time.monotonic()
    connection = Connection(dial(host), context(False))
    if kind == "half":
        connection.socket.send(hello[: len(hello) // 2])
    for byte in hello if kind == "trickle" else b"":
        connection.wait(within=0.2)
        if connection.ended:
            break
        try:
            connection.socket.send(bytes([byte]))
        except OSError:
            break  # the next read says how it ended
    connection.wait(within=20)
    return report(connection, started)


def case_half_open(authority, host, count):
    """Thousands of handshakes that stop in the middle; waits for the end of input, then counts what is left."""
    hello = client_hello(authority)
    opened, started = [], time.monotonic()
    for _ in range(int(count)):
        try:
            plain = dial(host)
            plain.send(hello[: len(hello) // 2])
            opened.append(plain)
        except ConnectionError:
            continue  # cut off before it said anything
    print(json.dumps({"opened": len(opened)}), flush=True)
    h2.wait_for_end()
    alive = 0
    for plain in opened:
        try:
            alive += plain.recv(1) != b""
        except BlockingIOError:
            alive += 1
        except OSError:
            pass  # ended by the other side, as it should
    return {"alive": alive, "seconds": time.monotonic() - started}


# --- with a valid certificate ---


def case_good(authority, host, port="8080"):
    """The same hands, with good manners: all other cases rest on this one working."""
    started = time.monotonic()
    connection = open_tunnel(authority, host)
    status = request(connection, 1, f"{host}:{port}")
    connection.send(frame(h2.DATA, 0, 1, b"echo\nhello"))
    connection.wait(lambda: connection.seen["bytes"] >= 5)
    return report(connection, started, status=status, leaf=connection.leaf)


def case_leaf(authority, host):
    """No harm: what the pod's own certificate says."""
    connection = open_tls(authority, host)
    seen = certificates.facts(bytes.fromhex(connection.leaf))
    return {**seen, "secondsLeft": seen["notAfter"] - time.time(), "ended": connection.ended}


def case_preface(authority, host):
    started = time.monotonic()
    connection = open_tls(authority, host)
    connection.send(b"GET / HTTP/1.1\r\nHost: pod\r\n\r\n" + os.urandom(512))
    connection.wait()
    return report(connection, started)


def case_silent(authority, host):
    """TLS, and then not a word."""
    started = time.monotonic()
    connection = open_tls(authority, host)
    connection.wait(within=20)
    return report(connection, started)


def frame_rows():
    """One frame against the rules each, after a good start and with stream 1 open."""
    block = h2.connect_block("192.0.2.1:80")
    return {
        "DATA on the connection": frame(h2.DATA, 0, 0, b"x"),
        "DATA on an idle stream": frame(h2.DATA, 0, 99, b"x"),
        "DATA with more padding than payload": frame(h2.DATA, h2.PADDED, 1, b"\xff12"),
        "HEADERS on the connection": frame(h2.HEADERS, h2.END_HEADERS, 0, block),
        "HEADERS on a stream of the server": frame(h2.HEADERS, h2.END_HEADERS, 2, block),
        "HEADERS with more padding than payload": frame(h2.HEADERS, h2.END_HEADERS | h2.PADDED, 3, b"\xff12"),
        "HEADERS with an index of no table": frame(h2.HEADERS, h2.END_HEADERS, 3, b"\xff\xff\x7f"),
        "HEADERS with index zero": frame(h2.HEADERS, h2.END_HEADERS, 3, b"\x80"),
        "HEADERS with bad Huffman code": frame(h2.HEADERS, h2.END_HEADERS, 3, b"\x01\x84\xff\xff\xff\xff"),
        "HEADERS with an endless integer": frame(h2.HEADERS, h2.END_HEADERS, 3, b"\x7f" + b"\xff" * 20),
        "HEADERS interrupted by PING": frame(h2.HEADERS, 0, 3, block) + frame(h2.PING, 0, 0, bytes(8)),
        "PRIORITY on the connection": frame(h2.PRIORITY, 0, 0, bytes(5)),
        "RST_STREAM of three bytes": frame(h2.RST_STREAM, 0, 1, bytes(3)),
        "RST_STREAM on an idle stream": frame(h2.RST_STREAM, 0, 99, bytes(4)),
        "RST_STREAM on the connection": frame(h2.RST_STREAM, 0, 0, bytes(4)),
        "SETTINGS of five bytes": frame(h2.SETTINGS, 0, 0, bytes(5)),
        "SETTINGS on a stream": frame(h2.SETTINGS, 0, 1, bytes(6)),
        "SETTINGS acknowledged with payload": frame(h2.SETTINGS, h2.ACK, 0, bytes(6)),
        "SETTINGS acknowledged twice": frame(h2.SETTINGS, h2.ACK, 0),
        "SETTINGS with a window of 2^31": h2.setting((4, 1 << 31)),
        "SETTINGS with frames of 100 bytes": h2.setting((5, 100)),
        "SETTINGS with push 2": h2.setting((2, 2)),
        "PUSH_PROMISE": frame(h2.PUSH_PROMISE, h2.END_HEADERS, 1, bytes(4) + block),
        "PING of seven bytes": frame(h2.PING, 0, 0, bytes(7)),
        "PING on a stream": frame(h2.PING, 0, 1, bytes(8)),
        "GOAWAY of seven bytes": frame(h2.GOAWAY, 0, 0, bytes(7)),
        "GOAWAY on a stream": frame(h2.GOAWAY, 0, 1, bytes(8)),
        "WINDOW_UPDATE of three bytes": frame(h2.WINDOW_UPDATE, 0, 1, bytes(3)),
        "WINDOW_UPDATE of zero": h2.window_update(0, 0),
        "WINDOW_UPDATE beyond 2^31": h2.window_update(0, 0x7FFFFFFF) * 2,
        "WINDOW_UPDATE on an idle stream": h2.window_update(99, 1),
        "CONTINUATION of nothing": frame(h2.CONTINUATION, h2.END_HEADERS, 1, block),
        "a frame of 16 MiB": frame(h2.DATA, 0, 1, bytes(4096), length=0xFFFFFF),
    }


def case_frame(authority, host, name):
    started = time.monotonic()
    connection = open_tunnel(authority, host)
    status = request(connection, 1, f"{host}:8080")
    connection.send(frame_rows()[name])
    connection.wait()
    return report(connection, started, status=status)


def flood_rows(host):
    """(what comes first, what comes again and again) of each flood."""
    end = f"{host}:8080"
    headers = frame(h2.HEADERS, 0, 3, h2.connect_block(end))
    return {
        "CONTINUATION": (headers, frame(h2.CONTINUATION, 0, 3, b"") * 100),
        "CONTINUATION with fields": (headers, frame(h2.CONTINUATION, 0, 3, h2.header("x", "y" * 16000))),
        "SETTINGS": (b"", h2.setting((3, 100)) * 100),
        "PING": (b"", frame(h2.PING, 0, 0, bytes(8)) * 100),
        "empty DATA": (b"", frame(h2.DATA, 0, 1, b"") * 100),
        "padded DATA": (b"", frame(h2.DATA, h2.PADDED, 1, b"\xff" + bytes(255)) * 100),
        "PRIORITY": (b"", frame(h2.PRIORITY, 0, 5, bytes(5)) * 100),
        "unknown frames": (b"", frame(0xAA, 0, 0, b"?") * 100),
        "WINDOW_UPDATE": (b"", h2.window_update(1, 1) * 100),
        "GOAWAY": (b"", frame(h2.GOAWAY, 0, 0, bytes(8)) * 100),
    }


def case_flood(authority, host, name):
    """Sends for at most ten seconds; an honest limit ends it before."""
    started = time.monotonic()
    connection = open_tunnel(authority, host)
    request(connection, 1, f"{host}:8080")
    first, again = flood_rows(host)[name]
    connection.send(first)
    sent = 0
    while time.monotonic() - started < 10 and connection.send(again):
        sent += len(again)
    connection.wait()
    return report(connection, started, sent=sent)


def case_rapid_reset(authority, host):
    """CVE-2023-44487: requests that are reset before their answer."""
    started, stream = time.monotonic(), 1
    connection = open_tunnel(authority, host)
    while time.monotonic() - started < 10:
        batch = b""
        for _ in range(50):
            batch += h2.connect(stream, f"{host}:8080")
            batch += frame(h2.RST_STREAM, 0, stream, struct.pack("!I", 8))
            stream += 2
        if not connection.send(batch):
            break
    connection.wait()
    return report(connection, started, streams=stream // 2, statuses={}, resets={})


def case_too_many_streams(authority, host, count):
    """More requests at once than SETTINGS allow: those above are refused, the others served."""
    started = time.monotonic()
    connection = open_tunnel(authority, host)
    streams = [1 + 2 * number for number in range(int(count))]
    connection.send(b"".join(h2.connect(stream, f"{host}:8080") for stream in streams))
    seen = connection.seen
    connection.wait(lambda: len(seen["statuses"]) + len(seen["resets"]) >= len(streams), 15)
    good = sum(status == 200 for status in seen["statuses"].values())
    refused = sum(code == "REFUSED_STREAM" for code in seen["resets"].values())
    return report(connection, started, good=good, refused=refused, statuses={}, resets={})


def case_giant_headers(authority, host, count):
    """A request whose fields would fill megabytes if anybody kept them."""
    started = time.monotonic()
    connection = open_tunnel(authority, host)
    block = h2.connect_block(f"{host}:8080") + h2.header("x-fill", "y" * 4000) * (int(count) // 4000)
    pieces = [block[start:start + 16000] for start in range(0, len(block), 16000)]
    connection.send(frame(h2.HEADERS, 0, 1, pieces[0]))
    for piece in pieces[1:-1]:
        connection.send(frame(h2.CONTINUATION, 0, 1, piece))
    connection.send(frame(h2.CONTINUATION, h2.END_HEADERS, 1, pieces[-1]))
    return report(connection, started, status=connection.answer(1, 5))


def case_window(authority, host, port):
    """DATA far beyond the windows, towards an application that does not read."""
    started = time.monotonic()
    connection = open_tunnel(authority, host)
    status = request(connection, 1, f"{host}:{port}")
    piece, sent = frame(h2.DATA, 0, 1, bytes(16384)), 0
    while sent < 64 << 20 and connection.send(piece, 64 << 10) and 1 not in connection.seen["resets"]:
        sent += 16384
    connection.wait(lambda: 1 in connection.seen["resets"])
    return report(connection, started, status=status, sent=sent)


def case_connect(authority, host, target):
    """A CONNECT with the given authority, and a good one after it."""
    started = time.monotonic()
    connection = open_tunnel(authority, host)
    status = request(connection, 1, target)
    return report(connection, started, status=status, then=request(connection, 3, f"{host}:8080"))


def request_rows(host):
    method, authority = h2.header(h2.METHOD, "CONNECT"), h2.header(h2.AUTHORITY, f"{host}:8080")
    get = h2.header(h2.METHOD, "GET")
    return {
        "GET": get + h2.header(h2.SCHEME, "https") + h2.header(h2.PATH, "/") + authority,
        "no method": authority,
        "no authority": method,
        "two authorities": method + authority + authority,
        "CONNECT with a path": method + authority + h2.header(h2.SCHEME, "https") + h2.header(h2.PATH, "/"),
        "extended CONNECT": method + authority + h2.header(":protocol", "websocket"),
        "a field in capitals": method + authority + h2.header("X-Field", "1"),
        "connection: close": method + authority + h2.header("connection", "close"),
        "a line break in a value": method + authority + h2.header("x", "a\r\nb: c"),
        "a late pseudo-field": method + h2.header("x", "1") + authority,
    }


def case_request(authority, host, name):
    started = time.monotonic()
    connection = open_tunnel(authority, host)
    connection.send(frame(h2.HEADERS, h2.END_HEADERS, 1, request_rows(host)[name]))
    status = connection.answer(1, 3)
    return report(connection, started, status=status, then=request(connection, 3, f"{host}:8080"))


def case_deaf(authority, host, tunnels, streams, count):
    """Asks for `count` bytes on each of many streams, opens every window, and never reads."""
    started, opened = time.monotonic(), []
    for _ in range(int(tunnels)):
        connection = open_tunnel(authority, host, h2.NO_TABLE + struct.pack("!HI", 4, 0x7FFFFFFF))
        connection.send(h2.window_update(0, 0x7FFF0000 - 65535))
        for stream in range(1, 2 * int(streams), 2):
            if request(connection, stream, f"{host}:8080") != 200:
                break
        connection.is_deaf = True
        for stream in range(1, 2 * int(streams), 2):
            connection.send(frame(h2.DATA, 0, stream, f"both {count}\n".encode()))
        opened.append(connection)
    good = sum(status == 200 for one in opened for status in one.seen["statuses"].values())
    print(json.dumps({"streams": good}), flush=True)
    h2.wait_for_end()
    return {"streams": good, "seconds": time.monotonic() - started}


def case_torn(authority, host, count):
    """TCP resets in the middle: of the handshake, of a request, of a transfer."""
    started, hello = time.monotonic(), client_hello(authority)
    for number in range(int(count)):
        if number % 3 == 0:
            plain = dial(host)
            plain.send(hello)
        else:
            connection = open_tls(authority, host)
            connection.send(h2.PREFACE + frame(h2.SETTINGS, 0, 0) + h2.connect(1, f"{host}:8080"))
            if number % 3 == 2:
                connection.answer(1)
                connection.send(frame(h2.DATA, 0, 1, b"both 1000000\n" + bytes(8192)))
            plain = connection.socket
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        plain.close()
    return {"torn": int(count), "seconds": time.monotonic() - started}


def case_unread(authority, host, port):
    """No peer, an application: accepts on a port and never reads."""
    listener = socket.create_server(("::", int(port)), family=socket.AF_INET6, dualstack_ipv6=True)
    print(json.dumps({"ready": True}), flush=True)
    accepted = []
    while True:
        accepted.append(listener.accept()[0])


def main():
    case = globals()["case_" + sys.argv[1].replace("-", "_")]
    print(json.dumps(case(*sys.argv[2:])), flush=True)


main()
