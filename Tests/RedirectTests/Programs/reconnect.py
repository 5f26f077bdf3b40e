"""A client that has its connection again: the same addresses and ports. reconnect.py HOST PORT LOCALPORT same|fresh

With `same` the very socket connects anew, with `fresh` another one. A JSON line for each connection; the second
comes on SIGUSR1.
"""
import ctypes, json, signal, socket, struct, sys

host, port, local, how = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
V6 = ":" in host


def make():
    sock = socket.socket(socket.AF_INET6 if V6 else socket.AF_INET, socket.SOCK_STREAM)
    sock.settimeout(8)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Ends with a reset, and so leaves no TIME_WAIT.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.bind(("::" if V6 else "0.0.0.0", local))
    return sock


def connect(sock):
    try:
        sock.connect((host, port))
        banner = b""
        while not banner.endswith(b"\n"):
            chunk = sock.recv(1)
            if not chunk:
                raise ConnectionResetError("end of file before the line")
            banner += chunk
        print(json.dumps({"ok": True, "banner": json.loads(banner), "local": sock.getsockname()[:2]}), flush=True)
    except OSError as error:
        print(json.dumps({"ok": False, "error": type(error).__name__}), flush=True)


signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
sock = make()
connect(sock)
signal.sigwait([signal.SIGUSR1])
if how == "same":
    # connect(AF_UNSPEC) takes the connection off the socket.
    if ctypes.CDLL(None, use_errno=True).connect(sock.fileno(), bytes(28), 28) != 0:
        raise OSError(ctypes.get_errno(), "connect")
else:
    sock.close()
    sock = make()
connect(sock)
signal.sigwait([signal.SIGUSR1])
