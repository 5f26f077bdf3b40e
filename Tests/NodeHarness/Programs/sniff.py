#!/usr/bin/env python3
"""Watches an interface: sniff.py INTERFACE SECONDS TEXT...

Prints "ready", then after SECONDS (or on SIGTERM) one line of JSON: frames and bytes seen, TCP payload and
SYNs per port, and how often each TEXT was readable in a payload.
"""
import json
import signal
import socket
import struct
import sys
import time

interface, seconds, texts = sys.argv[1], float(sys.argv[2]), [t.encode() for t in sys.argv[3:]]
watcher = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
watcher.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
watcher.bind((interface, 0))
watcher.settimeout(0.1)


def stop(*_):
    global end
    end = min(end, time.monotonic() + 0.3)  # the last frames are on their way


signal.signal(signal.SIGTERM, stop)
end = time.monotonic() + seconds
print("ready", flush=True)

seen = {"frames": 0, "bytes": 0, "ports": {}, "found": {t.decode(): 0 for t in texts}}


def tcp_of(frame):
    """The TCP segment of a frame, without the padding of short frames."""
    kind = struct.unpack("!H", frame[12:14])[0]
    if kind == 0x0800 and frame[23] == 6:
        length = struct.unpack("!H", frame[16:18])[0] or len(frame)
        return frame[14 + (frame[14] & 15) * 4 : 14 + length]
    if kind == 0x86DD and frame[20] == 6:
        return frame[54 : 54 + (struct.unpack("!H", frame[18:20])[0] or len(frame))]
    return None


def weight(segment):
    """Bytes of payload, and one for a SYN: a bare ACK or RST of the kernel counts nothing."""
    return len(segment) - (segment[12] >> 4) * 4 + (segment[13] >> 1 & 1)


while time.monotonic() < end:
    try:
        frame = watcher.recv(1 << 17)
    except TimeoutError:
        continue
    seen["frames"] += 1
    seen["bytes"] += len(frame)
    segment = tcp_of(frame)
    if segment and len(segment) >= 20:
        for port in struct.unpack("!HH", segment[:4]):
            if port < 18000 and weight(segment):
                seen["ports"][port] = seen["ports"].get(port, 0) + weight(segment)
    for text in texts:
        seen["found"][text.decode()] += text in frame
print(json.dumps(seen), flush=True)
