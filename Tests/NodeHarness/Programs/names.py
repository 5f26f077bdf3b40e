#!/usr/bin/env python3
"""Resolvers and their clients for the node tests.

names.py serve NAME [forward=ADDRESS]   a resolver on port 53, UDP and TCP: example.org is its zone, and
                                        `who.example.org` TXT says NAME; with forward it asks on instead
names.py ask RESOLVER HOST TYPE [tcp] [edns=BYTES] [id=N] [case] [connected] [timeout=S] [raw=HEX]
names.py rate RESOLVER HOST PER_SECOND SECONDS      outcomes of many queries, by who answered
names.py resolve RESOLVER SEARCH HOST...            as applications do: glibc with this resolv.conf
Each client prints one line of JSON; "error" names what went wrong.
"""
import ctypes
import json
import os
import random
import socket
import struct
import sys
import tempfile
import threading
import time

TYPES = {"A": 1, "CNAME": 5, "TXT": 16, "AAAA": 28, "SRV": 33, "OPT": 41, "HTTPS": 65, "ANY": 255}
NAMES = {number: name for name, number in TYPES.items()}


def pack_name(host):
    return b"".join(bytes([len(label)]) + label.encode() for label in host.split(".") if label) + b"\0"


def read_name(message, offset):
    labels, end = [], None
    while message[offset]:
        if message[offset] & 0xC0 == 0xC0:
            end = end or offset + 2
            offset = struct.unpack_from("!H", message, offset)[0] & 0x3FFF
            continue
        labels.append(message[offset + 1:offset + 1 + message[offset]].decode())
        offset += 1 + message[offset]
    return ".".join(labels), end or offset + 1


def pack_query(number, host, kind, edns):
    message = struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 1 if edns else 0)
    message += pack_name(host) + struct.pack("!HH", TYPES[kind], 1)
    return message + (b"\0" + struct.pack("!HHIH", 41, edns, 0, 0) if edns else b"")


def read_answer(message):
    number, flags, questions, answers, authorities, additionals = struct.unpack_from("!HHHHHH", message)
    offset, asked = 12, ""
    for _ in range(questions):
        asked, offset = read_name(message, offset)
        offset += 4
    records = []
    for _ in range(answers + authorities + additionals):
        owner, offset = read_name(message, offset)
        kind, size, _, count = struct.unpack_from("!HHIH", message, offset)
        offset += 10
        data = message[offset:offset + count]
        if kind == 1:
            text = socket.inet_ntop(socket.AF_INET, data)
        elif kind == 28:
            text = socket.inet_ntop(socket.AF_INET6, data)
        elif kind == 5:
            text = read_name(message, offset)[0]
        elif kind == 33:
            text = f"{struct.unpack_from('!HHH', data)[2]} {read_name(message, offset + 6)[0]}"
        elif kind == 16:
            text = data[1:].decode()
        else:
            text = str(size)
        records.append([NAMES.get(kind, str(kind)), owner, text])
        offset += count
    return {"id": number, "rcode": flags & 15, "truncated": bool(flags & 0x200),
            "authoritative": bool(flags & 0x400), "asked": asked, "bytes": len(message),
            "answers": [record[2] for record in records[:answers]], "owners": [r[1] for r in records[:answers]],
            "additional": [record[2] for record in records[answers + authorities:]]}


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def take(connection, count):
    got = b""
    while len(got) < count:
        part = connection.recv(count - len(got))
        if not part:
            raise ConnectionError("end of stream")
        got += part
    return got


# A resolver


class Resolver:
    def __init__(self, name, forward):
        self.name, self.forward = name, forward

    def answer(self, query, is_stream):
        if self.forward:
            with socket.socket(family_of(self.forward), socket.SOCK_DGRAM) as upstream:
                upstream.settimeout(3)
                upstream.sendto(query, (self.forward, 53))
                return upstream.recv(65535)
        host, offset = read_name(query, 12)
        kind = struct.unpack_from("!H", query, offset)[0]
        host, code, records, cut = host.lower(), 0, [], 0
        if not host.endswith("example.org"):
            code = 3
        elif kind == 1:
            records = [(1, socket.inet_aton(f"203.0.113.{n}")) for n in range(1, 201 if host.startswith("big") else 2)]
        elif kind == 28:
            records = [(28, socket.inet_pton(socket.AF_INET6, "2001:db8::1"))]
        elif kind == 16:
            records = [(16, bytes([len(self.name)]) + self.name.encode())]
        if len(records) > 20 and not is_stream:
            records, cut = [], 0x200
        body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data for kind, data in records)
        return query[:2] + struct.pack("!HHHHH", 0x8180 | cut | code, 1, len(records), 0, 0) + \
            query[12:offset + 4] + body

    def datagrams(self, sock):
        while True:
            query, client = sock.recvfrom(65535)
            threading.Thread(target=self.reply, args=(sock, query, client), daemon=True).start()

    def reply(self, sock, query, client):
        try:
            sock.sendto(self.answer(query, False), client)
        except (OSError, IndexError, struct.error):
            pass  # Its client asks again, or gives up.

    def streams(self, listener):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self.stream, args=(connection,), daemon=True).start()

    def stream(self, connection):
        try:
            while True:
                query = take(connection, struct.unpack("!H", take(connection, 2))[0])
                if query[:4] == b"ECHO":
                    connection.sendall(query)
                    continue
                answer = self.answer(query, True)
                connection.sendall(struct.pack("!H", len(answer)) + answer)
        except (OSError, IndexError, struct.error):
            connection.close()

    def serve(self):
        for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            for kind, run in ((socket.SOCK_DGRAM, self.datagrams), (socket.SOCK_STREAM, self.streams)):
                sock = socket.socket(family, kind)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.bind((address, 53))
                if kind == socket.SOCK_STREAM:
                    sock.listen(64)
                threading.Thread(target=run, args=(sock,), daemon=True).start()
        print("ready", flush=True)
        threading.Event().wait()


# Clients


def ask(resolver, host, kind, flags, options):
    number = int(options.get("id", random.randrange(65536)))
    if "case" in flags:
        host = "".join(random.choice((c.lower(), c.upper())) for c in host)
    query = bytes.fromhex(options["raw"]) if "raw" in options else \
        pack_query(number, host, kind, int(options.get("edns", "0")))
    timeout = float(options.get("timeout", "3"))
    if "tcp" in flags:
        with socket.create_connection((resolver, 53), timeout=timeout) as connection:
            connection.sendall(struct.pack("!H", len(query)) + query)
            message = take(connection, struct.unpack("!H", take(connection, 2))[0])
            source = connection.getpeername()
    else:
        with socket.socket(family_of(resolver), socket.SOCK_DGRAM) as sock:
            sock.settimeout(timeout)
            if "connected" in flags:
                sock.connect((resolver, 53))
                sock.send(query)
            else:
                sock.sendto(query, (resolver, 53))
            message, source = sock.recvfrom(65535)
    answer = read_answer(message)
    answer["source"] = f"{source[0]} {source[1]}"
    answer["isAsked"] = answer["asked"] == host and answer["id"] == number
    return answer


def rate(resolver, host, per_second, seconds):
    outcomes, slowest, start, turn = {}, 0.0, time.monotonic(), 0
    while time.monotonic() - start < seconds:
        begun = time.monotonic()
        try:
            answer = ask(resolver, host, "A", set(), {"timeout": "1"})
            outcome = "mesh" if answer["authoritative"] else f"resolver {answer['rcode']}"
        except OSError as error:
            outcome = type(error).__name__
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        slowest = max(slowest, time.monotonic() - begun)
        turn += 1
        time.sleep(max(start + turn / per_second - time.monotonic(), 0))
    return {"outcomes": outcomes, "slowest": slowest}


def resolve(resolver, search, hosts):
    """In a mount namespace of its own, so that this resolv.conf is nobody else's."""
    libc = ctypes.CDLL(None, use_errno=True)
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(f"nameserver {resolver}\nsearch {search}\noptions ndots:5 timeout:2 attempts:2\n")
        file.flush()
        if libc.unshare(0x00020000) or libc.mount(b"none", b"/", None, 0x44000, None) or \
                libc.mount(file.name.encode(), b"/etc/resolv.conf", None, 0x1000, None):
            raise OSError(ctypes.get_errno(), "mount")
        found = {}
        for host in hosts:
            try:
                found[host] = sorted({row[4][0] for row in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
            except socket.gaierror as error:
                found[host] = [str(error.args[1])]
        return found


def main():
    mode, arguments = sys.argv[1], sys.argv[2:]
    options = dict(part.split("=", 1) for part in arguments if "=" in part)
    plain = [part for part in arguments if "=" not in part]
    try:
        if mode == "serve":
            Resolver(plain[0], options.get("forward")).serve()
        elif mode == "ask":
            print(json.dumps(ask(plain[0], plain[1], plain[2], set(plain[3:]), options)))
        elif mode == "rate":
            print(json.dumps(rate(plain[0], plain[1], float(plain[2]), float(plain[3]))))
        elif mode == "resolve":
            print(json.dumps(resolve(plain[0], plain[1], plain[2:])))
    except (OSError, IndexError, struct.error) as error:
        print(json.dumps({"error": type(error).__name__}))


main()
