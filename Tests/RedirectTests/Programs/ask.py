"""A client of resolvers: sends a query to each address in turn and prints what came back, as JSON.

ask.py ADDRESS... [connected] [mapped] [spoof=ADDRESS] [port=N] [bytes=N] [answer] [timeout=S]
One socket asks all of them, all before the first answer is read. `peer` is who the kernel says answered.
"""
import json, os, socket, struct, sys, time

options = dict(part.split("=", 1) for part in sys.argv[1:] if "=" in part)
flags = {"connected", "mapped", "answer"}
hosts = [part for part in sys.argv[1:] if "=" not in part and part not in flags]
flags &= set(sys.argv[1:])
v6 = ":" in hosts[0] or "mapped" in flags
sock = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(float(options.get("timeout", "1.5")))
if "port" in options:
    sock.bind(("::" if v6 else "0.0.0.0", int(options["port"])))


def query(number):
    head = struct.pack(">HH", number, 0x8180 if "answer" in flags else 0x0100) + bytes(8)
    return head + bytes(max(int(options.get("bytes", "30")) - len(head), 0))


start = time.monotonic()
try:
    answers = {}
    for number, host in enumerate(hosts):
        where = ("::ffff:" + host if "mapped" in flags else host, 53)
        if "connected" in flags:
            sock.connect(where)
            sock.send(query(number))
        else:
            sock.sendto(query(number), where)
    while len(answers) < len(hosts):
        message, peer = sock.recvfrom(65536)
        answers[struct.unpack(">H", message[:2])[0]] = (message[12:].decode(), peer[0].removeprefix("::ffff:"), peer[1])
    result = {"ok": True, "answers": [answers[number][0] for number in range(len(hosts))],
              "peers": [list(answers[number][1:]) for number in range(len(hosts))]}
    if "connected" in flags:
        result["peer"] = sock.getpeername()[:2]
except OSError as error:
    result = {"ok": False, "error": type(error).__name__}
result["seconds"] = time.monotonic() - start
print(json.dumps(result), flush=True)
