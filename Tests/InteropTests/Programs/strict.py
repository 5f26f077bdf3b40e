#!/usr/bin/env python3
"""h2's own state machine, which forgives nothing, inside a member's TLS.

strict.py talk CA_DIR HOST BYTES   a client: an echo of BYTES through an enrolled pod's tunnel port
strict.py serve CASE CA_DIR        a server on port 15008, where manifests promise an enrolled pod called waypoint

The client prints one line of JSON; the server "ready", and at the end of its input what h2 found wrong with clients.
"""
import json
import os
import select
import socket
import ssl
import struct
import sys
import threading
import time

sys.path.insert(0, os.environ["PEERS"])
import certificates  # noqa: E402
import tunnel  # noqa: E402
import h2.config  # noqa: E402
import h2.connection  # noqa: E402
import h2.events  # noqa: E402
import h2.exceptions  # noqa: E402
import h2.settings  # noqa: E402

CLIENT = "spiffe://cluster.local/ns/shop/sa/client"
WAYPOINT = "spiffe://cluster.local/ns/shop/sa/waypoint"
SETTINGS = h2.settings.SettingCodes


class Machine:
    """An H2Connection over a blocking TLS socket."""

    def __init__(self, secured, client_side, settings=None):
        self.socket = secured
        secured.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.machine = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=client_side, header_encoding="utf-8", validate_outbound_headers=False))
        if settings:
            # In one frame with the others: h2 holds us to a second one when we acknowledge the first.
            self.machine.local_settings = h2.settings.Settings(client=client_side, initial_values=settings)
        self.machine.initiate_connection()
        self.flush()

    def flush(self):
        self.socket.sendall(self.machine.data_to_send())

    def events(self):
        piece = self.socket.recv(1 << 16)
        if not piece:
            raise EOFError
        happened = self.machine.receive_data(piece)
        for event in happened:
            if isinstance(event, h2.events.DataReceived):
                self.machine.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self.flush()
        return happened


def talk(authority, host, count):
    started = time.monotonic()
    context = tunnel.context(False, *certificates.make(authority, "good", CLIENT))
    plain = socket.create_connection((host, 15008), 20)
    peer = Machine(context.wrap_socket(plain), True)
    machine, left = peer.machine, int(count)
    machine.send_headers(1, [(":method", "CONNECT"), (":authority", f"{host}:8080")])
    peer.flush()
    seen = {"status": None, "received": 0, "ended": False, "error": ""}
    try:
        while not seen["ended"]:
            for event in peer.events():
                if isinstance(event, h2.events.ResponseReceived):
                    seen["status"] = int(dict(event.headers)[":status"])
                    machine.send_data(1, b"echo\n")
                elif isinstance(event, h2.events.DataReceived):
                    seen["received"] += len(event.data)
                elif isinstance(event, h2.events.StreamEnded):
                    seen["ended"] = True
            while seen["status"] and left > 0 and (room := machine.local_flow_control_window(1)) > 0:
                size = min(left, room, machine.max_outbound_frame_size)
                machine.send_data(1, bytes(size))
                left -= size
                peer.flush()
                if select.select([peer.socket], [], [], 0)[0]:
                    break
            if left == 0:
                machine.end_stream(1)
                left = -1
            peer.flush()
    except (h2.exceptions.H2Error, OSError, EOFError) as error:
        seen["error"] = repr(error)
    return {**seen, "seconds": time.monotonic() - started}


class Server(Machine):
    """Echoes what comes on each stream; what else it does is a case."""

    def __init__(self, secured, case):
        self.case, self.waiting = case, {}
        super().__init__(secured, False, {
            "windows of 1000 bytes": {SETTINGS.INITIAL_WINDOW_SIZE: 1000},
            "one stream at a time": {SETTINGS.MAX_CONCURRENT_STREAMS: 1},
        }.get(case))
        self.pinged = 0

    def run(self):
        while True:
            for event in self.events():
                self.take(event)
            for stream in list(self.waiting):
                self.pour(stream)
            self.flush()

    def take(self, event):
        if isinstance(event, h2.events.RequestReceived):
            more = [("baggage", "x" * 3000)] if self.case == "long headers" else []
            self.machine.send_headers(event.stream_id, [(":status", "200"), *more])
            self.waiting[event.stream_id] = [b"", False, 0]
        elif isinstance(event, h2.events.DataReceived):
            self.waiting[event.stream_id][0] += event.data
            self.tease()
        elif isinstance(event, h2.events.StreamEnded):
            self.waiting[event.stream_id][1] = True
        elif isinstance(event, h2.events.StreamReset):
            self.waiting.pop(event.stream_id, None)

    def tease(self):
        """Nothing here breaks a rule."""
        if self.case == "PING and SETTINGS now and then" and self.pinged < 50:
            self.pinged += 1
            self.machine.ping(struct.pack("!Q", self.pinged))
            self.machine.update_settings({SETTINGS.INITIAL_WINDOW_SIZE: 20_000 + 1000 * (self.pinged % 3)})

    def pour(self, stream):
        entry = self.waiting[stream]
        padding = 100 if self.case == "padded frames" else None
        while entry[0] and (room := self.machine.local_flow_control_window(stream) - 101) > 0:
            size = min(len(entry[0]), room, self.machine.max_outbound_frame_size - 101)
            self.machine.send_data(stream, entry[0][:size], pad_length=padding)
            entry[0] = entry[0][size:]
        if entry[1] and not entry[0]:
            self.machine.end_stream(stream)
            del self.waiting[stream]


def serve(case, authority):
    context = tunnel.context(True, *certificates.make(authority, "good", WAYPOINT))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(f"{authority}/ca.crt")
    listener = socket.create_server(("::", 15008), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
    faults = []

    def guarded(plain):
        try:
            Server(context.wrap_socket(plain, server_side=True), case).run()
        except (OSError, EOFError):
            plain.close()
        except h2.exceptions.H2Error as error:
            faults.append(repr(error))
            plain.close()

    def accept():
        while True:
            threading.Thread(target=guarded, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    print("ready", flush=True)
    tunnel.wait_for_end()
    return {"faults": faults}


print(json.dumps({"talk": talk, "serve": serve}[sys.argv[1]](*sys.argv[2:])), flush=True)
