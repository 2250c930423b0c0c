"""What a benchmark hands back: tables, bars, and numbers for plots and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Bar:
    """One thing that was promised: `measured` has to be at least or at most `target`.

    `extrapolated` says which part of `measured` was not run whole, `lower_bound` that the rival was stopped.
    """

    name: str
    measured: float | None
    relation: Literal[">=", "<="]
    target: float
    unit: str = "x"
    extrapolated: str = ""
    lower_bound: bool = False

    @property
    def met(self) -> bool | None:
        """None: not measured, or the rival was stopped too early to tell."""
        if self.measured is None or (self.lower_bound and self.measured < self.target):
            return None
        return self.measured >= self.target if self.relation == ">=" else self.measured <= self.target


@dataclass(frozen=True)
class Table:
    """A caption, a header and rows of cells that are already text."""

    caption: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class Outcome:
    """One benchmark's answer; `raw` goes into JSON as it is, `notes` are sentences of Markdown."""

    tables: list[Table]
    bars: list[Bar]
    raw: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    image: str | None = None


@dataclass(frozen=True)
class Effort:
    """How much to run: `limit` seconds a contender; `whole` runs what is otherwise extrapolated."""

    limit: float = 10.0
    whole: bool = False


def ratio(slow: float | None, fast: float | None) -> float | None:
    """slow / fast, or None where one of them is missing or nothing."""
    return slow / fast if slow and fast else None
