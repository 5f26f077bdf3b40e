#!/usr/bin/env python3
"""How connections end: endings.py serve PORT, endings.py leave HOST PORT reset|close,
endings.py echo HOST PORT BYTES COUNT [LINE]

The server gives back each byte it gets, and prints one line of JSON a connection: "eof" after a FIN (and then closes
too), or the kernel's name of the error. The first client exchanges five bytes and leaves as it is told. The second
opens COUNT connections to an echo at once, sends LINE, if the echo wants one, and BYTES on each, half-closes, and
compares what comes until the end.
"""
import errno
import json
import random
import socket
import struct
import sys
import threading


def serve_one(connection):
    received = 0
    try:
        while piece := connection.recv(1 << 16):
            received += len(piece)
            connection.sendall(piece)
        ended = "eof"
    except OSError as error:
        ended = errno.errorcode.get(error.errno, str(error))
    connection.close()
    print(json.dumps({"ended": ended, "received": received}), flush=True)


def serve(port):
    listener = socket.create_server(("::", int(port)), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
    print("ready", flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve_one, args=(connection,), daemon=True).start()


def leave(host, port, how):
    connection = socket.create_connection((host, int(port)), 10)
    connection.sendall(b"hello")
    answer = connection.recv(5)
    if how == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    print(json.dumps({"answer": answer.decode()}), flush=True)


def echo_one(host, port, count, line, outcome):
    sent = random.Random(count).randbytes(count)
    received = bytearray()
    try:
        connection = socket.create_connection((host, int(port)), 30)

        def push():
            try:
                connection.sendall(line + sent)
                connection.shutdown(socket.SHUT_WR)
            except OSError as error:
                outcome.append(repr(error))

        threading.Thread(target=push).start()
        while piece := connection.recv(1 << 16):
            received += piece
        connection.close()
    except OSError as error:
        outcome.append(repr(error))
    if received == sent:
        outcome.append("good")


def echo(host, port, size, count, *line):
    outcome, first = [], "".join(f"{word}\n" for word in line).encode()
    threads = [
        threading.Thread(target=echo_one, args=(host, port, int(size), first, outcome)) for _ in range(int(count))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    faults = sorted({word for word in outcome if word != "good"})
    print(json.dumps({"good": outcome.count("good"), "faults": faults}), flush=True)


{"serve": serve, "leave": leave, "echo": echo}[sys.argv[1]](*sys.argv[2:])
