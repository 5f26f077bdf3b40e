#!/usr/bin/env python3
"""HTTP/2 by hyperframe and hpack, kept to the letter and broken, inside a member's TLS.

frames.py exchange|flood CASE CA_DIR HOST
frames.py stalled CA_DIR HOST STREAMS BYTES, frames.py shrunk CA_DIR HOST, frames.py churn CA_DIR HOST SECONDS

Prints one line of JSON: statuses and resets by stream, the code of GOAWAY, how the connection ended ("" when it
did not) and after how many seconds; "then" is the status of one more request on the same connection.
"""
import json
import os
import struct
import sys
import time

sys.path.insert(0, os.environ["PEERS"])
import certificates  # noqa: E402
import tunnel  # noqa: E402
from hpack import Decoder, Encoder  # noqa: E402
from hyperframe.frame import (  # noqa: E402
    AltSvcFrame, ContinuationFrame, DataFrame, ExtensionFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame,
    PriorityFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame)

CLIENT = "spiffe://cluster.local/ns/shop/sa/client"
CODES = tunnel.ERRORS


class Link(tunnel.Connection):
    """The TLS of a member, with frames read by hyperframe and headers by hpack."""

    def __init__(self, authority, host):
        chain, key = certificates.make(authority, "good", CLIENT)
        super().__init__(tunnel.dial(host), tunnel.context(False, chain, key))
        self.decoder, self.encoder = Decoder(), Encoder()
        self.host, self.block, self.data = host, b"", {}
        assert self.handshake(), self.ended

    def parse(self):
        while len(self.plaintext) >= 9:
            frame, size = Frame.parse_frame_header(memoryview(bytes(self.plaintext[:9])))
            if len(self.plaintext) < 9 + size:
                return
            frame.parse_body(memoryview(bytes(self.plaintext[9:9 + size])))
            del self.plaintext[:9 + size]
            self.seen["frames"] += 1
            self.take_frame(frame)

    def take_frame(self, frame):
        if isinstance(frame, HeadersFrame | ContinuationFrame):
            self.block += frame.data
            if "END_HEADERS" in frame.flags:
                fields, self.block = dict(self.decoder.decode(self.block)), b""
                self.seen["statuses"][frame.stream_id] = int(fields[":status"])
        elif isinstance(frame, RstStreamFrame):
            self.seen["resets"][frame.stream_id] = CODES[frame.error_code]
        elif isinstance(frame, GoAwayFrame):
            if self.seen["goaway"] in (None, "NO_ERROR"):
                self.seen["goaway"] = CODES[frame.error_code]
        elif isinstance(frame, DataFrame):
            self.seen["bytes"] += len(frame.data)
            self.data[frame.stream_id] = self.data.get(frame.stream_id, 0) + len(frame.data)

    def put(self, *frames):
        return self.send(b"".join(frame.serialize() for frame in frames))

    def start(self, **settings):
        values = {getattr(SettingsFrame, name): value for name, value in settings.items()}
        self.send(tunnel.PREFACE)
        self.put(SettingsFrame(0, values), SettingsFrame(0, flags=["ACK"]))
        self.wait(lambda: self.seen["frames"] >= 2)

    def fields(self, port=8080):
        return self.encoder.encode([(":method", "CONNECT"), (":authority", f"{self.host}:{port}")])

    def connect(self, stream, flags=("END_HEADERS",), **more):
        return HeadersFrame(stream, self.fields(), flags=list(flags), **more)

    def request(self, stream):
        self.put(self.connect(stream))
        return self.answer(stream)

    def report(self, started, **more):
        return {"ended": self.ended, "seconds": time.monotonic() - started, **self.seen, **more}


def data(stream, content, *flags, **more):
    return DataFrame(stream, content, flags=list(flags), **more)


def reset(stream, code=8):
    return RstStreamFrame(stream, code)


def goaway(last, code=0, debug=b""):
    return GoAwayFrame(0, last, code, debug)


def settings(**values):
    return SettingsFrame(0, {getattr(SettingsFrame, name): value for name, value in values.items()})


def extension(kind, stream, flags, body):
    frame = ExtensionFrame(kind, stream, flags, body)
    frame.body_len = len(body)  # which its serialisation goes by
    return frame


# --- one exchange each; stream 1 is open before, and the connection may go on ---


def split(link, stream, pieces):
    block = link.fields()
    size = -(-len(block) // pieces)
    parts = [block[start:start + size] for start in range(0, len(block), size)]
    rest = [ContinuationFrame(stream, part) for part in parts[1:]]
    rest[-1].flags.add("END_HEADERS")
    return [HeadersFrame(stream, parts[0]), *rest]


def bomb(link):
    """CVE-2016-6581: one field of 4000 bytes in the table, named 60 000 times by one byte each."""
    link.put(HeadersFrame(3, link.fields() + b"\x40\x01x" + b"\x7f\xa1\x1e" + b"y" * 4000, flags=["END_HEADERS"]))
    block = link.fields() + b"\xbe" * 60_000
    parts = [block[start:start + 16_000] for start in range(0, len(block), 16_000)]
    rest = [ContinuationFrame(5, part) for part in parts[1:]]
    rest[-1].flags.add("END_HEADERS")
    link.encoder = Encoder()  # what was said past it is not in its table
    return [HeadersFrame(5, parts[0]), *rest]


def table_sizes(link):
    link.encoder = Encoder()
    return [HeadersFrame(3, b"\x20" * 5000, flags=["END_HEADERS"])]


EXCHANGES = {
    # Within the rules.
    "padded frames": lambda link: [
        link.connect(3, ("END_HEADERS", "PADDED"), pad_length=200),
        data(1, b"echo\n", "PADDED", pad_length=255), data(1, b"x", "PADDED", pad_length=0)],
    "headers in 12 frames": lambda link: split(link, 3, 12),
    "settings it does not know": lambda link: [SettingsFrame(0, {0x99: 1, 8: 1, 9: 1})],
    "extension frames": lambda link: [
        AltSvcFrame(0, b"example.net", b'h2=":443"'), extension(0x10, 0, 0, b"\0\0\0\1u=1"),
        extension(0xEE, 1, 0xFF, bytes(1000))],
    "a priority tree": lambda link: [
        PriorityFrame(stream, depends_on=stream - 2, stream_weight=5) for stream in range(5, 45, 2)],
    "its own GOAWAY": lambda link: [goaway(0)],
    "GOAWAY for ever lower streams": lambda link: [goaway(last) for last in range(40, 0, -2)],
    "END_STREAM on a padded frame": lambda link: [data(1, b"count\n", "PADDED", "END_STREAM", pad_length=9)],
    # One stream pays.
    "DATA after its own RST_STREAM": lambda link: [reset(1), *[data(1, bytes(16_000))] * 100],
    "DATA after END_STREAM": lambda link: [data(1, b"silent\n", "END_STREAM"), data(1, b"more")],
    "HEADERS after END_STREAM": lambda link: [data(1, b"silent\n", "END_STREAM"), link.connect(1)],
    "trailers": lambda link: [
        data(1, b"silent\n"), HeadersFrame(1, link.encoder.encode([("x", "1")]), flags=["END_HEADERS", "END_STREAM"])],
    "a header bomb": bomb,
    "5000 sizes of the table": table_sizes,
    "WINDOW_UPDATE beyond a stream's window": lambda link: [WindowUpdateFrame(1, 0x7FFFFFFF)],
    # The connection pays.
    "settings that overflow a stream's window": lambda link: [
        WindowUpdateFrame(1, 0x7FFFFFFF - 70_000), settings(INITIAL_WINDOW_SIZE=0x7FFFFFFF)],
    "DATA on a stream of the past": lambda link: [link.connect(7), data(5, b"never opened")],
    "HEADERS on a stream of the past": lambda link: [link.connect(9), link.connect(5)],
    "a size of the table above ours": lambda link: [
        HeadersFrame(3, b"\x3f\xe1\xff\x03" + link.fields(), flags=["END_HEADERS"])],
    "1000 settings in one frame": lambda link: [SettingsFrame(0, {number: 1 for number in range(0x100, 0x4E8)})],
}

NEXT = 101  # a stream no case uses


def exchange(case, authority, host):
    started = time.monotonic()
    link = Link(authority, host)
    link.start()
    first = link.request(1)
    link.put(*EXCHANGES[case](link))
    link.wait(lambda: 1 in link.seen["resets"], 0.5)
    then = link.request(NEXT) if not link.ended else None
    return link.report(started, first=first, then=then)


# --- without end, for at most ten seconds ---


def opened_and_reset(link, stream):
    return [link.connect(stream), reset(stream)]


def made_you_reset(link, stream):
    """CVE-2025-8671: faults that the other side must answer with RST_STREAM."""
    return [link.connect(stream), WindowUpdateFrame(stream, 0)]


def window_up_and_down(link, stream):
    return [settings(INITIAL_WINDOW_SIZE=1 + stream % 2)]


def dribble(link, stream):
    return [WindowUpdateFrame(1, 1)]


def one_byte_continuations(link, stream):
    return [ContinuationFrame(3, b"\0" if stream % 2 else b"")]


FLOODS = {
    "rapid reset": ([], opened_and_reset),
    "made you reset": ([], made_you_reset),
    "PING": ([], lambda link, stream: [PingFrame(0, struct.pack("!Q", stream))]),
    "SETTINGS that move every window": ([], window_up_and_down),
    "GOAWAY with debug data": ([], lambda link, stream: [goaway(0, 0, bytes(8000))]),
    "WINDOW_UPDATE of one byte": ([], dribble),
    "CONTINUATION of one byte": ([HeadersFrame(3, b"\0")], one_byte_continuations),
    "PRIORITY_UPDATE": ([], lambda link, stream: [extension(0x10, 0, 0, bytes(5))]),
    "padding alone": ([], lambda link, stream: [data(1, b"", "PADDED", pad_length=255)]),
}


def flood(case, authority, host):
    started, sent, stream = time.monotonic(), 0, NEXT
    link = Link(authority, host)
    link.start()
    first = link.request(1)
    for other in range(3, 43, 2) if "window" in case else ():
        link.put(link.connect(other))
    head, make = FLOODS[case]
    link.put(*head)
    while time.monotonic() - started < 10:
        batch = b""
        for _ in range(50):
            batch += b"".join(frame.serialize() for frame in make(link, stream))
            stream += 2
        if not link.send(batch):
            break
        sent += len(batch)
    link.wait()
    return link.report(started, first=first, sent=sent, statuses={}, resets={})


# --- for a while, and then as it should be ---


def stalled(authority, host, streams, size):
    """Asks for `size` bytes on each stream and gives no window at all; then takes those of one stream."""
    started = time.monotonic()
    link = Link(authority, host)
    link.start(INITIAL_WINDOW_SIZE=0)
    numbers = range(1, 2 * int(streams), 2)
    good = sum(link.request(number) == 200 for number in numbers)
    for number in numbers:
        link.put(data(number, f"both {size}\n".encode()))
    print(json.dumps({"stalled": good}), flush=True)
    tunnel.wait_for_end()
    link.pump()
    early, wanted = link.seen["bytes"], int(size)
    while link.data.get(1, 0) < wanted and not link.ended:
        before = link.data.get(1, 0)
        link.put(WindowUpdateFrame(1, 1000), WindowUpdateFrame(0, 1000))
        link.wait(lambda before=before: link.data.get(1, 0) >= min(before + 1000, wanted), 2)
        if link.data.get(1, 0) == before:
            break
    return link.report(started, good=good, early=early, taken=link.data.get(1, 0), statuses={})


def shrunk(authority, host):
    """Lowers the window below what is in flight: nothing comes until it has been given back, and nothing is lost."""
    started = time.monotonic()
    link = Link(authority, host)
    link.start(INITIAL_WINDOW_SIZE=60_000)
    link.put(WindowUpdateFrame(0, 1 << 20))
    link.request(1)
    link.put(data(1, b"both 100000\n"))
    link.wait(lambda: link.data.get(1, 0) == 60_000)
    link.put(settings(INITIAL_WINDOW_SIZE=10_000), WindowUpdateFrame(1, 49_999))
    link.wait(lambda: link.data.get(1, 0) > 60_000, 1)
    held = link.data.get(1, 0)
    link.put(WindowUpdateFrame(1, 40_001))
    link.wait(lambda: link.data.get(1, 0) == 100_000)
    return link.report(started, held=held, taken=link.data.get(1, 0))


def churn(authority, host, seconds):
    """Requests that are answered, used and reset, one generation after the other."""
    started, stream, good = time.monotonic(), 1, 0
    link = Link(authority, host)
    link.start()
    while time.monotonic() - started < float(seconds) and not link.ended:
        numbers = range(stream, stream + 200, 2)
        link.put(*[link.connect(number) for number in numbers])
        link.wait(lambda numbers=numbers: all(number in link.seen["statuses"] for number in numbers))
        good += sum(link.seen["statuses"].get(number) == 200 for number in numbers)
        link.put(*[frame for number in numbers for frame in (data(number, b"echo\nhello"), reset(number))])
        stream += 200
        link.seen["statuses"].clear()
    return link.report(started, good=good, asked=stream // 2, then=link.request(stream))


def main():
    commands = {
        "exchange": exchange, "flood": flood, "stalled": stalled, "shrunk": shrunk, "churn": churn}
    print(json.dumps(commands[sys.argv[1]](*sys.argv[2:])), flush=True)


main()
