#!/usr/bin/env python3
"""One service of a bookshop, as a small real HTTP server.

    productpage -> details
                -> reviews (v2, v3) -> ratings

Each answer names the client's address as the server saw it, repeats the request's token and adds
this server's own marker, so that whoever reads the wire can say whether it is readable.

    bookinfo.py ROLE VERSION DIRECTORY.json      DIRECTORY: where the others live, by name
"""

import http.client
import json
import os
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PORT = 9080
UPSTREAM_SECONDS = 3
TOKEN_HEADER = "x-demo-token"
UPSTREAMS = {
    ("productpage", "v1"): ["details", "reviews"],
    ("reviews", "v2"): ["ratings"],
    ("reviews", "v3"): ["ratings"],
}
CONTENT = {
    "productpage": {"title": "The Comedy of Errors"},
    "details": {"author": "William Shakespeare", "pages": 200},
    "reviews": {"review": "An extremely entertaining play."},
    "ratings": {"stars": 5},
}

role, version, directory_path = sys.argv[1:4]
marker = os.environ["DEMO_MARKER"]
with open(directory_path, encoding="utf-8") as file:
    directory = json.load(file)


def ask(name: str, how: dict[str, str], token: str) -> dict:
    """What another service answers; an error is part of the answer, for the page still shows."""
    address = directory[name][how["via"]][how["family"]]
    connection = http.client.HTTPConnection(address, PORT, timeout=UPSTREAM_SECONDS)
    try:
        query = "&".join(f"{key}={value}" for key, value in how.items())
        connection.request("GET", f"/{name}?{query}", headers={TOKEN_HEADER: token})
        response = connection.getresponse()
        return json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    finally:
        connection.close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        how = {
            "via": query.get("via", ["service"])[0],
            "family": query.get("family", ["4"])[0],
        }
        token = self.headers.get(TOKEN_HEADER, "")
        answer = {
            "service": role,
            "version": version,
            "client": self.client_address[0].removeprefix("::ffff:"),
            "token": token,
            "marker": marker,
            **CONTENT[role],
        }
        for name in UPSTREAMS.get((role, version), []):
            answer[name] = ask(name, how, token)
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing: the demonstration prints what it checked instead."""


class Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no event."""


if __name__ == "__main__":
    threading.stack_size(512 * 1024)
    Server(("::", PORT), Handler).serve_forever()
