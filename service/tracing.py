"""The outermost layer of every request: its id, its line in the access log, its place in the counters.

Nothing secret is told: no header, no query string, and the path as it was sent: percent-encoded, so that
it stays on its line.
"""

from __future__ import annotations

import logging
import random
import re
import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from initshape.logs import Trace, current
from service.metrics import Requests

HEADER: Final = "X-Request-ID"
_VALID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_NAME: Final = HEADER.lower().encode()
_QUIET: Final = ("/health/", "/metrics")
_LONGEST_PATH: Final = 200

log = logging.getLogger("service.access")


class Tracing:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, requests: Requests) -> None:
        self.app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        trace = Trace(_given(scope) or f"{random.getrandbits(64):016x}")  # a name, not a secret
        current.set(trace)  # each request has a context of its own, and its last words come after this method
        begin = time.perf_counter()
        status, first = 500, 0.0

        async def traced(message: Message) -> None:
            nonlocal status, first
            if message["type"] == "http.response.start":
                status, first = message["status"], time.perf_counter() - begin
                message["headers"] = [*message.get("headers", ()), (_NAME, trace.id.encode())]
                # before it is sent: whoever has the answer finds it counted
                self._requests.count(_route(scope), scope["method"], status, first)
            await send(message)

        try:
            await self.app(scope, receive, traced)
        finally:
            took = time.perf_counter() - begin
            if not first:
                self._requests.count(_route(scope), scope["method"], status, took)
            _tell(scope, trace, status, took)


def _given(scope: Scope) -> str | None:
    """The id that the caller sent, if it is one."""
    for name, value in scope["headers"]:
        if name == _NAME:
            text: str = value.decode("latin-1")
            return text if _VALID.fullmatch(text) else None
    return None


def _route(scope: Scope) -> str:
    """Template of the route; the same for everything that has none."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "none"


def _tell(scope: Scope, trace: Trace, status: int, took: float) -> None:
    path = scope.get("raw_path") or scope["path"].encode("utf-8", "backslashreplace")
    quiet = status < 400 and scope["path"].startswith(_QUIET)
    level = logging.DEBUG if quiet else logging.INFO
    if log.isEnabledFor(level):
        client = scope.get("client")
        told = {"status": status, "ms": round(1000 * took, 1), "client": client[0] if client else "", **trace.fields}
        log.log(level, "%s %s", scope["method"], path.decode("latin-1")[:_LONGEST_PATH], extra=told)
