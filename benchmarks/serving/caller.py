"""Requests over one connection that is kept, each with its time; and what others wait for meanwhile."""

from __future__ import annotations

import http.client
import json
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from benchmarks.serving.stand import Served

TIMEOUT = 120.0
PULSE_SECONDS = 0.02
IDLE_SECONDS = 2.0
"""The server closes a connection that was silent for 5 s; after so long a new one is opened, before the clock runs."""


@dataclass(frozen=True)
class Answer:
    """What came, and the seconds from the request to its last byte."""

    status: int
    content: bytes
    seconds: float

    def json(self) -> Any:
        """Decoded."""
        return json.loads(self.content)


class Caller:
    """One client. Errors: RuntimeError for an answer that is no 2xx."""

    def __init__(self, api: Served) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=TIMEOUT)
        self._token = api.token
        self._last = 0.0

    def __call__(self, method: str, path: str, body: bytes = b"", media: str = "application/json") -> Answer:
        headers = {"Authorization": f"Bearer {self._token}"} | ({"Content-Type": media} if body else {})
        if time.perf_counter() - self._last > IDLE_SECONDS:
            self._connection.close()
            self._connection.connect()
        begin = time.perf_counter()
        self._connection.request(method, path, body or None, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        self._last = time.perf_counter()
        if answer.status not in (200, 202):
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:500]!r}")
        return Answer(answer.status, content, self._last - begin)

    def get(self, path: str) -> Answer:
        """GET."""
        return self("GET", path)

    def post(self, path: str, body: bytes, media: str = "application/json") -> Answer:
        """POST."""
        return self("POST", path, body, media)

    def close(self) -> None:
        """Gives the connection up."""
        self._connection.close()


class Pulse:
    """Asks `/health/live` all the time from a thread of its own; `slowest` is the longest answer, in seconds."""

    def __init__(self, api: Served) -> None:
        self.slowest = 0.0
        self._caller = Caller(api)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Self:
        self._caller.get("/health/live")  # the connection is there
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()
        self._caller.close()

    def _work(self) -> None:
        while not self._end.wait(PULSE_SECONDS):
            self.slowest = max(self.slowest, self._caller.get("/health/live").seconds)
