"""A bounded closed loop: so many connections, each sends its next request when the last one is answered.

python -m benchmarks.serving.load PORT CONNECTIONS SECONDS FIRST_SEED KIND TOKEN, with KIND one of new, known.
Prints one JSON object: requests, seconds, and their times in milliseconds (p50, p99). No library in between: what the
load costs is taken from the core that the server does not use.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator
from typing import cast

import uvloop

from benchmarks.cores import pin


def document(seed: int) -> bytes:
    """An experiment that differs from the others by its seed only."""
    return json.dumps({
        "name": "load",
        "experiment": {
            "dataset": {"kind": "sparse_regression", "dimension": 1000, "samples": 100, "sparsity": 5, "seed": seed},
            "model": {"kind": "diagonal", "depth": 2},
            "init": {"kind": "scale_shape", "scale": 0.001, "shape": 0.5},
        },
    }).encode()  # fmt: skip


def request(body: bytes, token: str) -> bytes:
    """One POST as it goes over the wire."""
    head = (
        "POST /v1/experiments HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Caller(asyncio.Protocol):
    """One connection."""

    def __init__(self, seeds: Iterator[int], token: str, end: float, times: list[float]) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._seeds, self._token, self._end, self._times = seeds, token, end, times
        self._received = b""
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, rest = self._received.partition(b"\r\n\r\n")
        if not separator or len(rest) < _length(head):
            return
        if head[9:12] not in (b"200", b"202"):
            self.done.set_exception(RuntimeError(self._received.decode()))
            self._transport.close()
            return
        self._received = b""
        now = time.perf_counter()
        self._times.append(now - self._began)
        if now > self._end:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _send(self) -> None:
        content = request(document(next(self._seeds)), self._token)
        self._began = time.perf_counter()
        self._transport.write(content)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line[15:])
    return 0


async def run(port: int, connections: int, seconds: float, first: int, kind: str, token: str) -> None:
    """Prints what it found."""
    seeds = itertools.count(first) if kind == "new" else itertools.repeat(first)
    times: list[float] = []
    begin = time.perf_counter()
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Caller(seeds, token, begin + seconds, times), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.gather(*(caller.done for _, caller in made))
    passed = time.perf_counter() - begin
    times.sort()
    middle, late = (1000 * times[int(len(times) * share)] for share in (0.5, 0.99))
    print(json.dumps({"requests": len(times), "seconds": passed, "p50_ms": middle, "p99_ms": late}))


if __name__ == "__main__":
    pin(0)
    port, connections, seconds, first, kind, token = sys.argv[1:]
    uvloop.run(run(int(port), int(connections), float(seconds), int(first), kind, token))
