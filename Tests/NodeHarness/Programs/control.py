#!/usr/bin/env python3
"""A control plane that does what no control plane should: control.py KIND HOST PORT AUTHORITY [SCRIPT].

The kind "scripted" does no harm: it says what SCRIPT, a JSON file, says, and says it anew when that changes.

Speaks TLS with a certificate of the mesh's own authority, then HTTP/2 and gRPC by hand, delta discovery and
certificates alike. Prints "ready", then a line of JSON for each connection and request; ends with its input.
"""
import json
import os
import select
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

ADDRESS = "type.googleapis.com/istio.workload.Address"
POLICY = "type.googleapis.com/istio.security.Authorization"


# Protobuf, as far as it is needed.

def varint(number):
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def field(number, content):
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def fields(message):
    """(number, bytes or int) of everything at the top of a message."""
    at = 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        key = number()
        if key & 7 == 0:
            yield key >> 3, number()
        else:
            size = number()
            yield key >> 3, message[at:at + size]
            at += size


def resource(url, name, content, version="1"):
    return field(1, version) + field(2, field(1, url) + field(2, content)) + field(3, name)


def response(url, resources, removed=()):
    return (field(1, "1") + b"".join(field(2, each) for each in resources) + field(4, url) + field(5, "nonce")
            + b"".join(field(6, name) for name in removed))


def workload(name, address=b"\x0a\x63\x00\x01", more=b"", version="1"):
    uid = f"Kubernetes//Pod/hostile/{name}"
    content = field(1, str(name)) + field(2, "hostile") + field(3, address) + field(20, uid) + more
    return resource(ADDRESS, uid, field(1, content), version)


# HTTP/2 and gRPC, as far as they are needed.

CONTENT_TYPE = b"\x88\x00\x0ccontent-type\x10application/grpc"


class Stream:
    def __init__(self, connection, number):
        self.connection, self.number, self.begun = connection, number, False

    def begin(self):
        if not self.begun:
            self.begun = True
            self.connection.frame(1, 4, self.number, CONTENT_TYPE)

    def send(self, message):
        self.begin()
        self.raw(b"\0" + struct.pack(">I", len(message)) + message)

    def raw(self, data):
        for start in range(0, len(data), 16_384):
            piece = data[start:start + 16_384]
            self.connection.take_credit(len(piece))
            self.connection.frame(0, 0, self.number, piece)

    def end(self, status):
        code = str(status).encode()
        trailer = b"\x00\x0bgrpc-status" + bytes([len(code)]) + code
        self.connection.frame(1, 5, self.number, trailer if self.begun else CONTENT_TYPE + trailer)


class Connection:
    def __init__(self, peer, kind):
        self.peer, self.kind, self.lock = peer, kind, threading.Lock()
        self.credit, self.has_credit = 65_535, threading.Condition()
        self.buffers, self.streams = {}, {}

    def frame(self, kind, flags, stream, payload=b""):
        with self.lock:
            self.peer.sendall(struct.pack(">I", len(payload))[1:] + bytes([kind, flags])
                              + struct.pack(">I", stream) + payload)

    def take_credit(self, count):
        with self.has_credit:
            if not self.has_credit.wait_for(lambda: self.credit >= count, 30):
                raise TimeoutError("the client gives no window")
            self.credit -= count

    def exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.peer.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def run(self):
        self.exactly(24)
        self.frame(4, 0, 0, struct.pack(">HI", 4, 1 << 24))
        self.frame(8, 0, 0, struct.pack(">I", 1 << 24))
        while True:
            head = self.exactly(9)
            stream = int.from_bytes(head[5:], "big") & 0x7fffffff
            self.handle(head[3], head[4], stream, self.exactly(int.from_bytes(head[:3], "big")))

    def handle(self, kind, flags, stream, payload):
        if kind == 4 and not flags & 1:
            self.frame(4, 1, 0)
        elif kind == 6 and not flags & 1:
            self.frame(6, 1, 0, payload)
        elif kind == 8 and stream == 0:
            with self.has_credit:
                self.credit += struct.unpack(">I", payload)[0]
                self.has_credit.notify_all()
        elif kind == 1:
            self.streams[stream] = Stream(self, stream)
        elif kind == 0 and stream in self.streams:
            self.received(stream, payload)

    def received(self, stream, payload):
        if payload:
            self.frame(8, 0, 0, struct.pack(">I", len(payload)))
            self.frame(8, 0, stream, struct.pack(">I", len(payload)))
        data = self.buffers.get(stream, b"") + payload
        while len(data) >= 5 and len(data) >= 5 + struct.unpack(">I", data[1:5])[0]:
            size = struct.unpack(">I", data[1:5])[0]
            self.request(self.streams[stream], data[5:5 + size])
            data = data[5 + size:]
        self.buffers[stream] = data

    def request(self, stream, message):
        first = dict(fields(message))
        url = first.get(2, b"")
        url = url.decode("utf-8", "replace") if isinstance(url, bytes) else ""
        if url not in (ADDRESS, POLICY):
            say(signing=True)
            stream.end(14)
        elif 7 in first:
            say(refused=dict(fields(first[7])).get(2, b"").decode("utf-8", "replace"), url=url)
        elif 6 not in first:  # not an answer to one of ours
            say(request=url, claims=sum(1 for number, _ in fields(message) if number == 5))
            threading.Thread(
                target=guarded, args=(KINDS[self.kind], stream, url), daemon=True).start()


def guarded(work, *arguments):
    try:
        work(*arguments)
    except (OSError, EOFError, TimeoutError):
        pass  # the client left


def say(**values):
    print(json.dumps(values), flush=True)


# The kinds: what each answers to the first request for a type.

def empty(stream, url):
    stream.send(response(url, []))


def silent(stream, url):
    stream.begin()


def ending(stream, url):
    stream.begin()
    stream.end(0)


def exhausted(stream, url):
    """Too many ask, it says, to everybody."""
    stream.end(8)


def garbage(stream, url):
    stream.send(os.urandom(10_000))


def mixed(stream, url):
    """Good and bad resources side by side."""
    if url == POLICY:
        return stream.send(response(url, []))
    return stream.send(response(url, [
        workload("good"), workload("short", address=b"\x01\x02"), workload("enum", more=field(5, 99)),
        resource("type.googleapis.com/other.Thing", "Kubernetes//Pod/hostile/type", b"\x0a\x01x"),
        resource(ADDRESS, "Kubernetes//Pod/hostile/noise", os.urandom(200)), resource(ADDRESS, "", b""),
        workload("twice"), workload("twice", more=field(4, "other")),
        workload("huge", more=field(13, "x" * (3 << 20)))]))


def endless(stream, url):
    """Another workload for ever, as fast as it is taken."""
    number = 0
    while True:
        stream.send(response(url, [workload(number % 50, version=str(number))] if url == ADDRESS else []))
        number += 1


def removing(stream, url):
    stream.send(response(url, [], removed=["a/b/c/d", "no/such.host", "Kubernetes//Pod/none/none", ""]))


def oversized(stream, url):
    """Announces a message of 1 GiB."""
    stream.begin()
    stream.raw(b"\0" + struct.pack(">I", 1 << 30) + b"x" * 100_000)


def scripted(stream, url):
    known, last = {}, None
    while True:
        with open(sys.argv[5], encoding="utf-8") as file:
            text = file.read()
        if text != last:
            last, script = text, json.loads(text)
            said = (dict(map(pod, script["workloads"])) if url == ADDRESS
                    else dict(map(policy, script["policies"])))
            stream.send(response(url, said.values(), [name for name in known if name not in said]))
            known = said
        time.sleep(0.05)


def pod(pod):
    uid = f"Kubernetes//Pod/{pod['namespace']}/{pod['name']}"
    content = (field(1, pod["name"]) + field(2, pod["namespace"]) + field(5, 1) + field(7, pod["account"])
               + field(9, pod["node"]) + field(18, "Kubernetes") + field(20, uid))
    for address in pod["addresses"]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        content += field(3, socket.inet_pton(family, address))
    content += b"".join(field(16, name) for name in pod["policies"])
    return uid, resource(ADDRESS, uid, field(1, content), str(hash(content)))


def policy(policy):
    """Allows one service account of the namespace; for those that list it."""
    namespace, name = policy["name"].split("/")
    principal = field(1, f"cluster.local/ns/{namespace}/sa/{policy['account']}")
    rule = field(1, field(2, field(3, principal)))
    content = field(1, name) + field(2, namespace) + field(3, 2) + field(4, 0) + field(5, rule)
    return policy["name"], resource(POLICY, policy["name"], content, "")


def many(stream, url):
    """Fifty thousand workloads in one message, whatever the client says that it has."""
    stream.send(response(url, [
        workload(number, address=struct.pack(">I", 0x0a640000 + number))
        for number in range(50_000)] if url == ADDRESS else []))


KINDS = {"many": many, "scripted": scripted, "empty": empty, "silent": silent, "ending": ending, "exhausted": exhausted, "garbage": garbage, "mixed": mixed,
         "endless": endless, "removing": removing, "oversized": oversized}


def certificate(authority, host):
    """A server certificate for an address, signed by the mesh's own authority."""
    scratch = tempfile.mkdtemp()
    with open(f"{scratch}/ext", "w", encoding="utf-8") as file:
        file.write(f"subjectAltName=IP:{host}\nextendedKeyUsage=serverAuth\nbasicConstraints=critical,CA:FALSE\n")

    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            f"{scratch}/key", "-subj", "/CN=control", "-out", f"{scratch}/csr")
    openssl("x509", "-req", "-in", f"{scratch}/csr", "-CA", f"{authority}/ca.crt", "-CAkey", f"{authority}/ca.key",
            "-set_serial", "77", "-days", "1", "-extfile", f"{scratch}/ext", "-out", f"{scratch}/crt")
    return f"{scratch}/crt", f"{scratch}/key"


def serve(kind, host, port, authority, _script=""):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(authority, host))
    context.set_alpn_protocols(["h2"])
    listener = socket.create_server((host, int(port)))
    print("ready", flush=True)

    def talk(peer):
        with context.wrap_socket(peer, server_side=True) as secured:
            Connection(secured, kind).run()

    def accept():
        while True:
            peer, _ = listener.accept()
            say(connection=time.monotonic())
            threading.Thread(target=guarded, args=(talk, peer), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    select.select([sys.stdin], [], [])  # it does not block, and nothing ever comes but its end


if __name__ == "__main__":
    serve(*sys.argv[1:])
