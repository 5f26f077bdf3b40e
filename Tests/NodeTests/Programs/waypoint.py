#!/usr/bin/env python3
"""A waypoint that passes everything on: waypoint.py CA_DIR IDENTITY HOST PORT

Takes tunnels on port 15008 as a waypoint does, and opens one of its own to HOST, asking for HOST:PORT, for each
stream. Prints "ready"; at the end of input one line of JSON: what was asked for, and by whom.
"""
import glob
import json
import socket
import ssl
import struct
import sys
import threading
import time

sys.dont_write_bytecode = True
import certificates  # noqa: E402
import tunnel as h2  # noqa: E402
from tunnel import Connection, context, frame  # noqa: E402

SEEN = {"authorities": [], "clients": []}
OK = b"\x88"
# No table, and windows wider than any test is long: what a test sends is less than ztunnel's own windows.
START = (
    frame(h2.SETTINGS, 0, 0, h2.NO_TABLE + struct.pack("!HI", 4, 0x7FFFFFFF)) + frame(h2.SETTINGS, h2.ACK, 0)
    + h2.window_update(0, 0x7FFF0000 - 65535))
# The characters of an address, in HPACK's Huffman code (RFC 7541, appendix B).
CODES = {code: str(digit) for digit, code in enumerate(h2.DIGIT_BITS)}
CODES.update({"010111": ".", "1011100": ":", "11111111011": "[", "11111111100": "]"})
CODES.update({format(code, "05b"): letter for code, letter in ((3, "a"), (4, "c"), (5, "e"))})
CODES.update({format(code, "06b"): letter for code, letter in ((0x23, "b"), (0x24, "d"), (0x25, "f"))})


def unpacked(value):
    """The text behind a Huffman code."""
    bits, found, start, end = "".join(format(byte, "08b") for byte in value), "", 0, 1
    while end <= len(bits):
        if bits[start:end] in CODES:
            found, start = found + CODES[bits[start:end]], end
        end += 1
    return found


class Reader:
    """The fields of a block of headers whose sender was told to keep no table."""

    def __init__(self, block):
        self.block, self.at = block, 0

    def integer(self, bits):
        limit = (1 << bits) - 1
        value = self.block[self.at] & limit
        self.at += 1
        if value < limit:
            return value
        shift = 0
        while True:
            byte = self.block[self.at]
            self.at += 1
            value += (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def text(self):
        is_packed = self.block[self.at] & 128
        size = self.integer(7)
        value = self.block[self.at:self.at + size]
        self.at += size
        return (value, bool(is_packed))

    def authority(self):
        while self.at < len(self.block):
            first = self.block[self.at]
            if first & 0x80:
                self.integer(7)
                continue
            if first & 0xE0 == 0x20:
                self.integer(5)
                continue
            name = self.integer(6 if first & 0x40 else 4)
            if name == 0:
                self.text()
            value, is_packed = self.text()
            if name == h2.AUTHORITY:
                return unpacked(value) if is_packed else value.decode()
        return ""


class Upstream(Connection):
    """Our own tunnel to the destination; what it brings goes to `downstream`'s stream."""

    downstream, stream = None, 0

    def received(self, kind, flags, stream, payload):
        super().received(kind, flags, stream, payload)
        if kind == h2.DATA:
            self.downstream.send(frame(h2.DATA, flags & h2.END_STREAM, self.stream, payload))


class Downstream(Connection):
    """A client's tunnel: each stream of it gets an upstream."""

    upstreams = None
    options = ()
    has_started = False

    def parse(self):
        # The first request may come with the end of the handshake, and SETTINGS come before all.
        if not self.has_started:
            self.has_started = True
            self.send(START)
        if self.plaintext.startswith(h2.PREFACE):
            del self.plaintext[: len(h2.PREFACE)]
        if not self.plaintext.startswith(b"PRI"):
            super().parse()

    def received(self, kind, flags, stream, payload):
        if kind == h2.HEADERS:
            self.accept(stream, payload)
        elif kind == h2.DATA and stream in self.upstreams:
            self.upstreams[stream].send(frame(h2.DATA, flags & h2.END_STREAM, 1, payload))
        elif kind == h2.RST_STREAM and stream in self.upstreams:
            self.upstreams.pop(stream).socket.close()
        elif kind == h2.PING and not flags & h2.ACK:
            self.send(frame(h2.PING, h2.ACK, 0, payload))

    def accept(self, stream, block):
        SEEN["authorities"].append(Reader(block).authority())
        made, host, port = self.options
        upstream = Upstream(h2.dial(host), made)
        upstream.downstream, upstream.stream = self, stream
        status = None
        if upstream.handshake():
            upstream.send(h2.PREFACE + START + h2.connect(1, f"{host}:{port}"))
            status = upstream.answer(1)
        if status == 200:
            self.upstreams[stream] = upstream
            self.send(frame(h2.HEADERS, h2.END_HEADERS, stream, OK))
        else:
            answer = h2.header(h2.STATUS, str(status or 503))
            self.send(frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, stream, answer))


def serve_one(plain, server, client, host, port):
    plain.setblocking(False)
    connection = Downstream(plain, server, server_side=True)
    connection.upstreams, connection.options = {}, (client, host, port)
    if not connection.handshake():
        return
    SEEN["clients"].append(connection.tls.getpeercert()["subjectAltName"][0][1])
    while not connection.ended:
        connection.pump(0.005)
        for upstream in list(connection.upstreams.values()):
            upstream.pump()


def serve(authority, identity, host, port):
    chain, key = certificates.make(authority, "good", identity)
    server, client = context(True, chain, key), context(False, chain, key)
    server.verify_mode = ssl.CERT_REQUIRED
    for root in [f"{authority}/ca.crt", *glob.glob(f"{authority}/roots/*.crt")]:
        server.load_verify_locations(root)
    listener = socket.create_server(("::", 15008), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
    print("ready", flush=True)
    while True:
        plain, _ = listener.accept()
        threading.Thread(target=serve_one, args=(plain, server, client, host, port), daemon=True).start()


def main():
    threading.Thread(target=serve, args=sys.argv[1:], daemon=True).start()
    h2.wait_for_end()
    time.sleep(0.1)
    print(json.dumps(SEEN), flush=True)


main()
