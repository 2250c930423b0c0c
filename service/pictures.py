"""Renders figures one at a time in a thread and remembers the last ones. The first one imports matplotlib."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from anyio import CapacityLimiter, to_thread

if TYPE_CHECKING:
    from initshape.figures import FigureData


class Pictures:
    """Cache of rendered figures by entity tag, of so many bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._one = CapacityLimiter(1)

    async def draw(self, tag: str, form: str, figure: Callable[[], FigureData]) -> bytes:
        """The picture of `figure()`, made in a thread unless it is remembered. Raises FigureError."""
        if tag in self._kept:
            self._kept.move_to_end(tag)
            return self._kept[tag]
        picture = await to_thread.run_sync(_render, figure, form, limiter=self._one)
        if tag not in self._kept:
            self._kept[tag] = picture
            self._size += len(picture)
        while self._size > self._most:
            self._size -= len(self._kept.popitem(last=False)[1])
        return picture


def _render(figure: Callable[[], FigureData], form: str) -> bytes:
    from initshape.figures.render import render

    return render(figure(), form)


@cache
def renderer_version() -> str:
    """What else than its data determines a picture."""
    return f"{version('initshape')} {version('matplotlib')}"
