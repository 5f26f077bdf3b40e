#!/usr/bin/env python3
"""Copies every frame of an interface into a file until SIGTERM.

    capture.py INTERFACE FILE

File: for each frame its length (u32, little-endian) and its bytes. Prints `ready` once it listens
and, at the end, one JSON line: frames, and how many of them the kernel had to drop.
"""

import json
import signal
import socket
import struct
import sys

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_STATISTICS = 6
SO_RCVBUFFORCE = 33
RECEIVE_BUFFER_BYTES = 64 << 20
# A frame on a veth may be as long as the largest segmentation offload.
FRAME_BYTES = 1 << 18

interface, path = sys.argv[1:3]
sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
sniffer.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
sniffer.bind((interface, 0))
sniffer.settimeout(0.1)
is_running = True


def stop(*_: object) -> None:
    global is_running
    is_running = False


signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("ready", flush=True)
frames = 0
with open(path, "wb") as file:
    while True:
        try:
            frame = sniffer.recv(FRAME_BYTES)
        except TimeoutError:
            # Only an empty queue ends it, so that what was sent before SIGTERM is in the file.
            if is_running:
                continue
            break
        file.write(struct.pack("<I", len(frame)) + frame)
        frames += 1
_, drops = struct.unpack("<II", sniffer.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
print(json.dumps({"frames": frames, "drops": drops}), flush=True)
