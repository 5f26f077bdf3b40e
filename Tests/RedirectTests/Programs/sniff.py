"""Collects what arrives on an interface; on SIGUSR1 prints the frames that matched since, as JSON.

sniff.py INTERFACE SOURCE...: frames with PLAINTEXT in them; from these sources also TCP from ports
50000 to 59999, fragments and extension headers.
"""
import json, signal, socket, struct, sys

interface, sources = sys.argv[1], set(sys.argv[2:])
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
sock.bind((interface, 0))
sock.settimeout(0.01)
asked, matches = [], []
signal.signal(signal.SIGUSR1, lambda *_: asked.append(True))
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
    """What gives the frame away, with its source first; `?` when it is no plain IP packet."""
    source, what, body = transport(frame) or ("?", 0, b"")
    if b"PLAINTEXT" in frame:
        return source + " payload"
    if source not in sources:
        return None
    if what == 6 and len(body) >= 20 and 50000 <= struct.unpack("!H", body[:2])[0] < 60000:
        is_bare = len(body) <= (body[12] >> 4) * 4 and not body[13] & 0x03
        return "%s %s %#x" % (source, "bare control" if is_bare else "tcp", body[13])
    if what not in (1, 6, 17, 58):
        return "%s protocol %s" % (source, what)
    return None


while True:
    try:
        frame, address = sock.recvfrom(65535)
    except TimeoutError:
        if asked:
            found = list(matches)
            asked.clear()
            matches.clear()
            print(json.dumps({"matches": found}), flush=True)
        continue
    # 4: our own, on the way out.
    if address[2] != 4 and (why := reason(frame)):
        matches.append(why)
