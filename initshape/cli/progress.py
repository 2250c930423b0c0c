"""Progress on stderr: a live bar on a terminal, a line now and then elsewhere. Results never go here."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from initshape.progress import Pace, progress_of

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_LINE_SECONDS = 5.0


class Bar:
    """One bar of a known length. `text` is what stands beside it."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._told = ("", -_LINE_SECONDS)
        self._pace = Pace()

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

            self._progress = Progress(
                TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
                TextColumn("{task.fields[text]}"), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
                console=Console(stderr=True), refresh_per_second=4,
            )  # fmt: skip
            self._task = self._progress.add_task(self._title, total=1.0, text="")
            self._progress.start()
        return self

    def update(self, fraction: float, text: str) -> None:
        """Shows how far it is."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=fraction, text=text)
            return
        now = time.monotonic()
        line = f"{self._title}: {100 * fraction:3.0f} %  {text}"
        left = self._pace.left(fraction)
        said, at = self._told
        if line != said and (now - at >= _LINE_SECONDS or fraction >= 1.0):
            print(", ".join(filter(None, (line, left))), file=sys.stderr, flush=True)
            self._told = (line, now)

    def show(self, state: Mapping[str, Any]) -> None:
        """Shows a state of an experiment or a sweep, as the server tells it."""
        self.update(*progress_of(state))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
