"""HTTP connections that a client cannot hold for nothing: the head of a request is bounded in bytes and in time.

uvicorn bounds neither, so that one client without a token could fill the memory with headers, or keep every socket with
a few bytes. Bodies have their own limits (bodies.py). A time-out costs a timer only where a head comes in pieces.
"""

from __future__ import annotations

import asyncio
import json
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.errors import HEAD_TOO_LARGE, MEDIA_TYPE, TIMED_OUT, Kind, problem_of

HEAD_BYTES: Final = 1 << 16
"""Request line and headers; proxies allow 8 to 32 KiB."""
HEAD_SECONDS: Final = 10.0
"""From the connection, or the first byte of a later request, to the end of its headers."""


class Protocol(HttpToolsProtocol):
    """uvicorn's connection with bounds on the head of a request."""

    _due: asyncio.TimerHandle | None = None
    _head: int | None = None
    """Bytes of the head that is being read; None outside of one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there and has said nothing."""
        super().connection_made(transport)
        self._due = self.loop.call_later(HEAD_SECONDS, self._late)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses, and afterwards looks whether a head is still open."""
        super().data_received(data)
        if self._head is not None:
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self._refuse(HEAD_TOO_LARGE, f"The head of the request exceeds {HEAD_BYTES} bytes.")
        busy = self._head is None and self.cycle is not None and not self.cycle.response_complete
        if self._due is None and not busy and self.timeout_keep_alive_task is None and not self.transport.is_closing():
            self._due = self.loop.call_later(HEAD_SECONDS, self._late)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is complete; what follows is the body's business."""
        self._head = None
        self._disarm()
        super().on_headers_complete()

    def _disarm(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _late(self) -> None:
        self._due = None
        self._refuse(TIMED_OUT, f"The head of the request was not there within {HEAD_SECONDS:g} s.")

    def _refuse(self, kind: Kind, detail: str) -> None:
        """Answers if the client has begun to ask and nothing of an answer is under way, and closes."""
        if self.transport.is_closing():
            return
        if self._head is not None and (self.cycle is None or self.cycle.response_complete):
            body = json.dumps(problem_of(kind, detail, "/").model_dump()).encode()
            head = f"HTTP/1.1 {kind.status} {kind.title}\r\nContent-Type: {MEDIA_TYPE}\r\nConnection: close\r\n"
            self.transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        self._head = None
        self.transport.close()
