"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How bad it is."""

    ok = "ok"
    warn = "warn"  # works, and will not always
    fail = "fail"  # does not work, or is not safe


@dataclass(frozen=True)
class Finding:
    """One line. `mend` says what to do; empty where nothing needs to be done."""

    name: str
    state: State
    detail: str
    mend: str = ""


def ok(name: str, detail: str) -> Finding:
    """Nothing to do."""
    return Finding(name, State.ok, detail)


def warn(name: str, detail: str, mend: str) -> Finding:
    """Works, and will not always."""
    return Finding(name, State.warn, detail, mend)


def fail(name: str, detail: str, mend: str) -> Finding:
    """Does not work, or is not safe."""
    return Finding(name, State.fail, detail, mend)
