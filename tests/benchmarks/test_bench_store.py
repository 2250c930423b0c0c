"""The suite `store` at a hundredth of its size: real requests to a real service, and answers that it checks."""

from __future__ import annotations

import pytest

from benchmarks.outcome import Effort
from benchmarks.serving import filling, lists, many
from benchmarks.suites import store


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real run with fewer of everything: 100,000 experiments take minutes."""
    for module, name, value in (
        (store, "FEW", 20), (store, "MANY", 138), (lists, "PAGES", 12), (lists, "TIMES", 2), (filling, "RARE", 10),
        (filling, "COMPUTED", 3), (many, "SIDE", 3), (many, "CELLS", 9), (many, "LINES", 10), (many, "BATCHES", 2),
        (many, "SWEEPS", 2), (many, "READS", 2),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)


@pytest.mark.usefixtures("small")
def test_every_bar_is_measured_and_every_answer_is_whole() -> None:
    outcome = store.run(Effort())
    assert [bar.met for bar in outcome.bars[2:]] == [True] * 4
    assert all(bar.measured and bar.measured > 0.0 for bar in outcome.bars)
    walked = {(row["list"], row["stored"]): (row["entries"], row["pages"]) for row in outcome.raw["lists"]}
    assert walked["pages of 50", 138] == (138, 3)
    assert walked["a tag that few have, pages of 1", 138] == (10, 10)
    assert [row["times"] for row in outcome.raw["requests"]] == [2] * 6


def test_the_bars_take_the_worst() -> None:
    def row(name: str, stored: int, first: float, last: float) -> dict[str, object]:
        return {"list": name, "stored": stored, "first_ms": first, "last_ms": last}

    pages = [
        row("a", store.FEW, 2.0, 9.0), row("b", store.FEW, 1.0, 9.0),
        row("a", store.MANY, 3.0, 3.3), row("b", store.MANY, 1.0, 1.3),
    ]  # fmt: skip
    requests = [{"what": what, "slowest_s": 5.0} for what in store.LIMITS]
    found = store.bars(pages, requests)
    assert [bar.measured for bar in found] == pytest.approx([1.3, 1.5, 5.0, 5.0, 5.0, 5.0])
    assert [bar.met for bar in found] == [True, True, True, False, False, False]
