#!/usr/bin/env python3
"""Asks one URL several times, each time on a new connection, and prints one JSON line per answer.

    client.py URL TOKEN COUNT
"""

import http.client
import json
import sys
from urllib.parse import urlsplit

SECONDS = 10

url, token, count = urlsplit(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for _ in range(count):
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=SECONDS)
    try:
        connection.request("GET", f"{url.path}?{url.query}", headers={"x-demo-token": token})
        response = connection.getresponse()
        answer = {"status": response.status, "body": json.loads(response.read())}
    except (OSError, http.client.HTTPException, ValueError) as error:
        answer = {"status": 0, "error": f"{type(error).__name__}: {error}"}
    finally:
        connection.close()
    print(json.dumps(answer), flush=True)
