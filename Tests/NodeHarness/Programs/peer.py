#!/usr/bin/env python3
"""The applications of the node tests: a server that does what the first line asks, and its clients.

Server:  peer.py serve PORT            peer.py banner PORT (speaks first)
Client:  peer.py get HOST PORT LINE    peer.py both HOST PORT BYTES     peer.py many HOST PORT COUNT
         peer.py rate HOST PORT PER_SECOND SECONDS                      peer.py hold HOST PORT SECONDS INTERVAL
         peer.py greet HOST PORT       peer.py idle HOST PORT COUNT SECONDS
Each client prints one line of JSON; "error" names what went wrong, in the kernel's words.
"""
import errno
import hashlib
import json
import random
import selectors
import socket
import struct
import sys
import threading
import time

BLOCK = random.Random(20).randbytes(1 << 20)


def error_name(error):
    if isinstance(error, TimeoutError):
        return "ETIMEDOUT"
    number = getattr(error, "errno", None)
    return errno.errorcode.get(number, str(error)) if number else str(error)


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def dial(host, port, timeout=10.0):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    connection.connect((host, int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def listen(port):
    listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("::", int(port)))
    listener.listen(4096)
    print("ready", flush=True)
    return listener


def plain(address):
    return address[7:] if address.startswith("::ffff:") else address


def send_blocks(connection, count):
    left = count
    while left:
        piece = BLOCK[: min(left, len(BLOCK))]
        connection.sendall(piece)
        left -= len(piece)


def receive_blocks(connection, count):
    digest, left = hashlib.sha256(), count
    while left:
        piece = connection.recv(min(left, 1 << 18))
        if not piece:
            raise OSError(errno.ECONNABORTED, f"ended {left} bytes early")
        digest.update(piece)
        left -= len(piece)
    return digest.hexdigest()


def expected_digest(count):
    digest, left = hashlib.sha256(), count
    while left:
        piece = BLOCK[: min(left, len(BLOCK))]
        digest.update(piece)
        left -= len(piece)
    return digest.hexdigest()


def read_line(connection):
    line = b""
    while not line.endswith(b"\n") and len(line) < 4096:
        byte = connection.recv(1)
        if not byte:
            break
        line += byte
    return line.decode().split()


def exchange_both(connection, count):
    """Sends and receives `count` bytes at the same time; returns the digest of what came."""
    failure = []

    def push():
        try:
            send_blocks(connection, count)
        except OSError as error:
            failure.append(error)

    sender = threading.Thread(target=push)
    sender.start()
    digest = receive_blocks(connection, count)
    sender.join()
    if failure:
        raise failure[0]
    return digest


def serve_one(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(600)
    peer, local = connection.getpeername(), connection.getsockname()
    words = read_line(connection)
    verb = words[0] if words else ""
    if verb == "whoami":
        answer = {"peer": plain(peer[0]), "port": peer[1], "local": plain(local[0])}
        connection.sendall(json.dumps(answer).encode())
    elif verb == "name":
        connection.sendall(socket.gethostname().encode() + b"|" + sys.argv[-1].encode())
    elif verb == "both":
        digest = exchange_both(connection, int(words[1]))
        connection.sendall(digest.encode())
    elif verb == "count":
        total = 0
        while piece := connection.recv(1 << 16):
            total += len(piece)
        connection.sendall(str(total).encode())
    elif verb == "reset":
        reset(connection)
        return
    elif verb == "echo":
        while piece := connection.recv(1 << 16):
            connection.sendall(piece)
    elif verb == "silent":
        while connection.recv(1 << 16):
            pass
    connection.close()


def serve_guarded(connection):
    try:
        serve_one(connection)
    except OSError:
        connection.close()  # the client went away; its own report says how


def command_serve(port, *_):
    threading.stack_size(256 << 10)
    listener = listen(port)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve_guarded, args=(connection,), daemon=True).start()


def command_banner(port, *_):
    listener = listen(port)
    while True:
        connection, _ = listener.accept()
        connection.sendall(b"220 ready\r\n")
        connection.recv(100)
        connection.close()


def command_get(host, port, line, timeout="10"):
    connection = dial(host, port, float(timeout))
    connection.sendall(line.encode() + b"\n")
    try:
        connection.shutdown(socket.SHUT_WR)
    except OSError as error:
        if error.errno != errno.ENOTCONN:  # reset already: the next read says so
            raise
    answer = b""
    while piece := connection.recv(1 << 16):
        answer += piece
    return {"answer": answer.decode()}


def command_greet(host, port):
    connection = dial(host, port)
    return {"answer": connection.recv(100).decode().strip()}


def command_both(host, port, count):
    connection = dial(host, port)
    connection.settimeout(300)
    connection.sendall(f"both {count}\n".encode())
    started = time.monotonic()
    digest = exchange_both(connection, int(count))
    theirs = connection.recv(64).decode()
    expected = expected_digest(int(count))
    return {
        "seconds": time.monotonic() - started,
        "received": digest == expected,
        "sent": theirs == expected,
    }


def command_many(host, port, count):
    """Opens `count` connections, keeps all of them, then uses each of them."""
    connections = []
    for number in range(int(count)):
        connection = dial(host, port)
        connection.sendall(b"echo\n")
        connections.append(connection)
    good = 0
    for number, connection in enumerate(connections):
        connection.sendall(f"<{number}>".encode())
    for number, connection in enumerate(connections):
        wanted, answer = f"<{number}>".encode(), b""
        while len(answer) < len(wanted) and (piece := connection.recv(64)):
            answer += piece
        good += answer == wanted
    for connection in connections:
        connection.close()
    return {"good": good}


def command_idle(host, port, count, seconds):
    connections = []
    for _ in range(int(count)):
        connection = dial(host, port)
        connection.sendall(b"echo\n")
        connection.sendall(b".")
        connections.append(connection)
    good = sum(connection.recv(1) == b"." for connection in connections)
    print(json.dumps({"opened": good}), flush=True)
    time.sleep(float(seconds))
    alive = 0
    for connection in connections:
        connection.sendall(b"!")
        alive += connection.recv(1) == b"!"
    return {"alive": alive}


def one_try(host, port, outcome, lock):
    started = time.monotonic()
    try:
        connection = dial(host, port, 10)
        connected = time.monotonic() - started
        connection.sendall(b"echo\nx")
        connection.shutdown(socket.SHUT_WR)
        name = "ok" if connection.recv(1) == b"x" else "cut"
        connection.close()
    except OSError as error:
        name, connected = error_name(error), time.monotonic() - started
    with lock:
        outcome[name] = outcome.get(name, 0) + 1
        outcome["slowest"] = max(outcome.get("slowest", 0), connected)


def command_rate(host, port, per_second, seconds):
    """New connections at a fixed rate; nobody tries again. "cut" was connected, then lost."""
    threading.stack_size(256 << 10)
    outcome, lock, threads = {}, threading.Lock(), []
    start, total = time.monotonic(), int(float(per_second) * float(seconds))
    for number in range(total):
        wait = start + number / float(per_second) - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        thread = threading.Thread(target=one_try, args=(host, port, outcome, lock))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    return {"outcome": outcome, "tried": total}


def command_hold(host, port, seconds, interval):
    """One connection, used every `interval` seconds; reports how long it lived."""
    connection = dial(host, port)
    connection.sendall(b"echo\n")
    print(json.dumps({"open": True}), flush=True)
    started, rounds = time.monotonic(), 0
    try:
        while time.monotonic() - started < float(seconds):
            connection.sendall(b"ping")
            if len(connection.recv(4)) == 0:
                return {"ended": "EOF", "after": time.monotonic() - started, "rounds": rounds}
            rounds += 1
            time.sleep(float(interval))
    except OSError as error:
        return {"ended": error_name(error), "after": time.monotonic() - started, "rounds": rounds}
    return {"ended": "", "after": time.monotonic() - started, "rounds": rounds}


def main():
    command = globals()["command_" + sys.argv[1]]
    try:
        result = command(*sys.argv[2:])
    except OSError as error:
        result = {"error": error_name(error)}
    print(json.dumps(result), flush=True)


main()
