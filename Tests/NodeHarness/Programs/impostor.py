#!/usr/bin/env python3
"""A pod's tunnel port in the wrong hands: impostor.py CASE CA_DIR [IDENTITY]

Listens on port 15008 where manifests promise an enrolled pod. Prints "ready"; at the end of input one line of JSON:
how many connections came, and what their clients said about themselves.
"""
import glob
import json
import os
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

OWN = "spiffe://cluster.local/ns/shop/sa/impostor"
SEEN = {"connections": 0, "up": 0, "requests": 0, "clients": []}
OK = frame(h2.HEADERS, h2.END_HEADERS, 1, b"\x88")
START = frame(h2.SETTINGS, 0, 0) + frame(h2.SETTINGS, h2.ACK, 0)


class Server(Connection):
    """Waits for CONNECT, whose first stream is 1."""

    def received(self, kind, flags, stream, payload):
        if kind == h2.HEADERS:
            SEEN["requests"] += 1
            self.seen["statuses"][stream] = 0
        elif kind == h2.DATA and payload:
            self.seen["bytes"] += len(payload)
            self.heard(stream, payload)
        else:
            super().received(kind, flags, stream, payload)

    def heard(self, stream, payload):
        """For those that answer."""

    def parse(self):
        if self.plaintext.startswith(h2.PREFACE):
            del self.plaintext[: len(h2.PREFACE)]
        if not self.plaintext.startswith(b"PRI"):
            super().parse()

    def wait_for_request(self):
        return self.wait(lambda: self.seen["statuses"], 15)


class Echo(Server):
    """Plays the pod's application and its node in one: answers the line "name", then ends the stream."""

    def heard(self, stream, payload):
        self.send(frame(h2.DATA, h2.END_STREAM, stream, b"|impostor"))


class Refusing(Server):
    """Says to every request that it was not looked at, which allows another try."""

    def received(self, kind, flags, stream, payload):
        super().received(kind, flags, stream, payload)
        if kind == h2.HEADERS:
            self.send(frame(h2.RST_STREAM, 0, stream, struct.pack("!I", 7)))


def tls(plain, authority, kind="good", identity=OWN, kind_of=Server, **options):
    chain, key = certificates.make(authority, kind, identity)
    made = context(True, chain, key, **options)
    made.verify_mode = ssl.CERT_REQUIRED
    for root in [f"{authority}/ca.crt", *glob.glob(f"{authority}/roots/*.crt")]:
        made.load_verify_locations(root)
    connection = kind_of(plain, made, server_side=True)
    if connection.handshake():
        SEEN["up"] += 1
        SEEN["clients"].append(connection.tls.getpeercert())
    return connection


def started(plain, authority, settings=b""):
    connection = tls(plain, authority)
    if connection.is_up:
        connection.send(frame(h2.SETTINGS, 0, 0, settings) + frame(h2.SETTINGS, h2.ACK, 0))
    return connection


# --- before TLS is up ---


def case_hang_up(plain, authority):
    plain.close()


def case_say_nothing(plain, authority):
    time.sleep(30)


def case_garbage(plain, authority):
    plain.send(os.urandom(4096))
    time.sleep(5)


def case_tls12(plain, authority):
    tls(plain, authority, version=ssl.TLSVersion.TLSv1_2)


def case_certificate(plain, authority, kind, identity=OWN):
    connection = tls(plain, authority, kind, identity)
    connection.wait(within=5)


def case_alpn(plain, authority):
    tls(plain, authority, alpn=("http/1.1",)).wait(within=5)


def case_no_alpn(plain, authority):
    tls(plain, authority, alpn=()).wait(within=5)


# --- with the right identity ---


def case_good(plain, authority):
    """All other cases rest on this one working; each connection serves one stream and says GOAWAY."""
    connection = tls(plain, authority, kind_of=Echo)
    connection.send(START)
    if connection.wait_for_request():
        stream = next(iter(connection.seen["statuses"]))
        last = struct.pack("!II", stream, 0)
        connection.send(frame(h2.HEADERS, h2.END_HEADERS, stream, b"\x88") + frame(h2.GOAWAY, 0, 0, last))
        connection.wait(within=5)


def case_mute(plain, authority):
    """TLS, and then not a byte of HTTP/2."""
    tls(plain, authority).wait(within=30)


def case_no_answer(plain, authority):
    started(plain, authority).wait(within=30)


def case_noise(plain, authority):
    connection = tls(plain, authority)
    connection.send(os.urandom(4096))
    connection.wait(within=5)


def answering(data, again=b""):
    """A case that answers the first CONNECT with `data`, then with `again` without end."""
    def case(plain, authority):
        connection = started(plain, authority)
        connection.wait_for_request()
        connection.send(data)
        end = time.monotonic() + 10
        while again and time.monotonic() < end and connection.send(again):
            pass
        connection.wait(within=12)
    return case


def status(code, extra=b"", flags=h2.END_HEADERS):
    return frame(h2.HEADERS, flags, 1, h2.header(h2.STATUS, code) + extra)


ANSWERS = {
    "500": (status("500", flags=5),),
    "401 with a forged refusal": (status("401", h2.header("skein-refusal", b"zz; \xff\x00" + b"x" * 4000), 5),),
    "no status": (frame(h2.HEADERS, h2.END_HEADERS, 1, h2.header("x", "1")),),
    "status 99999": (status("99999"),),
    "two statuses": (frame(h2.HEADERS, h2.END_HEADERS, 1, b"\x88\x88"),),
    "100 without end": (b"", status("100") * 50),
    "giant headers": (
        status("200", h2.header("x", "y" * 16000), 0), frame(h2.CONTINUATION, 0, 1, h2.header("x", "y" * 16000))),
    "DATA before headers": (frame(h2.DATA, 0, 1, b"early"),),
    "DATA without end": (OK, frame(h2.DATA, 0, 1, bytes(16384))),
    "empty DATA without end": (OK, frame(h2.DATA, 0, 1) * 100),
    "PUSH_PROMISE": (frame(h2.PUSH_PROMISE, h2.END_HEADERS, 1, struct.pack("!I", 2) + b"\x82"),),
    "a stream of its own": (frame(h2.HEADERS, h2.END_HEADERS, 2, b"\x88"),),
    "an answer to nobody": (frame(h2.HEADERS, h2.END_HEADERS, 77, b"\x88"),),
    "a window beyond 2^31": (OK + h2.window_update(1, 0x7FFFFFFF) * 2,),
    "GOAWAY before it": (frame(h2.GOAWAY, 0, 0, bytes(8)),),
    "RST_STREAM": (frame(h2.RST_STREAM, 0, 1, struct.pack("!I", 2)),),
    "RST_STREAM after 200": (OK + frame(h2.RST_STREAM, 0, 1, struct.pack("!I", 2)),),
    "no streams at all": (h2.setting((3, 0)) + frame(h2.RST_STREAM, 0, 1, struct.pack("!I", 7)),),
    "PING without end": (OK, frame(h2.PING, 0, 0, bytes(8)) * 100),
    "half a frame": (OK + frame(h2.DATA, 0, 1, b"only", length=16000),),
}


def case_answer(plain, authority, name):
    answering(*ANSWERS[name])(plain, authority)


def case_refuse(plain, authority):
    connection = tls(plain, authority, kind_of=Refusing)
    connection.send(START)
    connection.wait(within=12)


def case_abrupt(plain, authority):
    """A TCP reset right after CONNECT."""
    connection = started(plain, authority)
    connection.wait_for_request()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    plain.close()


def case_deaf(plain, authority):
    """Answers 200, opens every window, and never reads again."""
    connection = started(plain, authority, struct.pack("!HI", 4, 0x7FFFFFFF))
    connection.wait_for_request()
    connection.send(OK + h2.window_update(0, 0x7FFF0000 - 65535))
    time.sleep(60)


def serve(case, arguments):
    listener = socket.create_server(("::", 15008), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
    print("ready", flush=True)

    def guarded(plain):
        try:
            plain.setblocking(False)
            case(plain, *arguments)
        except OSError:
            pass  # the other side hung up; its own report says why
        finally:
            plain.close()

    while True:
        plain, _ = listener.accept()
        SEEN["connections"] += 1
        threading.Thread(target=guarded, args=(plain,), daemon=True).start()


def main():
    case = globals()["case_" + sys.argv[1].replace("-", "_")]
    threading.Thread(target=serve, args=(case, sys.argv[2:]), daemon=True).start()
    h2.wait_for_end()
    print(json.dumps(SEEN), flush=True)


main()
