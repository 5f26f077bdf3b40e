"""Collects what arrives on an interface until SIGTERM, then prints the frames that match as JSON.

sniff.py INTERFACE PORT [SOURCE...]: frames with PLAINTEXT in them, TCP with this source port, and
fragments or extension headers from these sources.
"""
import json, signal, socket, struct, sys

interface, port = sys.argv[1], int(sys.argv[2])
sources = set(sys.argv[3:])
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
sock.bind((interface, 0))
sock.settimeout(0.05)
stopped, matches = [], []
signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
print('{"ready": true}', flush=True)


def transport(frame):
    """(source, what it is, its bytes); None when it is no IP."""
    ethertype = struct.unpack("!H", frame[12:14])[0]
    packet = frame[14:]
    if ethertype == 0x0800 and len(packet) >= 20:
        fragment = struct.unpack("!H", packet[6:8])[0] & 0x3FFF
        what = "fragment" if fragment else packet[9]
        return socket.inet_ntoa(packet[12:16]), what, packet[(packet[0] & 15) * 4:]
    if ethertype == 0x86DD and len(packet) >= 40:
        return socket.inet_ntop(socket.AF_INET6, packet[8:24]), packet[6], packet[40:]
    return None


def reason(frame):
    if b"PLAINTEXT" in frame:
        return "payload"
    found = transport(frame)
    if not found:
        return None
    source, what, body = found
    if what == 6 and len(body) >= 14 and struct.unpack("!H", body[:2])[0] == port:
        return "tcp flags %#x" % body[13]
    if source in sources and what not in (1, 6, 17, 58):
        return "protocol %s" % what
    return None


while True:
    try:
        frame, address = sock.recvfrom(65535)
    except TimeoutError:
        if stopped:
            break
        continue
    # 4: our own, on the way out.
    if address[2] != 4 and (why := reason(frame)):
        matches.append(why)
print(json.dumps({"matches": matches}), flush=True)
