"""Stands in for ztunnel in one pod's network namespace and cgroup.

Makes the six listeners (or, with --adopt, takes them over from descriptor 3), sends copies of them to
descriptor 3, and relays: outbound to the original destination, inbound to the application with the
client's address kept. One JSON line per connection on standard output.
"""
import array, errno, itertools, json, os, socket, struct, sys, threading

MARK, FIRST_PORT, LAST_PORT = 0x5CE10000, 18000, 31999
KINDS = ["outbound4", "inbound4", "hbone4", "outbound6", "inbound6", "hbone6"]
IP_TRANSPARENT, IPV6_TRANSPARENT, SO_REUSEPORT = 19, 75, 15
lock, turns = threading.Lock(), itertools.count(os.getpid())


def tell(**facts):
    with lock:
        print(json.dumps(facts), flush=True)


def is_v6(kind):
    return kind.endswith("6")


def transparent(sock, v6):
    if v6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)


def make(kind):
    v6 = is_v6(kind)
    sock = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_STREAM)
    transparent(sock, v6)
    if "--reuseport" in sys.argv:
        sock.setsockopt(socket.SOL_SOCKET, SO_REUSEPORT, 1)
    sock.bind(("::1" if v6 else "127.0.0.1", 0))
    sock.listen(4096)
    return sock


def adopt():
    _, fds, _, _ = socket.recv_fds(socket.socket(fileno=os.dup(3)), 1, 8)
    return [socket.socket(fileno=fd) for fd in fds]


def share(listeners):
    payload = b"listeners"
    control = socket.socket(fileno=os.dup(3))
    rights = array.array("i", [l.fileno() for l in listeners])
    control.sendmsg([struct.pack(">I", len(payload)) + payload],
                    [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


def dial(kind, peer, destination):
    v6 = is_v6(kind)
    sock = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_STREAM)
    sock.settimeout(0.6)
    if kind.startswith("inbound") and "--no-preserve" not in sys.argv:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        transparent(sock, v6)
        with lock:
            port = FIRST_PORT + next(turns) % (LAST_PORT - FIRST_PORT + 1)
        try:
            sock.bind((peer[0], port))
            sock.connect(destination[:2])
        except OSError as error:
            # Somebody else's, or in TIME_WAIT: the next one.
            if error.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL):
                raise
            sock.close()
            return dial(kind, peer, destination)
    else:
        sock.connect(destination[:2])
    sock.settimeout(None)
    return sock


def pump(source, target):
    try:
        while chunk := source.recv(65536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for sock in (source, target):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def serve(kind, client, peer):
    destination = client.getsockname()
    try:
        if kind.startswith("hbone"):
            client.sendall(b'{"hbone": true}\n')
            tell(kind=kind, peer=peer[:2], to=destination[:2], dial="none")
            while chunk := client.recv(65536):
                client.sendall(chunk)
            client.close()
            return
        app = dial(kind, peer, destination)
    except OSError as error:
        tell(kind=kind, peer=peer[:2], to=destination[:2], dial=type(error).__name__)
        reset(client)
        return
    tell(kind=kind, peer=peer[:2], to=destination[:2], dial="ok")
    back = threading.Thread(target=pump, args=(app, client), daemon=True)
    back.start()
    pump(client, app)
    back.join()
    client.close()
    app.close()


def accept(index, listeners):
    kind = KINDS[index]
    while True:
        try:
            client, peer = listeners[index].accept()
        except OSError as error:
            # A pod with CAP_NET_ADMIN can destroy a listener: it is made anew and told.
            tell(kind=kind, accept=error.errno)
            listeners[index] = make(kind)
            share(listeners)
            continue
        threading.Thread(target=serve, args=(kind, client, peer), daemon=True).start()


def main():
    has_v6 = os.path.exists("/proc/sys/net/ipv6")
    kinds = KINDS if has_v6 else KINDS[:3]
    listeners = adopt() if "--adopt" in sys.argv else [make(kind) for kind in kinds]
    share(listeners)
    for index in range(len(listeners)):
        threading.Thread(target=accept, args=(index, listeners), daemon=True).start()
    tell(ready=True)
    threading.Event().wait()


main()
