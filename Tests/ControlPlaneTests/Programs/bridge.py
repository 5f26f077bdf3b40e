"""Speaks to a control plane with Google's own gRPC and Protobuf, for one line of JSON after another.

bridge.py PROTO-FOLDER HOST:PORT ROOTS-PEM

In: {"do": "open", "token": ...}, {"do": "send", "request": {...}}, {"do": "raw", "bytes": hex},
{"do": "next", "seconds": 5}, {"do": "close"}, {"do": "create", "token": ..., "request": {...}}.
Out: one line for each: {"response": {...}}, {"status": "NAME", "message": ...}, {"quiet": true}.
Messages are Protobuf's JSON. The Python of the messages is made from our proto files, in a folder
that is gone at the end.
"""

import json
import os
import queue
import sys
import tempfile
import threading

sys.path.insert(0, os.environ["PEERS"])

import grpc
import grpc_tools
from grpc_tools import protoc


def generate(protos, folder):
    """Compiles every proto file, so that nothing of our generated Swift is relied on."""
    files = sorted(
        os.path.relpath(os.path.join(place, name), protos)
        for place, _, names in os.walk(protos)
        for name in names
        if name.endswith(".proto")
    )
    known = os.path.join(os.path.dirname(grpc_tools.__file__), "_proto")
    if protoc.main(["protoc", f"-I{protos}", f"-I{known}", f"--python_out={folder}"] + files) != 0:
        raise SystemExit("protoc failed")
    sys.path.insert(0, folder)


def main(protos, address, roots, folder):
    generate(protos, folder)
    from envoy.service.discovery.v3 import discovery_pb2
    from google.protobuf import json_format
    from istio.security import authorization_pb2  # noqa: F401, so that Any can be read
    from istio.v1.auth import certificate_pb2
    from istio.workload import workload_pb2  # noqa: F401

    with open(roots, "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    channel = grpc.secure_channel(
        address, credentials, options=[("grpc.max_receive_message_length", 200 << 20)]
    )
    discover = channel.stream_stream(
        "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
        request_serializer=lambda request: request,
        response_deserializer=discovery_pb2.DeltaDiscoveryResponse.FromString,
    )
    create = channel.unary_unary(
        "/istio.v1.auth.IstioCertificateService/CreateCertificate",
        request_serializer=certificate_pb2.IstioCertificateRequest.SerializeToString,
        response_deserializer=certificate_pb2.IstioCertificateResponse.FromString,
    )

    def metadata(command):
        token = command.get("token")
        return [("authorization", "Bearer " + token)] if token else []

    def status(error):
        return {"status": error.code().name, "message": error.details()}

    def read(call, answers):
        try:
            for response in call:
                answers.put({"response": json_format.MessageToDict(response)})
            answers.put({"status": "OK", "message": ""})
        except grpc.RpcError as error:
            answers.put(status(error))

    requests = answers = None
    for line in sys.stdin:
        command = json.loads(line)
        answer = {"done": True}
        match command["do"]:
            case "open":
                requests, answers = queue.Queue(), queue.Queue()
                call = discover(iter(requests.get, None), metadata=metadata(command))
                threading.Thread(target=read, args=(call, answers), daemon=True).start()
            case "send":
                message = discovery_pb2.DeltaDiscoveryRequest()
                json_format.ParseDict(command["request"], message)
                requests.put(message.SerializeToString())
            case "raw":
                requests.put(bytes.fromhex(command["bytes"]))
            case "next":
                try:
                    answer = answers.get(timeout=command.get("seconds", 10))
                except queue.Empty:
                    answer = {"quiet": True}
            case "close":
                requests.put(None)
            case "create":
                message = certificate_pb2.IstioCertificateRequest()
                json_format.ParseDict(command["request"], message)
                try:
                    response = create(message, metadata=metadata(command), timeout=10)
                    answer = {"response": json_format.MessageToDict(response)}
                except grpc.RpcError as error:
                    answer = status(error)
        print(json.dumps(answer), flush=True)


with tempfile.TemporaryDirectory() as generated:
    main(sys.argv[1], sys.argv[2], sys.argv[3], generated)
