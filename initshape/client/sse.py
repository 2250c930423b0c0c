"""Server-sent events, as the server of this project writes them: lines end with a newline, data is JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """One event. `id` is what a resumed stream is asked to go on after; None where it changes nothing."""

    name: str
    id: str | None
    data: dict[str, Any]


class Reader:
    """Events from the bytes of a stream, in any pieces.

    Comments (keep-alives), fields and data of other kinds are passed over.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._fields: dict[str, str] = {}

    def read(self, chunk: bytes) -> Iterator[Event]:
        """The events that this piece completes."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            if line:
                name, _, value = line.decode("utf-8", "replace").partition(":")
                self._fields[name] = value.removeprefix(" ")
            else:
                event = _event(self._fields)
                self._fields = {}
                if event is not None:
                    yield event


def _event(fields: dict[str, str]) -> Event | None:
    try:
        data = json.loads(fields.get("data", ""))
    except ValueError:
        return None
    return Event(fields.get("event", "message"), fields.get("id"), data) if isinstance(data, dict) else None
