"""Rendered figures are remembered up to a number of bytes, and the one looked at longest ago goes first."""

from __future__ import annotations

import asyncio
from functools import partial

from initshape.figures import FigureData, sweep_figure
from service.pictures import Pictures

ROWS = [{"scale": 10.0**-k, "population_error": 1.0 + k, "status": "succeeded", "outcome": "converged"}
        for k in range(1, 4)]  # fmt: skip


def test_what_is_remembered() -> None:
    drawn: list[str] = []

    async def look(pictures: Pictures, names: str) -> list[bytes]:
        def figure(name: str) -> FigureData:
            drawn.append(name)
            return sweep_figure(ROWS, ("scale",))

        return [await pictures.draw(name, "svg", partial(figure, name)) for name in names]

    (picture,) = asyncio.run(look(Pictures(0), "a"))
    drawn.clear()
    for most, again in ((0, "abacab"), (int(2.5 * len(picture)), "abcb"), (10 * len(picture), "abc")):
        assert asyncio.run(look(Pictures(most), "abacab")) == 6 * [picture]
        assert "".join(drawn) == again
        drawn.clear()
