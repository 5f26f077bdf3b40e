#!/usr/bin/env python3
"""Measures a running control plane's pushes.

push.py PROTO-FOLDER HOST:PORT ROOTS TOKEN-FILE MANIFESTS PID STREAMS CHANGES

Opens STREAMS wildcard streams, each on a connection of its own, then changes one pod of one file
CHANGES times and waits each time until every stream has it. Prints, in milliseconds, the time from
the rename of the file to the first and to the last stream, and memory and processor of PID.
"""

import os
import queue
import statistics
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.environ["PEERS"])

import grpc
import grpc_tools
from grpc_tools import protoc

ADDRESS = "type.googleapis.com/istio.workload.Address"
NODE = "ztunnel~10.0.0.9~z.istio-system~istio-system.svc.cluster.local"
TICK = os.sysconf("SC_CLK_TCK")


def generate(protos, folder):
    known = os.path.join(os.path.dirname(grpc_tools.__file__), "_proto")
    files = [
        os.path.relpath(os.path.join(place, name), protos)
        for place, _, names in os.walk(protos)
        for name in names
        if name.endswith(".proto")
    ]
    if protoc.main(["protoc", f"-I{protos}", f"-I{known}", f"--python_out={folder}"] + files) != 0:
        raise SystemExit("protoc failed")
    sys.path.insert(0, folder)


def resident(pid, field="VmRSS"):
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    return 0.0


def processor(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Stream:
    """One wildcard stream that acknowledges at once and notes when each response came."""

    def __init__(self, address, roots, token, messages, index):
        self.messages = messages
        self.requests = queue.Queue()
        self.arrivals = queue.Queue()
        channel = grpc.secure_channel(
            address,
            grpc.ssl_channel_credentials(roots),
            options=[("grpc.max_receive_message_length", 200 << 20), ("bench.stream", index)],
        )
        call = channel.stream_stream(
            "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
            request_serializer=messages.DeltaDiscoveryRequest.SerializeToString,
            response_deserializer=messages.DeltaDiscoveryResponse.FromString,
        )
        first = messages.DeltaDiscoveryRequest(type_url=ADDRESS)
        first.node.id = NODE
        self.requests.put(first)
        responses = call(
            iter(self.requests.get, None), metadata=[("authorization", "Bearer " + token)]
        )
        threading.Thread(target=self.read, args=(responses,), daemon=True).start()

    def read(self, responses):
        for response in responses:
            now = time.monotonic()
            self.requests.put(
                self.messages.DeltaDiscoveryRequest(
                    type_url=ADDRESS, response_nonce=response.nonce
                )
            )
            self.arrivals.put((now, len(response.resources)))


def change(path, number):
    with open(path) as file:
        text = file.read()
    begin = text.index("version: ") + len("version: ")
    end = text.index("}", begin)
    with open(path + ".new~", "w") as file:
        file.write(text[:begin] + f"v{number}" + text[end:])
    now = time.monotonic()
    os.rename(path + ".new~", path)
    return now


def main(protos, address, roots, tokens, manifests, pid, streams, changes, folder):
    generate(protos, folder)
    from envoy.service.discovery.v3 import discovery_pb2 as messages

    with open(roots, "rb") as file:
        roots = file.read()
    with open(tokens) as file:
        token = file.read().split()[1]
    start = time.monotonic()
    opened = [Stream(address, roots, token, messages, index) for index in range(streams)]
    counts = [0] * streams
    expected = sum(
        open(os.path.join(manifests, name)).read().count("kind: ")
        for name in os.listdir(manifests)
        if name.startswith(("pods", "services"))
    )
    for index, stream in enumerate(opened):
        while counts[index] < expected:
            now, count = stream.arrivals.get(timeout=60)
            counts[index] += count
    print(f"  initial sync   {streams} streams have {expected} resources each after "
          f"{(time.monotonic() - start) * 1000:.0f} ms")
    memory, busy, begun = resident(pid), processor(pid), time.monotonic()
    first, last = [], []
    path = sorted(os.path.join(manifests, name) for name in os.listdir(manifests)
                  if name.startswith("pods"))[0]
    for number in range(changes):
        at = change(path, number + 2)
        arrivals = [stream.arrivals.get(timeout=60)[0] - at for stream in opened]
        first.append(min(arrivals) * 1000)
        last.append(max(arrivals) * 1000)
        time.sleep(0.3)
    elapsed = time.monotonic() - begun
    print(f"  to the first   median {statistics.median(first):.0f} ms, most {max(first):.0f} ms")
    print(f"  to the last    median {statistics.median(last):.0f} ms, most {max(last):.0f} ms")
    print(f"  memory         {memory:.0f} MiB after the sync, {resident(pid):.0f} MiB after "
          f"{changes} changes, {resident(pid, 'VmHWM'):.0f} MiB at most")
    print(f"  processor      {(processor(pid) - busy) / changes * 1000:.0f} ms for each change, "
          f"{(processor(pid) - busy) / elapsed * 100:.0f} % of a core at this rate")


with tempfile.TemporaryDirectory() as generated:
    main(*sys.argv[1:6], int(sys.argv[6]), int(sys.argv[7]), int(sys.argv[8]), generated)
