#!/usr/bin/env python3
"""TLS 1.3 by tlslite-ng, which shares no code with OpenSSL, kept and broken.

records.py dial CASE CA_DIR HOST       a client of the tunnel port of an enrolled pod
records.py answer CASE CA_DIR          that port itself, where manifests promise an enrolled pod called waypoint

A client prints one line of JSON: whether the handshake was done as far as it could know ("up"), the status of a
CONNECT after it, how the connection ended ("" when it did not) and after how many seconds. A server prints "ready", and
at the end of its input how many CONNECTs came.
"""
import json
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.environ["PEERS"])
import certificates  # noqa: E402
import tunnel as h2  # noqa: E402
from tlslite import constants, errors, messages  # noqa: E402
from tlslite.api import (  # noqa: E402
    HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey)
from tlslite.constants import ContentType, HandshakeType  # noqa: E402

CLIENT = "spiffe://cluster.local/ns/shop/sa/client"
WAYPOINT = "spiffe://cluster.local/ns/shop/sa/waypoint"
PATIENCE = 14.0  # seconds; each step of the other side has a limit of ten


class Peer(TLSConnection):
    """A connection whose messages pass through `tamper` on their way out."""

    def __init__(self, plain, tamper):
        super().__init__(plain)
        self.tamper = tamper

    def _sendMsg(self, msg, randomizeFirstBlock=True, update_hashes=True):  # noqa: N802, N803: tlslite's names
        for changed in self.tamper(self, msg):
            yield from super()._sendMsg(changed, randomizeFirstBlock, update_hashes)

    def _queue_message(self, msg):
        """A server's first flight goes out in one piece."""
        for changed in self.tamper(self, msg):
            super()._queue_message(changed)

    def put(self, kind, data):
        """One record as it is, sealed when keys are there, whatever its size."""
        for _ in self._recordLayer.sendRecord(messages.Message(kind, bytearray(data))):
            pass

    def put_unsealed(self, kind, data, size=None):
        """Bytes that look like a record."""
        length = len(data) if size is None else size
        self.sock.send(bytes([kind, 3, 3, length >> 8, length & 255]) + bytes(data))
        self.sock.flush()


def untouched(_, message):
    return [message]


def is_handshake(message, kind):
    return message.contentType == ContentType.handshake and bytes(message.write())[:1] == bytes([kind])


def on(kind, change):
    """A tamper that replaces handshake messages of one kind."""
    def tamper(peer, message):
        return change(peer, message) if is_handshake(message, kind) else [message]
    return tamper


def before_hello(kind, data, count):
    """Records in the clear before the first message, of either side."""
    def tamper(peer, message):
        is_hello = is_handshake(message, HandshakeType.client_hello) or is_handshake(
            message, HandshakeType.server_hello)
        for _ in range(count if is_hello else 0):
            peer.put_unsealed(kind, data)
        return [message]
    return tamper


def with_last_bit_flipped(_, message):
    data = bytearray(message.write())
    data[-1] ^= 1
    return [messages.Message(ContentType.handshake, data)]


def twice(_, message):
    return [message, message]


def left_out(_, _message):
    return []


def as_giant(_, message):
    """A certificate list of 4 MiB."""
    entry = bytes(1 << 16)
    entries = b"".join((len(entry).to_bytes(3) + entry + bytes(2)) for _ in range(64))
    body = b"\0" + len(entries).to_bytes(3) + entries
    return [messages.Message(ContentType.handshake, bytearray(b"\x0b" + len(body).to_bytes(3) + body))]


def after_data(peer, message):
    peer.put(ContentType.application_data, h2.PREFACE)
    return [message]


# --- while shaking hands: (tamper, settings) ---


def settings(**fields):
    made = HandshakeSettings()
    made.minVersion = made.maxVersion = (3, 4)
    made.certificate_compression_send = []
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def padding(length, _kind, room):
    return min(room, 700 - length % 500)


HANDSHAKES = {
    "plain": (untouched, {}),
    "padded records": (untouched, {"padding_cb": padding}),
    "a retry": (untouched, {"keyShares": ["x448"], "eccCurves": ["x448", "secp256r1"]}),
    "only P-256": (untouched, {"keyShares": ["secp256r1"], "eccCurves": ["secp256r1"]}),
    "CertificateVerify with a flipped bit": (on(HandshakeType.certificate_verify, with_last_bit_flipped), {}),
    "no CertificateVerify": (on(HandshakeType.certificate_verify, left_out), {}),
    "CertificateVerify twice": (on(HandshakeType.certificate_verify, twice), {}),
    "a compressed Certificate": (untouched, {"certificate_compression_send": ["zlib"]}),
    "no Certificate": (on(HandshakeType.certificate, left_out), {}),
    "Certificate twice": (on(HandshakeType.certificate, twice), {}),
    "a Certificate of 4 MiB": (on(HandshakeType.certificate, as_giant), {}),
    "Finished with a flipped bit": (on(HandshakeType.finished, with_last_bit_flipped), {}),
    "no Finished": (on(HandshakeType.finished, left_out), {}),
    "data before Finished": (on(HandshakeType.finished, after_data), {}),
    "ClientHello twice": (on(HandshakeType.client_hello, twice), {}),
    "ServerHello twice": (on(HandshakeType.server_hello, twice), {}),
    "ChangeCipherSpec without end": (
        before_hello(ContentType.change_cipher_spec, b"\1", 5000), {}),
    "warnings without end": (
        before_hello(ContentType.alert, b"\1\x5a", 5000), {}),
    "empty handshake records": (
        before_hello(ContentType.handshake, b"", 5000), {}),
    "a record of 20 000 bytes": (
        before_hello(ContentType.handshake, bytes(20000), 1), {}),
    "only TLS_CHACHA20_POLY1305_SHA256": (untouched, {"cipherNames": ["chacha20-poly1305"]}),
    "only secp521r1": (untouched, {"keyShares": ["secp521r1"], "eccCurves": ["secp521r1"]}),
}


# --- after the handshake ---


def key_updates(peer, count, between=b""):
    for _ in range(count):
        for _ in peer.send_keyupdate_request(constants.KeyUpdateMessageType.update_requested):
            pass
        if between:
            peer.write(between)


def handshake(kind, body=b""):
    return bytes([kind]) + len(body).to_bytes(3) + body


PING = h2.frame(h2.PING, 0, 0, bytes(8))


def many(kind, data, count=20_000):
    def act(peer):
        for _ in range(count):
            peer.put(kind, data)
    return act


AFTERWARDS = {
    "KeyUpdate now and then": lambda peer: key_updates(peer, 20, PING),
    "KeyUpdate without end": lambda peer: key_updates(peer, 20_000),
    "KeyUpdate of a kind nobody knows": lambda peer: peer.put(ContentType.handshake, handshake(24, b"\2")),
    "empty records without end": many(ContentType.application_data, b""),
    "a renegotiation by ClientHello": lambda peer: peer.put(ContentType.handshake, handshake(1, bytes(200))),
    "a renegotiation by HelloRequest": lambda peer: peer.put(ContentType.handshake, handshake(0)),
    "a ticket in the wrong direction": lambda peer: peer.put(ContentType.handshake, handshake(4, bytes(60))),
    "a certificate nobody asked for": lambda peer: peer.put(ContentType.handshake, handshake(11, bytes(4))),
    "a request for another certificate": lambda peer: peer.put(
        ContentType.handshake, handshake(13, b"\0" + b"\0\x08" + b"\0\x0d\0\4\0\2\4\3")),
    "tickets without end": many(
        ContentType.handshake,
        handshake(4, bytes([0, 0, 28, 32]) + bytes(4) + b"\1\0" + b"\0\x20" + bytes(32) + b"\0\0")),
    "a heartbeat": lambda peer: peer.put(24, b"\1\0\x10" + bytes(32)),
    "a sealed record of 17 000 bytes": lambda peer: peer.put(ContentType.application_data, bytes(17_000)),
    "a record without seal": lambda peer: peer.put_unsealed(ContentType.application_data, bytes(64)),
    "a record too short for a seal": lambda peer: peer.put_unsealed(ContentType.application_data, b"\0"),
    "warnings under seal without end": many(ContentType.alert, b"\1\x5a"),
    "half a record, and FIN": lambda peer: (
        peer.put_unsealed(ContentType.application_data, bytes(100), 5000), peer.sock.socket.shutdown(1)),
}


# --- both ends ---


def load(authority, identity):
    chain, key = certificates.make(authority, "good", identity)
    made = X509CertChain()
    with open(chain, encoding="ascii") as file:
        made.parsePemList(file.read())
    with open(key, encoding="ascii") as file:
        return made, parsePEMKey(file.read(), private=True)


def ending(error):
    if isinstance(error, errors.TLSRemoteAlert):
        return f"alert {constants.AlertDescription.toRepr(error.description)}"
    if isinstance(error, errors.TLSAbruptCloseError):
        return "eof"
    return "" if isinstance(error, TimeoutError) else "reset" if isinstance(error, OSError) else repr(error)


def prepared(plain, case):
    """(connection, settings, what to do after the handshake)"""
    name, size = case, None
    if case.startswith("records of "):
        name, size = "plain", int(case.split()[2])
    tamper, fields = HANDSHAKES.get(name, (untouched, {}))
    peer = Peer(plain, tamper)
    if size:
        peer.recordSize = size
    return peer, settings(**fields), AFTERWARDS.get(case)


class Frames:
    """HTTP/2 of a TLS connection that is read one frame at a time."""

    def __init__(self, peer):
        self.peer, self.buffer = peer, bytearray()

    def take(self, count):
        while len(self.buffer) < count:
            piece = self.peer.read(min=1, max=1 << 14)
            if not piece:
                raise errors.TLSAbruptCloseError
            self.buffer += piece
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def next(self):
        head = self.take(9)
        return head[3], int.from_bytes(head[5:9]), self.take(int.from_bytes(head[:3]))


def dial(case, authority, host):
    started = time.monotonic()
    plain = socket.create_connection((host, 15008), PATIENCE)
    peer, used, act = prepared(plain, case)
    seen = {"up": False, "status": None, "ended": ""}
    chain, key = load(authority, CLIENT)
    try:
        peer.handshakeClientCert(chain, key, settings=used, alpn=[b"h2"])
        seen["up"] = True
        start = h2.PREFACE + h2.frame(h2.SETTINGS, 0, 0, h2.NO_TABLE) + h2.frame(h2.SETTINGS, h2.ACK, 0)
        peer.write(start)
        if act:
            act(peer)
        peer.write(h2.connect(1, f"{host}:8080"))
        frames = Frames(peer)
        while seen["status"] is None:
            kind, _, payload = frames.next()
            if kind == h2.HEADERS:
                seen["status"] = h2.status_of(payload)
    except (errors.TLSError, OSError) as error:
        seen["ended"] = ending(error)
        if seen["ended"] == "reset":  # an alert may lie before it
            try:
                peer.read(min=1, max=1)
            except (errors.TLSError, OSError) as other:
                seen["ended"] = ending(other) or "reset"
    print(json.dumps({**seen, "seconds": time.monotonic() - started}), flush=True)


def serve_one(plain, case, credentials, count):
    plain.settimeout(PATIENCE)
    peer, used, act = prepared(plain, case)
    try:
        peer.handshakeServer(
            certChain=credentials[0], privateKey=credentials[1], reqCert=True, settings=used, alpn=[b"h2"])
        peer.write(h2.frame(h2.SETTINGS, 0, 0) + h2.frame(h2.SETTINGS, h2.ACK, 0))
        frames = Frames(peer)
        frames.take(len(h2.PREFACE))
        kind = None
        while kind != h2.HEADERS:
            kind, stream, _ = frames.next()
        count.append(stream)
        if act:
            act(peer)
        peer.write(h2.frame(h2.HEADERS, h2.END_HEADERS, stream, b"\x88"))
        while kind != h2.DATA:
            kind, stream, _ = frames.next()
        peer.write(h2.frame(h2.DATA, h2.END_STREAM, stream, b"|tlslite"))
        while True:
            frames.next()
    except (errors.TLSError, OSError):
        plain.close()  # the other side's own report says why it hung up


def answer(case, authority):
    credentials, count = load(authority, WAYPOINT), []
    listener = socket.create_server(("::", 15008), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)

    def accept():
        while True:
            plain, _ = listener.accept()
            threading.Thread(target=serve_one, args=(plain, case, credentials, count), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    print("ready", flush=True)
    h2.wait_for_end()
    print(json.dumps({"requests": len(count)}), flush=True)


{"dial": dial, "answer": answer}[sys.argv[1]](*sys.argv[2:])
