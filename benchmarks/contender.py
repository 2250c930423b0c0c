"""What is raced: a name, and how to solve one problem."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.problem import Floats, Problem


class Report(Protocol):
    """Called now and then with the steps done and the relative residual reached, for those that do not finish.

    Those whose residual says little give their weights as well.
    """

    def __call__(self, steps: int, residual: float, w: Floats | None = None, /) -> None: ...


@dataclass(frozen=True)
class Answer:
    """Weights, steps or iterations, and whether the contender reached its own stop; `work` are other counts.

    `note` goes into the table: what it says of itself when it did not. `after`: seconds at which it had these weights,
    where it went on to see that they get no better.
    """

    w: Floats
    steps: int
    reached: bool = True
    note: str = ""
    work: Mapping[str, float] = field(default_factory=dict)
    after: float | None = None


@dataclass(frozen=True)
class Ready:
    """A contender after its set-up: `solve` is what is timed, `compile_seconds` what compiling took before it."""

    solve: Callable[[Report], Answer]
    compile_seconds: float = 0.0


@dataclass(frozen=True)
class Contender:
    """One entry of a race. `prepare` runs in the child process and imports what it needs there.

    `ours`: this project's. `missing` says, in the child, why this installation cannot run it, or None.
    """

    name: str
    prepare: Callable[[Problem], Ready]
    ours: bool = False
    missing: Callable[[], str | None] = lambda: None
