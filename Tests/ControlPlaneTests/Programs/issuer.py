"""An OpenID Connect issuer over HTTPS that behaves well at /good and badly at its other paths.

issuer.py FOLDER CERTIFICATE KEY

Prints its port. What is asked is written to FOLDER/asked, one path a line. FOLDER/keys.json is what it
publishes; while FOLDER/silent exists nobody gets an answer. Ends with its input.
"""

import http.server
import json
import os
import socketserver
import ssl
import sys
import threading
import time

folder, certificate, key = sys.argv[1:4]
CONFIGURATION = "/.well-known/openid-configuration"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with open(f"{folder}/asked", "a") as asked:
            asked.write(self.path + "\n")
        while os.path.exists(f"{folder}/silent"):
            time.sleep(0.05)
        base = f"https://localhost:{self.server.server_port}"
        name, _, _ = self.path[1:].partition("/")
        if self.path.endswith(CONFIGURATION):
            self.configuration(base, name)
        elif self.path == "/good/keys":
            self.answer(open(f"{folder}/keys.json", "rb").read())
        elif name == "endless":
            self.headers_only(200)
            while True:
                self.wfile.write(b" " * 65_536)
        elif name == "slow":
            self.headers_only(200, length=1_000)
            while True:
                self.wfile.write(b" ")
                time.sleep(0.05)
        elif name == "broken":
            self.headers_only(200, length=1_000)
            self.wfile.write(b'{"keys":[')
            self.close_connection = True
        else:
            self.answer(b"nothing here", 404)

    def configuration(self, base, name):
        issuer = f"{base}/good" if name == "other" else f"{base}/{name}"
        places = {
            "plain": f"http://localhost:{self.server.server_port}/good/keys",
            "moved": f"{base}/good/keys",
        }
        if name == "downgraded":
            self.redirect(f"http://localhost:{self.server.server_port}/good{CONFIGURATION}")
        elif name == "circling":
            self.redirect(self.path)
        elif name == "moved" and "?" not in self.path and not self.path.startswith("/moved/here"):
            self.redirect("/moved/here" + CONFIGURATION)
        else:
            document = {"issuer": issuer, "jwks_uri": places.get(name, f"{base}/{name}/keys")}
            self.answer(json.dumps(document).encode())

    def redirect(self, place):
        self.send_response(302)
        self.send_header("Location", place)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, body, status=200):
        self.headers_only(status, len(body))
        self.wfile.write(body)

    def headers_only(self, status, length=None):
        self.send_response(status)
        if length is None:
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, address):
        pass


server = Server(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
# The handshake is the thread's own affair, not that of accept.
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
os._exit(0)
