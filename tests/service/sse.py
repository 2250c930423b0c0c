"""Reads server-sent events as the standard says, for the tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2


@dataclass(frozen=True)
class Event:
    """One event; `id` is its own, None where it has none."""

    name: str
    id: str | None
    data: Any
    retry: int | None = None


def events_of(response: httpx2.Response) -> Iterator[Event]:
    """The events of an open stream, comments left out."""
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif "event" in fields:
            retry = int(fields["retry"]) if "retry" in fields else None
            yield Event(fields["event"], fields.get("id"), json.loads(fields["data"]), retry)
            fields = {}


@contextmanager
def opened(api: httpx2.Client, path: str, last: str | None = None) -> Iterator[Iterator[Event]]:
    """An open stream, resumed after `last`."""
    headers = {} if last is None else {"Last-Event-ID": last}
    with api.stream("GET", path, headers=headers) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield events_of(response)


def whole(api: httpx2.Client, path: str, last: str | None = None) -> list[Event]:
    """All events until the server ends the connection."""
    with opened(api, path, last) as events:
        return list(events)
