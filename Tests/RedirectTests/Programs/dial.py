"""A client: connects, reads the line, sends a word, reads it back, and prints what happened as JSON.

dial.py ADDRESS PORT [device=][mark=][bind=][port=][timeout=][mptcp][tfo][nonblocking][uring][times=N][parallel=N]
[word=] [hold]: keeps the connection open, and tries it again on SIGUSR1. [load]: connects until SIGTERM.
"""
import ctypes, json, mmap, select, signal, socket, struct, sys, threading, time

host, port = sys.argv[1], int(sys.argv[2])
options = dict(part.split("=", 1) for part in sys.argv[3:] if "=" in part)
flags = {part for part in sys.argv[3:] if "=" not in part}
timeout = float(options.get("timeout", "1.5"))
MSG_FASTOPEN, IPPROTO_MPTCP = 0x20000000, 262


def make():
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, IPPROTO_MPTCP if "mptcp" in flags else 0)
    sock.settimeout(timeout)
    if "device" in options:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, options["device"].encode() + b"\0")
    if "mark" in options:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, int(options["mark"], 0))
    if "bind" in options or "port" in options:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((options.get("bind", "::" if family == socket.AF_INET6 else "0.0.0.0"),
                   int(options.get("port", "0"))))
    return sock


def connect_by_uring(sock):
    """IORING_OP_CONNECT, with the rings laid out by hand. Source: linux/io_uring.h."""
    libc = ctypes.CDLL(None, use_errno=True)
    parameters = ctypes.create_string_buffer(120)
    ring = libc.syscall(425, 1, parameters)
    if ring < 0:
        raise OSError(ctypes.get_errno(), "io_uring_setup")
    _, tail, mask, _, _, _, array = struct.unpack_from("7I", parameters, 40)
    queue = mmap.mmap(ring, 4096, offset=0)
    entries = mmap.mmap(ring, 4096, offset=0x10000000)
    if ":" in host:
        address = struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, 0) + \
            socket.inet_pton(socket.AF_INET6, host) + bytes(4)
    else:
        address = struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(host) + bytes(8)
    text = ctypes.create_string_buffer(address, len(address))
    entries[:64] = struct.pack("=BBHiQQ", 16, 0, 0, sock.fileno(), len(address), ctypes.addressof(text)) + bytes(40)
    index = struct.unpack_from("I", queue, tail)[0]
    struct.pack_into("I", queue, array + 4 * (index & struct.unpack_from("I", queue, mask)[0]), 0)
    struct.pack_into("I", queue, tail, index + 1)
    if libc.syscall(426, ring, 1, 1, 1, None, 0) < 0:
        raise OSError(ctypes.get_errno(), "io_uring_enter")


def read_line(sock):
    line = b""
    while not line.endswith(b"\n"):
        chunk = sock.recv(1)
        if not chunk:
            raise ConnectionResetError("end of file before the line")
        line += chunk
    return json.loads(line)


def once(word=options.get("word", "ping").encode()):
    start = time.monotonic()
    sock = make()
    try:
        if "tfo" in flags:
            sock.sendto(word, MSG_FASTOPEN, (host, port))
        elif "nonblocking" in flags:
            sock.setblocking(False)
            sock.connect_ex((host, port))
            select.select([], [sock], [], timeout)
            sock.settimeout(timeout)
            sock.send(word)
        elif "uring" in flags:
            connect_by_uring(sock)
            sock.sendall(word)
        else:
            sock.connect((host, port))
            sock.sendall(word)
        banner = read_line(sock)
        echo = b""
        while len(echo) < len(word):
            chunk = sock.recv(len(word) - len(echo))
            if not chunk:
                raise ConnectionResetError("end of file before the echo")
            echo += chunk
        return sock, {"ok": echo == word, "banner": banner, "local": sock.getsockname()[:2],
                      "peer": sock.getpeername()[:2], "seconds": time.monotonic() - start}
    except OSError as error:
        return sock, {"ok": False, "error": type(error).__name__, "seconds": time.monotonic() - start}


def repeat(times, results):
    for _ in range(times):
        sock, result = once(b"x")
        sock.close()
        results.append(result)


def until_told(results, stop):
    while not stop.is_set():
        sock, result = once(b"x")
        sock.close()
        results.append(result)


def summary(results):
    failures = [r for r in results if not r["ok"]]
    print(json.dumps({"count": len(results), "failures": len(failures),
                      "errors": sorted({r["error"] for r in failures}),
                      "slowest": max((r["seconds"] for r in results), default=0)}), flush=True)


if "hold" in flags:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    sock, result = once()
    print(json.dumps(result), flush=True)
    signal.sigwait([signal.SIGUSR1])
    try:
        sock.sendall(b"again")
        got = sock.recv(64)
        print(json.dumps({"ok": got == b"again", "error": "" if got else "EOF"}), flush=True)
    except OSError as error:
        print(json.dumps({"ok": False, "error": type(error).__name__}), flush=True)
elif "load" in flags:
    # Connects without pause until SIGTERM.
    stop, results = threading.Event(), []
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threads = [threading.Thread(target=until_told, args=(results, stop))
               for _ in range(int(options.get("parallel", "4")))]
    print('{"ready": true}', flush=True)
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(0.05)
    summary(results)
elif "times" in options:
    results = []
    threads = [threading.Thread(target=repeat, args=(int(options["times"]), results))
               for _ in range(int(options.get("parallel", "1")))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    summary(results)
else:
    print(json.dumps(once()[1]), flush=True)
