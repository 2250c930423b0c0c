"""The states of a job until its end: by server-sent events, or by long polls where no events come through."""

from __future__ import annotations

import time
from datetime import datetime

from initshape.client.call import Call, Listen, Next, Request, Tell, as_object
from initshape.client.errors import ClientError, ServerError, UnreachableError, WaitTimeoutError
from initshape.client.job import Job, is_over
from initshape.client.places import path_of
from initshape.client.sse import Event
from initshape.spec.status import Status

LONG_POLL = 20.0
_QUEUED_SECONDS = 5.0
"""The place in the queue changes without an event, so a queued job is asked for again and again."""
_CONNECTION_SECONDS = 60.0
_RESTART_SECONDS = 60.0
_BROKEN = 3
"""Connections in a row that brought nothing: then there are no events to be had."""


def follow(id: str, every: float, timeout: float | None) -> Call[None]:
    """Tells the states of an experiment or a sweep; see Client.updates."""
    path = path_of(id)
    end = None if timeout is None else time.monotonic() + timeout
    last: str | None = None
    broken, wait = 0, 0.0
    while True:
        state = Job(as_object((yield _ask(path, wait))))
        yield Tell(state)
        if state.over:
            return
        left = _left(end)
        if left <= 0.0:
            raise WaitTimeoutError(f"{id} is still {state['status']} after {timeout:g} s; it goes on.")
        if broken == _BROKEN:
            wait = min(every, left)
            continue
        heard = False
        try:
            yield Listen(f"{path}/events", last or _since(state), min(left, _longest(state, every)))
            while (event := (yield Next())) is not None:
                heard, last = True, event.id or last
                if event.name in ("end", "reconnect") or _left(end) <= 0.0:
                    break
                newer = _after(state, event)
                if newer is not None:
                    state = newer
                    yield Tell(state)
        except (UnreachableError, ServerError):
            broken = 0 if heard else broken + 1
        except ClientError:
            broken = _BROKEN
        else:
            broken = 0 if heard else broken + 1


def _ask(path: str, wait: float) -> Request:
    params = {"wait": round(wait, 3)} if wait else None
    return Request("GET", path, params=params, seconds=30.0 + wait, patience=_RESTART_SECONDS)


def _left(end: float | None) -> float:
    return float("inf") if end is None else end - time.monotonic()


def _longest(state: Job, every: float) -> float:
    return max(every, _QUEUED_SECONDS) if state["status"] == Status.queued.value else _CONNECTION_SECONDS


def _since(state: Job) -> str | None:
    """Where the events of the present attempt begin: what earlier ones did is no news. None for a sweep."""
    times = [state[name] for name in ("created", "queued", "started") if state.get(name)]
    if "counts" in state or not times:
        return None
    return f"{max(int(datetime.fromisoformat(text).timestamp() * 1000) for text in times)}-0"


def _after(state: Job, event: Event) -> Job | None:
    """The state that an event makes; None where it tells nothing new, or where the whole state will follow."""
    data = event.data
    if event.name == "progress" and "counts" in data:
        newer = {**state, "status": data["status"], "counts": data["counts"]}
    elif event.name == "progress":
        if float(data.get("fraction") or 0.0) < float((state.get("progress") or {}).get("fraction") or 0.0):
            return None
        newer = {**state, "progress": data}
    elif event.name == "status":
        changed = data["status"] != state["status"] or data.get("attempt") != state.get("attempt")
        newer = {**state, "status": data["status"], "attempt": data.get("attempt")}
        if changed:
            newer |= {"progress": None, "queue_position": None}
    else:
        return None
    return None if newer == state or is_over(newer) else Job(newer)
