"""One end of a tunnel connection by hand: TLS by Python, HTTP/2 frames byte by byte."""
import os
import select
import socket
import ssl
import struct
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
ERRORS = (
    "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
    "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
    "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED")
# Names in HPACK's static table.
AUTHORITY, METHOD, PATH, SCHEME, STATUS = 1, 2, 4, 6, 8
DIGIT_BITS = ["00000", "00001", "00010", *(format(code, "06b") for code in range(0x19, 0x20))]


def frame(kind, flags, stream, payload=b"", length=None):
    size = len(payload) if length is None else length
    return struct.pack("!I", size)[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload


def integer(value, bits, first=0):
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([first | value])
    rest, value = [first | limit], value - limit
    while value >= 128:
        rest.append(value & 127 | 128)
        value >>= 7
    return bytes([*rest, value])


def text(value):
    value = value.encode() if isinstance(value, str) else value
    return integer(len(value), 7) + value


def header(name, value):
    """A literal that no table remembers; `name` is text or an index of the static table."""
    if isinstance(name, int):
        return integer(name, 4) + text(value)
    return b"\0" + text(name) + text(value)


def connect_block(authority):
    return header(METHOD, "CONNECT") + header(AUTHORITY, authority)


def connect(stream, authority, flags=END_HEADERS):
    return frame(HEADERS, flags, stream, connect_block(authority))


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack("!I", increment))


# SETTINGS_HEADER_TABLE_SIZE 0: what comes can be read without a table.
NO_TABLE = struct.pack("!HI", 1, 0)


def setting(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack("!HI", *pair) for pair in pairs))


def status_of(block):
    """The status of an answer: its first field, by a peer that was told to keep no table."""
    indexed = {0x88: 200, 0x89: 204, 0x8A: 206, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500}
    while block and block[0] & 0xE0 == 0x20:  # a new size of the table
        block = block[1:]
    if block[0] in indexed:
        return indexed[block[0]]
    size, value = block[1] & 127, block[2:2 + (block[1] & 127)]
    if not block[1] & 128:
        return int(value[:size])
    bits, digits = "".join(format(byte, "08b") for byte in value), ""
    while len(digits) < 3:
        code = next(code for code in DIGIT_BITS if bits.startswith(code))
        digits, bits = digits + str(DIGIT_BITS.index(code)), bits[len(code):]
    return int(digits)


def context(server_side, chain=None, key=None, alpn=("h2",), version=None):
    """No verification of ours: whether the other side verifies is what is tested."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if chain:
        made.load_cert_chain(chain, key)
    if alpn:
        made.set_alpn_protocols(list(alpn))
    if version:
        made.minimum_version, made.maximum_version = ssl.TLSVersion.TLSv1_2, version
    return made


def dial(host, port=15008, timeout=5.0):
    plain = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    plain.settimeout(timeout)
    plain.connect((host.strip("[]"), port))
    plain.setblocking(False)
    return plain


def wait_for_end():
    """Until the test closes our input, which may be a pipe that does not block."""
    while True:
        select.select([0], [], [])
        try:
            if not os.read(0, 4096):
                return
        except BlockingIOError:
            continue


class Connection:
    """TLS over a socket that is read while it is written, so that neither side waits for the other."""

    def __init__(self, plain, tls_context, server_side=False):
        self.socket = plain
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls_context.wrap_bio(self.incoming, self.outgoing, server_side=server_side)
        self.plaintext, self.unsent = bytearray(), bytearray()
        self.ended = ""  # "eof", "reset", "closed" (close_notify) or "alert NAME"
        self.is_deaf = False
        self.is_up = False
        self.leaf = ""  # of the other side, DER in hexadecimal
        self.seen = {"statuses": {}, "resets": {}, "goaway": None, "bytes": 0, "frames": 0}

    def pump(self, timeout=0.0):
        if self.ended:
            return
        self.unsent += self.outgoing.read()
        readers = [] if self.is_deaf else [self.socket]
        writers = [self.socket] if self.unsent else []
        readable, writable, _ = select.select(readers, writers, [], timeout)
        try:
            if writable:
                del self.unsent[: self.socket.send(self.unsent)]
            if readable:
                self.take(self.socket.recv(1 << 16))
        except BlockingIOError:
            return
        except OSError:
            self.drain()
            self.ended = self.ended or "reset"

    def drain(self):
        """What arrived before the reset is still worth reading."""
        try:
            while piece := self.socket.recv(1 << 16):
                self.take(piece)
        except OSError:
            return

    def take(self, piece):
        if piece:
            self.incoming.write(piece)
        elif not self.ended:
            self.ended = "eof"
        if self.is_up:
            self.read_records()

    def read_records(self):
        try:
            while data := self.tls.read(1 << 16):
                self.plaintext += data
        except ssl.SSLWantReadError:
            pass  # the rest of a record is on its way
        except ssl.SSLZeroReturnError:
            self.ended = "closed"
        except ssl.SSLError as error:
            self.ended = "alert " + (error.reason or str(error))
        self.parse()

    def handshake(self, within=15.0):
        end = time.monotonic() + within
        while time.monotonic() < end and not self.ended:
            try:
                self.tls.do_handshake()
                self.is_up = True
                self.leaf = (self.tls.getpeercert(binary_form=True) or b"").hex()
                self.pump()
                self.read_records()
                return True
            except ssl.SSLWantReadError:
                self.pump(0.2)
            except ssl.SSLError as error:
                self.ended = "alert " + (error.reason or str(error))
                self.unsent += self.outgoing.read()
                self.flush_alert()
        return False

    def flush_alert(self):
        try:
            self.socket.send(self.unsent)
        except OSError:
            return  # the other side has hung up, and needs no alert

    def send(self, data, limit=1 << 20):
        """Hands over bytes; waits while more than `limit` of them are unsent."""
        if self.ended:
            return False
        for start in range(0, len(data), 1 << 14):
            self.tls.write(data[start:start + (1 << 14)])
        self.unsent += self.outgoing.read()
        self.pump()
        while len(self.unsent) > limit and not self.ended:
            self.pump(0.2)
        return not self.ended

    def parse(self):
        while len(self.plaintext) >= 9:
            size = int.from_bytes(self.plaintext[:3])
            if len(self.plaintext) < 9 + size:
                return
            kind, flags = self.plaintext[3], self.plaintext[4]
            stream = int.from_bytes(self.plaintext[5:9]) & 0x7FFFFFFF
            payload = bytes(self.plaintext[9:9 + size])
            del self.plaintext[:9 + size]
            self.seen["frames"] += 1
            self.received(kind, flags, stream, payload)

    def received(self, kind, flags, stream, payload):
        if kind == HEADERS:
            self.seen["statuses"][stream] = status_of(payload)
        elif kind == RST_STREAM:
            self.seen["resets"][stream] = ERRORS[int.from_bytes(payload)]
        elif kind == GOAWAY:
            code = int.from_bytes(payload[4:8])
            if self.seen["goaway"] in (None, "NO_ERROR"):
                self.seen["goaway"] = ERRORS[code]
        elif kind == DATA:
            self.seen["bytes"] += len(payload)

    def wait(self, condition=lambda: False, within=5.0):
        """Until `condition` holds or the connection ends; true when it holds."""
        end = time.monotonic() + within
        while not condition() and not self.ended and time.monotonic() < end:
            self.pump(min(0.2, max(end - time.monotonic(), 0)))
        return condition()

    def answer(self, stream, within=12.0):
        self.wait(lambda: stream in self.seen["statuses"] or stream in self.seen["resets"], within)
        return self.seen["statuses"].get(stream)
