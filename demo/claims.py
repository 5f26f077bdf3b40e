"""Claims: printed when they are so, raised when they are not."""

from __future__ import annotations

import time
from collections.abc import Callable


class Untrue(Exception):
    """Something the demonstration claims is not so."""


def expect(is_so: bool, claim: str, otherwise: str = "") -> None:
    if not is_so:
        raise Untrue(f"{claim}\n       {otherwise}" if otherwise else claim)
    print(f"  ok   {claim}", flush=True)


def wait_for(claim: str, seconds: float, probe: Callable[[], str | None]) -> float:
    """Waits until the probe returns None, else why not yet; returns how long it took."""
    start = time.monotonic()
    while (problem := probe()) is not None:
        if time.monotonic() - start > seconds:
            raise Untrue(f"{claim}\n       not after {seconds:.0f} s: {problem}")
        time.sleep(0.1)
    return time.monotonic() - start


def indented(text: str) -> str:
    return "".join(f"       {line}\n" for line in text.splitlines()).rstrip("\n")
