"""An application: echoes, after one JSON line that says whom it sees. serve.py PORT [address=][mark=][device=]"""
import json, socket, sys, threading

options = dict(part.split("=", 1) for part in sys.argv[2:])
address = options.get("address", "::")
server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if address == "::":
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
if "mark" in options:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, int(options["mark"], 0))
if "device" in options:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, options["device"].encode() + b"\0")
server.bind((address, int(sys.argv[1])))
server.listen(4096)
print('{"ready": true}', flush=True)


def plain(address):
    return [address[0].removeprefix("::ffff:"), address[1]]


def serve(client, peer):
    try:
        client.sendall((json.dumps({"peer": plain(peer), "local": plain(client.getsockname())}) + "\n").encode())
        while chunk := client.recv(65536):
            client.sendall(chunk)
    except OSError:
        pass
    client.close()


while True:
    client, peer = server.accept()
    threading.Thread(target=serve, args=(client, peer), daemon=True).start()
