"""What somebody who listens on the cable between two nodes can read."""

from __future__ import annotations

import ipaddress
import json
import struct
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from claims import Untrue, expect
from topology import Topology, inside

CAPTURE = Path(__file__).resolve().parent / "programs/capture.py"
ETHERNET_BYTES = 14
ETH_P_IP = 0x0800
ETH_P_IPV6 = 0x86DD
IPPROTO_TCP = 6
TLS_HANDSHAKE = b"\x16\x03"


@dataclass(frozen=True)
class Flow:
    """One direction of a TCP connection."""

    source: str
    source_port: int
    destination: str
    destination_port: int

    @property
    def ports(self) -> set[int]:
        return {self.source_port, self.destination_port}


@dataclass
class Wire:
    """The frames of one capture, and the byte streams put together from them."""

    frames: list[bytes]
    # TCP payload by sequence number, so that retransmissions count once and order is restored.
    segments: dict[Flow, dict[int, bytes]] = field(default_factory=lambda: defaultdict(dict))

    @classmethod
    def read(cls, path: Path) -> Wire:
        content = path.read_bytes()
        frames, offset = [], 0
        while offset < len(content):
            (length,) = struct.unpack_from("<I", content, offset)
            frames.append(content[offset + 4 : offset + 4 + length])
            offset += 4 + length
        wire = cls(frames)
        for frame in frames:
            wire._take(frame)
        return wire

    @property
    def bytes_seen(self) -> int:
        return sum(map(len, self.frames))

    def payload_bytes(self, port: int) -> int:
        return sum(
            sum(map(len, parts.values()))
            for flow, parts in self.segments.items()
            if port in flow.ports
        )

    def ports_with_payload(self) -> set[int]:
        """The server ports (the lower of the two) of all flows that carried anything."""
        return {min(flow.ports) for flow, parts in self.segments.items() if any(parts.values())}

    def streams(self) -> dict[Flow, bytes]:
        return {
            flow: b"".join(parts[number] for number in sorted(parts))
            for flow, parts in self.segments.items()
        }

    def can_read(self, text: str) -> bool:
        """Whether the text is in a frame, or in a stream where it was split over frames."""
        needle = text.encode()
        return any(needle in frame for frame in self.frames) or any(
            needle in stream for stream in self.streams().values()
        )

    def flows_not_starting_with_tls(self, port: int) -> list[Flow]:
        return [
            flow
            for flow, stream in self.streams().items()
            if port in flow.ports and stream and not stream.startswith(TLS_HANDSHAKE)
        ]

    def _take(self, frame: bytes) -> None:
        if len(frame) < ETHERNET_BYTES + 20:
            return
        (kind,) = struct.unpack_from("!H", frame, 12)
        packet = frame[ETHERNET_BYTES:]
        if kind == ETH_P_IP and packet[9] == IPPROTO_TCP:
            header = (packet[0] & 15) * 4
            (total,) = struct.unpack_from("!H", packet, 2)
            # The length is 0 in segments longer than 64 KiB.
            segment = packet[header : total or len(packet)]
            source, destination = packet[12:16], packet[16:20]
        elif kind == ETH_P_IPV6 and packet[6] == IPPROTO_TCP:
            (length,) = struct.unpack_from("!H", packet, 4)
            segment = packet[40 : 40 + length if length else len(packet)]
            source, destination = packet[8:24], packet[24:40]
        else:
            return
        source_port, destination_port, sequence = struct.unpack_from("!HHI", segment)
        payload = segment[(segment[12] >> 4) * 4 :]
        flow = Flow(
            str(ipaddress.ip_address(source)),
            source_port,
            str(ipaddress.ip_address(destination)),
            destination_port,
        )
        parts = self.segments[flow]
        if len(payload) > len(parts.get(sequence, b"")):
            parts[sequence] = payload


class Capture:
    """Everything that crosses the cable between the nodes while the block runs."""

    def __init__(self, topology: Topology, path: Path) -> None:
        self.path = path
        program = [sys.executable, str(CAPTURE), "under0", str(path)]
        self.command = inside(topology.nodes["a"].netns, *program)
        self.wire = Wire([])

    def __enter__(self) -> Capture:
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        expect(self.process.stdout.readline().strip() == "ready", "listening on the cable")
        return self

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        report, _ = self.process.communicate(timeout=10)
        if error[0] is not None:
            return
        counts = json.loads(report)
        if counts["drops"]:
            raise Untrue(f"the capture is complete: the kernel dropped {counts['drops']} frames")
        self.wire = Wire.read(self.path)
