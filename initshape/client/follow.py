"""The states of a job until its end: by server-sent events, or by long polls where no events come through."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from initshape.client.errors import ClientError, ServerError, UnreachableError, WaitTimeoutError
from initshape.client.http import Http
from initshape.client.sse import Event
from initshape.spec.status import TERMINAL, Status

Json = dict[str, Any]

LONG_POLL = 20.0
_QUEUED_SECONDS = 5.0
"""The place in the queue changes without an event, so a queued job is asked for again and again."""
_CONNECTION_SECONDS = 60.0
_RESTART_SECONDS = 60.0
_BROKEN = 3
"""Connections in a row that brought nothing: then there are no events to be had."""


def is_over(state: Mapping[str, Any]) -> bool:
    """Whether a state of an experiment or a sweep is the last one."""
    return Status(state["status"]) in TERMINAL


def updates(
    http: Http, ask: Callable[..., Json], path: str, id: str, every: float, timeout: float | None
) -> Iterator[Json]:
    """See Client.updates. `ask` is a request of the client for an object."""
    end = None if timeout is None else time.monotonic() + timeout
    last: str | None = None
    broken, wait = 0, 0.0
    while True:
        params = {"wait": round(wait, 3)} if wait else None
        state = ask("GET", path, params=params, seconds=30.0 + wait, patience=_RESTART_SECONDS)
        yield state
        if is_over(state):
            return
        left = _left(end)
        if left <= 0.0:
            raise WaitTimeoutError(f"{id} is still {state['status']} after {timeout:g} s; it goes on.")
        if broken == _BROKEN:
            wait = min(every, left)
            continue
        heard, seconds = False, min(left, _longest(state, every))
        try:
            for event in http.events(f"{path}/events", last=last or _since(state), seconds=seconds):
                heard, last = True, event.id or last
                if event.name in ("end", "reconnect") or _left(end) <= 0.0:
                    break
                newer = _after(state, event)
                if newer is not None:
                    state = newer
                    yield state
        except (UnreachableError, ServerError):
            broken = 0 if heard else broken + 1
        except ClientError:
            broken = _BROKEN
        else:
            broken = 0 if heard else broken + 1


def _left(end: float | None) -> float:
    return float("inf") if end is None else end - time.monotonic()


def _longest(state: Json, every: float) -> float:
    return max(every, _QUEUED_SECONDS) if state["status"] == Status.queued.value else _CONNECTION_SECONDS


def _since(state: Json) -> str | None:
    """Where the events of the present attempt begin: what earlier ones did is no news. None for a sweep."""
    times = [state[name] for name in ("created", "queued", "started") if state.get(name)]
    if "counts" in state or not times:
        return None
    return f"{max(int(datetime.fromisoformat(text).timestamp() * 1000) for text in times)}-0"


def _after(state: Json, event: Event) -> Json | None:
    """The state that an event makes; None where it tells nothing new, or where the whole state will follow."""
    data = event.data
    if event.name == "progress" and "counts" in data:
        newer = state | {"status": data["status"], "counts": data["counts"]}
    elif event.name == "progress":
        if float(data.get("fraction") or 0.0) < float((state.get("progress") or {}).get("fraction") or 0.0):
            return None
        newer = state | {"progress": data}
    elif event.name == "status":
        changed = data["status"] != state["status"] or data.get("attempt") != state.get("attempt")
        newer = state | {"status": data["status"], "attempt": data.get("attempt")}
        if changed:
            newer |= {"progress": None, "queue_position": None}
    else:
        return None
    return None if newer == state or is_over(newer) else newer
