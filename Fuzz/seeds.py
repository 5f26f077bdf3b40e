#!/usr/bin/env python3
"""Writes Fuzz/Seeds: small inputs from which the fuzzers start. Run by hand when a format changes."""
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))


def write(target, name, data):
    folder = os.path.join(HERE, "Seeds", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    return bytes([0, len(name)]) + name + bytes([len(value)]) + value


def blocks(*parts):
    return b"".join(struct.pack(">H", len(part)) + part for part in parts)


CONNECT = literal(b":method", b"CONNECT") + literal(b":authority", b"10.0.0.7:80")
BAGGAGE = bytes([0x40, 7]) + b"baggage" + bytes([3]) + b"a=b"
OK = bytes([0x88])
SETTINGS = frame(4, 0, 0, struct.pack(">HIHIHI", 3, 100, 4, 65536, 5, 16384))

# RFC 7541, appendix C, and the corners of its integers and tables.
write("HPACK", "requests", blocks(
    bytes.fromhex("828684410f7777772e6578616d706c652e636f6d"), bytes.fromhex("828684be58086e6f2d6361636865")))
write("HPACK", "huffman", blocks(
    bytes.fromhex("828684418cf1e3c2e5f23a6ba0ab90f4ff"), bytes.fromhex("828684be5886a8eb10649cbf"),
    bytes.fromhex("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf")))
write("HPACK", "sizes", blocks(bytes.fromhex("203fe11f82"), BAGGAGE, bytes.fromhex("3f01be"), BAGGAGE + b"\xbe"))
write("HPACK", "never", blocks(bytes.fromhex("100870617373776f726406736563726574")))
write("Huffman", "text", bytes.fromhex("f1e3c2e5f23a6ba0ab90f4ff"))
write("Huffman", "long", bytes(range(256)))
write("Huffman", "end", bytes.fromhex("fffffffc"))


def connection(name, first, piece, data, choices=bytes([1, 0, 4, 7, 2, 9, 11, 13, 0, 8, 14, 3, 6, 5])):
    write("Connection", name, bytes([first, piece]) + choices + data)


SERVER, CLIENT, RAW, SMALL = 0, 1, 2, 4
TUNNEL = frame(1, 4, 1, CONNECT + BAGGAGE)
connection("tunnel", SERVER, 255, SETTINGS + TUNNEL + frame(0, 0, 1, b"hello") + frame(0, 1, 1, b""))
connection("pieces", SERVER, 3, TUNNEL + frame(0, 8, 1, b"\x04data....") + frame(3, 0, 1, struct.pack(">I", 8)))
connection("preface", SERVER | RAW, 9, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SETTINGS + TUNNEL)
connection("many", SERVER | SMALL, 200, b"".join(
    frame(1, 4, 2 * n + 1, CONNECT) + frame(0, 0, 2 * n + 1, b"x" * 300) for n in range(6)))
connection("continued", SERVER, 50, frame(1, 0, 1, CONNECT[:9]) + frame(9, 0, 1, CONNECT[9:20]) + frame(
    9, 4, 1, CONNECT[20:]) + frame(1, 0x2c, 3, b"\x02\0\0\0\0\x10" + CONNECT + b"\0\0"))
connection("control", SERVER, 255, frame(6, 0, 0, b"12345678") + frame(6, 1, 0, b"skeindrn") + frame(
    8, 0, 0, struct.pack(">I", 70000)) + frame(2, 0, 1, b"\0\0\0\0\x10") + frame(0x77, 0, 9, b"any") + frame(4, 1, 0))
connection("answers", CLIENT, 255, frame(1, 4, 1, OK + BAGGAGE) + frame(0, 0, 1, b"hello") + frame(
    8, 0, 1, struct.pack(">I", 500)) + frame(1, 5, 3, literal(b":status", b"401")) + frame(
    1, 4, 5, literal(b":status", b"103")) + frame(1, 4, 5, OK) + frame(0, 1, 5, b"end"))
connection("goaway", CLIENT, 255, frame(1, 4, 1, OK) + frame(7, 0, 0, struct.pack(">II", 1, 0) + b"bye") + frame(
    0, 0, 1, b"late"))
connection("settings", CLIENT | SMALL, 40, frame(4, 1, 0) + frame(4, 0, 0, struct.pack(">HIHI", 4, 10, 1, 0)) + frame(
    1, 4, 1, OK) + frame(8, 0, 1, struct.pack(">I", 9)) + frame(4, 0, 0, struct.pack(">HI", 4, 100000)))

for number, text in enumerate((b"10.0.0.7:8080", b"[fd00::7]:80", b"[::ffff:1.2.3.4]:1", b"reviews.shop.svc:9080", b"a_b.:1")):
    write("ConnectAuthority", f"{number}", text)

# Format 2, each case, fields of zeros and of small numbers.
for case in range(16):
    write("AgentProtocol", f"{case:02}-zeros", bytes([2, case]) + bytes(24))
    write("AgentProtocol", f"{case:02}-ones", bytes([2, case]) + b"\x01a" * 24)
# A trust of one list and one bundle, and one without lists.
write("AgentProtocol", "trust-lists", bytes([2, 9, 7, 2, 1, 3]) + b"CRL" + bytes([1, 1]) + b"b" + bytes([1, 2]) + b"ca")
write("AgentProtocol", "trust-unknown", bytes([2, 9, 7, 1, 4]) + b"gone" + bytes([0]))

POD = b"""apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}, annotations: {skein.dev/netns: web}}
spec: {nodeName: a, serviceAccountName: web}
status: {podIPs: [{ip: 10.0.0.7}, {ip: "fd00::7"}]}
"""
SERVICE = b"""apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  clusterIPs: [10.96.0.1]
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
"""
POLICY = b"""apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: one, namespace: shop}
spec:
  action: DENY
  rules:
  - from: [{source: {principals: ["cluster.local/ns/*"], notIpBlocks: [10.0.0.0/8]}}]
    to: [{operation: {ports: ["80"]}}]
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: shop}
spec: {mtls: {mode: STRICT}, portLevelMtls: {80: {mode: PERMISSIVE}}}
"""
write("ManifestText", "pod", POD)
write("ManifestText", "all", POD + b"---\n" + SERVICE + b"---\n" + POLICY)
write("ManifestText", "anchors", b"a: &x [1, 2]\nb: *x\nc: {<<: {d: |\n  text\n}}\n")
write("ManifestText", "json", b'{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", '
      b'"labels": {"istio.io/dataplane-mode": "ambient"}}}')


# DNS: the first byte chooses between a client's message and a query with its answer.
def question(host, kind=1, edns=None, case=lambda name: name):
    name = b"".join(bytes([len(part)]) + case(part).encode() for part in host.split(".") if part) + b"\0"
    head = struct.pack(">HHHHHH", 0x1234, 0x0100, 1, 0, 0, 0 if edns is None else 1)
    tail = b"" if edns is None else b"\0" + struct.pack(">HHIH", 41, edns, 0x8000, 0)
    return head + name + struct.pack(">HH", kind, 1) + tail


for number, (host, kind, edns) in enumerate([
        ("web", 1, None), ("web.shop.svc.cluster.local", 28, 1232), ("db", 1, 512), ("db.shop", 33, 4096),
        ("_80._tcp.web.shop.svc.cluster.local", 33, None), ("db-3.db.shop", 1, None),
        ("10-0-0-7.shop.pod.cluster.local", 1, None), ("a.wild.example", 1, None),
        ("api.example.com.shop.svc.cluster.local", 1, 1232), ("", 255, None)]):
    write("DNS", f"query-{number}", b"\0" + question(host, kind, edns))
asked = question("www.example.org", 1, 1232)
reply = b"\x42\x42\x81\x80" + asked[4:-11] + b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes(4)
write("DNS", "answer", bytes([len(asked) | 1]) + asked[:len(asked) | 1] + reply)


# Protocol buffers by hand: what a control plane and a node say to one another.
def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def wds(name, *messages):
    """Each message: 0 a response to a client, 1 a request to a server, then two bytes of length."""
    write("WDS", name, b"".join(bytes([kind]) + struct.pack(">H", len(body)) + body for kind, body in messages))


ADDRESS = b"type.googleapis.com/istio.workload.Address"
AUTHORIZATION = b"type.googleapis.com/istio.security.Authorization"
WORKLOAD = (
    field(20, b"k//Pod/shop/web") + field(1, b"web") + field(2, b"shop") + field(3, bytes([10, 0, 0, 7]))
    + field(5, 1) + field(8, field(1, field(1, b"shop") + field(2, b"way")) + field(3, 15008))
    + field(16, b"shop/one") + field(22, field(1, b"shop/web.svc") + field(2, field(1, field(1, 80) + field(2, 8080))))
    + field(23, field(1, 1) + field(2, 15088)) + field(27, field(1, 3)))
SERVICE = (
    field(1, b"web") + field(2, b"shop") + field(3, b"web.svc") + field(4, field(2, bytes([10, 96, 0, 0])) + field(3, 16))
    + field(5, field(1, 80) + field(2, 8080)) + field(6, b"spiffe://cluster.local/ns/shop/sa/web")
    + field(8, field(1, bytes([6, 1])) + field(2, 2) + field(3, 1)) + field(13, field(1, field(2, field(2, bytes(4)))) + field(2, 5)))
POLICY = (
    field(1, b"one") + field(2, b"shop") + field(3, 2) + field(4, 1) + field(5, field(1, field(2, field(3, field(2, b"td/"))
    + field(5, field(1, bytes([10, 0, 0, 0])) + field(2, 8)) + field(9, bytes([80])) + field(4, field(4, b""))))))


def resource(name, kind, content):
    return field(2, field(1, b"1") + field(2, field(1, kind) + field(2, content)) + field(3, name))


ADDRESSES = (resource(b"k//Pod/shop/web", ADDRESS, field(1, WORKLOAD)) + resource(b"shop/web.svc", ADDRESS, field(2, SERVICE))
             + field(4, ADDRESS) + field(5, b"1"))
POLICIES = resource(b"shop/one", AUTHORIZATION, POLICY) + field(4, AUTHORIZATION) + field(5, b"2")
NODE = field(1, field(1, b"ztunnel~10.0.0.9~a.b~b.svc.c") + field(3, field(1, field(1, b"NODE_NAME") + field(2, field(3, b"one")))))
wds("responses", (0, ADDRESSES), (0, POLICIES), (0, field(4, ADDRESS) + field(6, b"shop/web.svc")))
wds("twice", (0, ADDRESSES + resource(b"shop/web.svc", ADDRESS, field(1, WORKLOAD))))
wds("requests", (1, NODE + field(2, ADDRESS)), (1, field(2, ADDRESS) + field(6, b"1")),
    (1, field(2, AUTHORIZATION) + field(5, field(1, b"shop/p") + field(2, b"1"))))
wds("ondemand", (1, NODE + field(2, ADDRESS) + field(3, b"*") + field(4, b"*")),
    (1, field(2, ADDRESS) + field(3, b"/10.0.0.7") + field(3, b"shop/web.svc")),
    (1, field(2, ADDRESS) + field(6, b"1") + field(7, field(1, 3) + field(2, b"no"))),
    (1, field(2, ADDRESS) + field(3, b"*")), (1, field(2, ADDRESS) + field(4, b"*") + field(6, b"2")))

# Watches and lists of the Kubernetes API: chance, size of the pieces, text.
POD = (b'{"metadata":{"name":"web","namespace":"shop","resourceVersion":"7","managedFields":[{"f:a":{}}],'
       b'"labels":{"app":"web"}},"spec":{"nodeName":"a","containers":[{"name":"c"}]},'
       b'"status":{"phase":"Running","podIPs":[{"ip":"10.0.0.1"}]}}')
EVENT = b'{"type":"%s","object":%s}\n'
write("WatchLines", "lines", b"\x10\xff" + EVENT % (b"ADDED", POD) + EVENT % (b"MODIFIED", POD) + EVENT % (b"DELETED", POD))
write("WatchLines", "pieces", b"\x80\x03" + EVENT % (b"BOOKMARK", b'{"metadata":{"resourceVersion":"9"}}') + EVENT % (b"ADDED", POD))
write("WatchLines", "error", b"\x80\x20" + EVENT % (
    b"ERROR", b'{"code":410,"reason":"Expired","message":"\\u00e4","details":{"retryAfterSeconds":1}}'))
write("WatchLines", "list", b"\x00\x00" + b'{"kind":"PodList","metadata":{"resourceVersion":"5","continue":"x"},"items":[%s]}' % POD)
write("WatchLines", "empty", b"\x00\x00" + b'{"metadata":{"resourceVersion":"5"},"items":null}')


def text(value):
    return struct.pack(">H", len(value)) + value


RESULT = b'{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.7/24"},{"address":"fd00::7/64"}]}'
write("CNI", "configuration", b'{"cniVersion":"1.0.0","name":"n","type":"skein-cni","agentSocket":"/s","enrolledFile":"/e",'
      b'"failOpenWithoutList":true,"prevResult":' + RESULT + b"}")
write("CNI", "list", b'{"cniVersion":"0.4.0","name":"n","plugins":[{"type":"bridge","mtu":1.5e3},{"type":"skein-cni"}]}')
write("CNI", "single", b'{"cniVersion":"0.3.1","name":"n","type":"bridge","x":["\\u00e9\\ud83d\\ude00",null,-0.1]}')
write("CNI", "enrolled", b'{"version":1,"namespaces":["bank","shop"]}')
write("CNI", "request", b"\1\1" + b"".join(
    text(part) for part in (b"c", b"/run/netns/x", b"eth0", b"shop", b"web", b"u")) + b"\1" + text(b"10.0.0.7"))
write("CNI", "answer", b"\1\3" + text(b"no"))
