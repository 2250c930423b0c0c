"""Progress beside a computation: one output that is rewritten in a notebook, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from initshape.client import display
from initshape.progress import Pace, progress_of

_NOTEBOOK_SECONDS, _LINE_SECONDS = 0.5, 5.0


class Stage(Protocol):
    """How far a computation in this process is (initshape.run.Progress)."""

    @property
    def fraction(self) -> float: ...
    @property
    def stage(self) -> str: ...


class Meter:
    """Shows states at most twice a second in a notebook and every five seconds elsewhere, and always the last one."""

    def __init__(self, title: str, *, shown: bool = True) -> None:
        self._title = title
        self._shown = shown
        self._pace = Pace()
        self._handle: Any = None
        self._last = -_LINE_SECONDS
        self._line = ""
        self._seen: dict[str, float] = {}

    @classmethod
    def of(cls, title: str, progress: bool) -> Meter:
        """One that shows nothing unless progress is wanted."""
        return cls(title, shown=progress)

    def show(self, state: Mapping[str, Any]) -> None:
        """A state of an experiment or a sweep."""
        self.update(*progress_of(state))

    def here(self, id: str, progress: Stage) -> None:
        """What is computed in this process tells (Local): the mean over all that has begun."""
        self._seen[id] = progress.fraction
        words = f"{len(self._seen)} cells begun, {progress.stage}" if len(self._seen) > 1 else progress.stage
        self.update(sum(self._seen.values()) / len(self._seen), words)

    def update(self, fraction: float, words: str) -> None:
        """A fraction and what is said beside it."""
        if not self._shown:
            return
        now, line = time.monotonic(), f"{100 * fraction:3.0f} %  {words}"
        quiet = _NOTEBOOK_SECONDS if in_notebook() else _LINE_SECONDS
        if line == self._line or (now - self._last < quiet and fraction < 1.0):
            return
        self._line, self._last = line, now
        left = self._pace.left(fraction)
        self._write(fraction, ", ".join(filter(None, (words, left))))

    def _write(self, fraction: float, words: str) -> None:
        if not in_notebook():
            print(f"{self._title}: {100 * fraction:3.0f} %  {words}", file=sys.stderr, flush=True)
            return
        from IPython.display import HTML
        from IPython.display import display as show

        picture = HTML(display.bar(self._title, fraction, words))  # type: ignore[no-untyped-call]
        if self._handle is None:
            self._handle = show(picture, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(picture)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to put away: what was shown last stays."""


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")
