#!/usr/bin/env python3
"""Becomes Envoy with a mesh identity: envoy.py CA_DIR IDENTITY [NAME=VALUE...]

serve=PORT            terminates HBONE on port 15008 as a waypoint does; 0 sends each CONNECT where its :authority
                      says, another number to that port of this pod
originate=PORT,TARGET,IDENTITY
                      listens on 127.0.0.1:PORT and carries each connection to TARGET through HBONE at TARGET's
                      port 15008, which must have IDENTITY; may be there several times
stream-window=, connection-window=, streams=, ping=SECONDS, ping-answer=SECONDS
                      of HTTP/2, both ways; what is not named is as a waypoint has it
requests=COUNT        requests after which a tunnel connection is given up with GOAWAY (server)
drain=SECONDS         from GOAWAY to resetting what still runs (server)

Its admin interface is at 127.0.0.1:9901, its access log on standard output: one JSON object a connection.
"""
import json
import os
import sys
import tempfile

import certificates

EXTENSIONS = "envoy.extensions."
ADMIN_PORT, HBONE_PORT = 9901, 15008
UNLIMITED = 1_000_000


def typed(name, **fields):
    return {"@type": f"type.googleapis.com/{EXTENSIONS}{name}", **fields}


def address(text):
    host, port = text.rsplit(":", 1)
    return {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}


def file(path):
    return {"filename": path}


class Configuration:
    def __init__(self, authority, identity, options):
        self.root = f"{authority}/ca.crt"
        self.chain, self.key = certificates.make(authority, "good", identity)
        self.options = {name: value for name, value in options if name != "originate"}
        self.origins = [value.split(",") for name, value in options if name == "originate"]

    def number(self, name, otherwise):
        return int(self.options.get(name, otherwise))

    def tls(self, validation):
        return {
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
            "alpn_protocols": ["h2"],
            "tls_certificates": [{"certificate_chain": file(self.chain), "private_key": file(self.key)}],
            "validation_context": {"trusted_ca": file(self.root), **validation}}

    def subject(self, **match):
        return {"match_typed_subject_alt_names": [{"san_type": "URI", "matcher": match}]}

    def http2(self):
        """Envoy's own defaults where a waypoint sets nothing (16 MiB and 24 MiB of window)."""
        ping, answer = self.number("ping", 10), self.number("ping-answer", 20)
        return {
            "initial_stream_window_size": self.number("stream-window", 16 << 20),
            "initial_connection_window_size": self.number("connection-window", 24 << 20),
            "max_concurrent_streams": self.number("streams", 100),
            "connection_keepalive": {"interval": f"{ping}s", "timeout": f"{answer}s"}}

    def access_log(self, **fields):
        form = {"flags": "%RESPONSE_FLAGS%", "failure": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
                "sent": "%BYTES_SENT%", "received": "%BYTES_RECEIVED%", **fields}
        return [{"name": "log", "typed_config": typed(
            "access_loggers.stream.v3.StdoutAccessLog", log_format={"json_format": form})}]

    def cluster(self, name, **fields):
        limits = {"max_connections": UNLIMITED, "max_pending_requests": UNLIMITED, "max_requests": UNLIMITED}
        return {"name": name, "connect_timeout": "5s", "circuit_breakers": {"thresholds": [limits]}, **fields}

    def static(self, name, target, **fields):
        endpoint = {"endpoint": {"address": address(target)}}
        load = {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}
        return self.cluster(name, load_assignment=load, **fields)

    # --- connect_terminate ---

    def terminating(self):
        route = {
            "match": {"connect_matcher": {}},
            "route": {"cluster": "application", "timeout": "0s",
                      "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}]}}
        common = {"idle_timeout": "3600s"}
        if "requests" in self.options:
            common["max_requests_per_connection"] = self.number("requests", 0)
        manager = typed(
            "filters.network.http_connection_manager.v3.HttpConnectionManager",
            stat_prefix="terminate", codec_type="HTTP2", stream_idle_timeout="0s",
            drain_timeout=f"{self.number('drain', 5)}s",
            http2_protocol_options={**self.http2(), "allow_connect": True}, common_http_protocol_options=common,
            upgrade_configs=[{"upgrade_type": "CONNECT"}],
            access_log=self.access_log(
                kind="terminate", status="%RESPONSE_CODE%",
                authority="%REQ(:AUTHORITY)%",
                peer="%DOWNSTREAM_PEER_URI_SAN%", source="%DOWNSTREAM_REMOTE_ADDRESS%",
                forwarded="%REQ(FORWARDED)%", baggage="%REQ(BAGGAGE)%"),
            http_filters=[{"name": "router", "typed_config": typed(
                "filters.http.router.v3.Router", suppress_envoy_headers=True)}],
            route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]})
        domain = self.subject(prefix="spiffe://cluster.local/")
        socket = typed(
            "transport_sockets.tls.v3.DownstreamTlsContext", require_client_certificate=True,
            common_tls_context=self.tls(domain))
        everywhere = {"socket_address": {"address": "::", "port_value": HBONE_PORT, "ipv4_compat": True}}
        return {
            "name": "connect_terminate", "address": everywhere, "connection_balance_config": {"exact_balance": {}},
            "filter_chains": [{
                "filters": [{"name": "http", "typed_config": manager}],
                "transport_socket": {"name": "tls", "typed_config": socket}}]}

    def application(self):
        port = self.number("serve", 0)
        if port:
            return self.static("application", f"127.0.0.1:{port}")
        by_authority = {"use_http_header": True, "http_header_name": ":authority"}
        return self.cluster(
            "application", type="ORIGINAL_DST", lb_policy="CLUSTER_PROVIDED", original_dst_lb_config=by_authority)

    # --- connect_originate ---

    def originating(self, port, target, _):
        proxy = typed(
            "filters.network.tcp_proxy.v3.TcpProxy", stat_prefix=f"originate_{port}", cluster=f"to_{port}",
            tunneling_config={"hostname": target, "propagate_response_headers": True},
            access_log=self.access_log(
                kind="originate", headers="%FILTER_STATE(envoy.tcp_proxy.propagate_response_headers:TYPED)%"))
        return {
            "name": f"originate_{port}", "address": address(f"127.0.0.1:{port}"),
            "filter_chains": [{"filters": [{"name": "tcp", "typed_config": proxy}]}]}

    def upstream(self, port, target, identity):
        options = typed(
            "upstreams.http.v3.HttpProtocolOptions",
            common_http_protocol_options={"idle_timeout": "3600s"},
            explicit_http_config={"http2_protocol_options": self.http2()})
        socket = typed(
            "transport_sockets.tls.v3.UpstreamTlsContext", common_tls_context=self.tls(self.subject(exact=identity)))
        return self.static(
            f"to_{port}", f"{target.rsplit(':', 1)[0]}:{HBONE_PORT}",
            transport_socket={"name": "tls", "typed_config": socket},
            typed_extension_protocol_options={EXTENSIONS + "upstreams.http.v3.HttpProtocolOptions": options})

    def whole(self):
        listeners = [self.originating(*origin) for origin in self.origins]
        clusters = [self.upstream(*origin) for origin in self.origins]
        if "serve" in self.options:
            listeners.append(self.terminating())
            clusters.append(self.application())
        return {
            "admin": {"address": address(f"127.0.0.1:{ADMIN_PORT}")},
            "static_resources": {"listeners": listeners, "clusters": clusters}}


def main():
    authority, identity, *words = sys.argv[1:]
    configuration = Configuration(authority, identity, [tuple(word.split("=", 1)) for word in words])
    with tempfile.NamedTemporaryFile("w", dir=f"{authority}-peers", suffix=".json", delete=False) as made:
        json.dump(configuration.whole(), made)
    program = os.environ["ENVOY_BIN"]
    os.execv(program, [
        program, "-c", made.name, "--concurrency", "2", "--disable-hot-restart", "--log-level", "warning",
        "--drain-time-s", "4", "--drain-strategy", "immediate", "--file-flush-interval-msec", "200"])


main()
