"""Stands in for ztunnel's half of DNS in one pod's network namespace and cgroup.

Makes the pod's two DNS sockets, sends them to descriptor 3 and keeps the only copies. Answers every
query as its resolver would: from the address and port the query was sent to, through lo.
With --ignore it takes queries and says nothing. One JSON line per query on standard output.
"""
import array, json, socket, struct, sys, threading

MARK, IPPROTO_RAW = 0x5CE10000, 255
IP_TRANSPARENT, IP_RECVORIGDSTADDR, IPV6_TRANSPARENT, IPV6_RECVORIGDSTADDR = 19, 20, 75, 74


def make(v6):
    sock = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
    if v6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVORIGDSTADDR, 1)
    sock.bind(("::1" if v6 else "127.0.0.1", 0))
    return sock


def raw(v6):
    sock = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW, IPPROTO_RAW)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
    return sock


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF or 0xFFFF


def datagram(v6, source, target, payload):
    family = socket.AF_INET6 if v6 else socket.AF_INET
    a, b = socket.inet_pton(family, source[0]), socket.inet_pton(family, target[0])
    count = 8 + len(payload)
    udp = struct.pack("!HHHH", source[1], target[1], count, 0)
    pseudo = a + b + (struct.pack("!IHBB", count, 0, 0, 17) if v6 else struct.pack("!BBH", 0, 17, count))
    udp = udp[:6] + struct.pack("!H", checksum(pseudo + udp + payload)) + payload
    if v6:
        return struct.pack("!IHBB", 0x60000000, count, 17, 64) + a + b + udp
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + count, 0, 0x4000, 64, 17, 0) + a + b + udp


def serve(sock, sender, v6):
    while True:
        query, control, _, client = sock.recvmsg(4096, 256)
        for level, kind, data in control:
            if v6 and (level, kind) == (socket.IPPROTO_IPV6, IPV6_RECVORIGDSTADDR):
                resolver = (socket.inet_ntop(socket.AF_INET6, data[8:24]), struct.unpack("!H", data[2:4])[0])
            elif not v6 and (level, kind) == (socket.IPPROTO_IP, IP_RECVORIGDSTADDR):
                resolver = (socket.inet_ntoa(data[4:8]), struct.unpack("!H", data[2:4])[0])
        print(json.dumps({"kind": "dns", "to": resolver}), flush=True)
        if "--ignore" not in sys.argv:
            answer = query[:2] + b"\x81\x80" + bytes(8) + b"ztunnel"
            sender.sendto(datagram(v6, resolver, client, answer), (client[0], 0))


def main():
    sockets = [make(False), make(True)]
    payload = b"sockets"
    rights = array.array("i", [sock.fileno() for sock in sockets])
    socket.socket(fileno=3).sendmsg([struct.pack(">I", len(payload)) + payload],
                                    [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    for v6, sock in enumerate(sockets):
        threading.Thread(target=serve, args=(sock, raw(v6), v6), daemon=True).start()
    print('{"ready": true}', flush=True)
    threading.Event().wait()


main()
