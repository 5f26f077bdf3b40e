#!/usr/bin/env python3
"""Medians and ranges of bench results as a Markdown table, with each peer's ratio to Envoy: table.py FILE..."""
import json
import statistics
import sys

BASE = "envoy"


def cpu(result):
    return result["cpu_a"] + result["cpu_b"]


def per_request(result):
    return cpu(result) * 1e6 / (result["rps"] * result["secs"])


def per_connection(result):
    return cpu(result) * 1e6 / (result["cps"] * result["secs"])


ROWS = [
    (f"{title} Gbit/s", key, lambda r: r["gbps"], "{:.1f}")
    for title, key in (("bulk down 1", "bulk_d1"), ("bulk up 1", "bulk_u1"), ("bulk down 8", "bulk_d8"))
] + [
    ("bulk down 8 proxy CPU-s/GB", "bulk_d8", lambda r: cpu(r) / r["gbytes"], "{:.2f}"),
    ("RR 1 conn 64 B /s", "rr1", lambda r: r["rps"], "{:.0f}"),
    ("RR 64 conns 64 B /s", "rr64", lambda r: r["rps"], "{:.0f}"),
    ("RR 64 conns p99 us", "rr64", lambda r: r["p99"], "{:.0f}"),
    ("RR 64 conns proxy CPU us/request", "rr64", per_request, "{:.1f}"),
    ("RR 16 conns 64 B -> 16 KiB /s", "rr16k", lambda r: r["rps"], "{:.0f}"),
    ("HTTP wrk 32 conns /s", "http32", lambda r: r["rps"], "{:.0f}"),
    ("1000/s 1 KiB p50 us", "rate1k", lambda r: r["p50"], "{:.0f}"),
    ("1000/s 1 KiB p99 us", "rate1k", lambda r: r["p99"], "{:.0f}"),
    ("1000/s 1 KiB proxy CPU us/request", "rate1k", per_request, "{:.1f}"),
    ("10000/s 1 KiB p50 us", "rate10k", lambda r: r["p50"], "{:.0f}"),
    ("new connections /s", "crr16", lambda r: r["cps"], "{:.0f}"),
    ("new connections proxy CPU us each", "crr16", per_connection, "{:.1f}"),
    ("500 new/s p50 us", "crate500", lambda r: r["p50"], "{:.0f}"),
    ("RSS idle, node A MB", "rss_idle", lambda r: r["a"] / 1024, "{:.1f}"),
    ("RSS idle, node B MB", "rss_idle", lambda r: r["b"] / 1024, "{:.1f}"),
    ("RSS 1000 idle conns, node A MB", "idle1000", lambda r: r["rss_a"] / 1024, "{:.1f}"),
    ("RSS after load, node A MB", "rss_after", lambda r: r["a"] / 1024, "{:.1f}"),
]


def values(repetitions, key, read):
    found = []
    for repetition in repetitions:
        result = repetition.get(key)
        if result and "error" not in result:
            try:
                found.append(read(result))
            except (KeyError, ZeroDivisionError):
                continue  # this peer has no such figure: plain has no proxy
    return found


def cell(found, shape, base):
    if not found:
        return "-"
    median = statistics.median(found)
    text = shape.format(median)
    if len(found) > 1:
        text += f" [{shape.format(min(found))}–{shape.format(max(found))}]"
    if base:
        text += f" {median / statistics.median(base):.2f}x"
    return text


def main():
    data = {}
    for path in sys.argv[1:]:
        for peer, repetitions in json.load(open(path)).items():
            data.setdefault(peer, []).extend(repetitions)
    print("| median [range], ratio to Envoy | " + " | ".join(data) + " |")
    print("|---" * (len(data) + 1) + "|")
    for title, key, read, shape in ROWS:
        found = {peer: values(repetitions, key, read) for peer, repetitions in data.items()}
        if not any(found.values()):
            continue
        base = found.get(BASE)
        print(f"| {title} | " + " | ".join(
            cell(found[peer], shape, base if peer != BASE else None) for peer in data) + " |")
    print("| repetitions | " + " | ".join(str(len(repetitions)) for repetitions in data.values()) + " |")


main()
