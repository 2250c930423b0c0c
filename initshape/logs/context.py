"""What every log line of one HTTP request carries, in whatever thread the request is worked on."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass
class Trace:
    """One request: its id, and what its access line will tell beside method, path and status."""

    id: str
    fields: dict[str, str | int | float] = field(default_factory=dict)


current: ContextVar[Trace | None] = ContextVar("initshape request", default=None)


def request_id() -> str:
    """Id of the request that is being worked on; empty outside of one."""
    trace = current.get()
    return "" if trace is None else trace.id


def note(**fields: str | int | float) -> None:
    """Adds to the access line of this request."""
    trace = current.get()
    if trace is not None:
        trace.fields.update(fields)
