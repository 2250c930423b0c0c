"""Sweeps as data frames, lazy arrays, and what notebooks show: failures visible, nothing fetched, nothing raised."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from test_client import EXPERIMENT, SWEEP

import initshape.batch
from initshape.client import Arrays, Client, Job, Local, MissingPackageError, ResultDocument, Table
from initshape.client.meter import Meter
from initshape.figures.table import SCALARS
from initshape.progress import Pace
from initshape.spec.parse import parse_submission
from initshape.spec.problem import SpecError

EVIL = "<script>alert(1)</script>"


class Balanced(HTMLParser):
    """Fails where a tag is not closed; keeps the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.told = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)
        self.tags.add(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.told += data


@pytest.fixture(scope="module")
def local() -> Local:
    return Local()


def row(**more: Any) -> dict[str, Any]:
    return {"scale": 0.1, **dict.fromkeys(SCALARS), "id": "x-a", "status": "succeeded", **more}


def test_a_sweep_is_one_row_a_cell_and_failures_are_rows(local: Local) -> None:
    table = local.table(local.submit_sweep(SWEEP).id)
    frame = table.to_frame()
    assert list(frame.columns) == list(table.columns)
    assert len(frame) == 6
    assert frame.groupby("shape")["population_error"].mean().notna().all()
    lost = Table("s-a", ("scale",), ("scale", *SCALARS), (row(), row(status="failed", error="lost: thrice")))
    assert list(lost.to_frame()["status"]) == ["succeeded", "failed"]
    assert lost.to_frame()["error"][1] == "lost: thrice"
    assert lost.to_frame()["population_error"].dtype == float
    assert "lost: thrice" in lost._repr_html_()


def test_without_pandas(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingPackageError, match=r"initshape\[frames\]"):
        Table("s-a", (), (), ()).to_frame()


def test_arrays_are_fetched_once_and_when_wanted() -> None:
    fetched = []

    def fetch() -> dict[str, Any]:
        fetched.append(1)
        return {"w_flow": np.arange(3.0)}

    arrays = Arrays(fetch)
    assert not fetched
    assert "not fetched" in repr(arrays)
    assert arrays["w_flow"] is arrays["w_flow"]
    assert (list(arrays), len(arrays), len(fetched)) == (["w_flow"], 1, 1)
    with pytest.raises(KeyError, match="w_flow"):
        arrays["w_fow"]


def test_models_are_documents(local: Local, client: Client) -> None:
    sent = local.submit(parse_submission(EXPERIMENT))
    assert sent == local.submit(EXPERIMENT)
    assert client.submit(parse_submission(EXPERIMENT)).id == sent.id
    assert local.result(sent.id).typed.outcome == "converged"


def test_listed_cells_show_what_they_leave_to_the_base() -> None:
    base = {**EXPERIMENT["experiment"], "flow": {"kind": "none"}, "regularizers": ["l2"]}
    base["dataset"] = base["dataset"] | {"seed": 5}
    sweep = {"sweep": {"base": base, "list": [{"init.scale": 0.3}, {"dataset.seed": 3}]}}
    local = Local()
    rows = local.table(local.submit_sweep(sweep).id).rows
    assert [(row["scale"], row["seed"]) for row in rows] == [(0.3, 5), (base["init"]["scale"], 3)]
    assert [cell["values"] for cell in local.preview(sweep)["cells"]] == [
        {"init.scale": row["scale"], "dataset.seed": row["seed"]} for row in rows
    ]


def test_what_is_listed_edited_run_again_and_forgotten_here() -> None:
    local = Local()
    sent = local.submit({**EXPERIMENT, "experiment": {**EXPERIMENT["experiment"], "flow": {"kind": "none"}}})
    sweep = local.submit_sweep(SWEEP)
    assert local.preview(SWEEP)["counts"] == {"cells": 6, "cached": 6}
    assert local.edit(sent.id, tags=["kept"])["tags"] == ["kept"]
    assert [job.id for job in local.experiments(tag="kept")] == [sent.id]
    assert len(list(local.experiments(where={"init.scale": 0.1}))) == 2
    assert [job.id for job in local.sweeps()] == [sweep.id]
    local.edit(sweep.id, name="both")
    assert [job.id for job in local.sweeps(name="both", status="succeeded")] == [sweep.id]
    assert list(local.sweeps(name="bot")) == list(local.sweeps(tag="a")) == list(local.experiments(name="both")) == []
    assert local.rerun(sent.id).status == "succeeded"
    assert local.cancel(sent.id)["answer"] == "unchanged"
    local.delete(sent.id)
    assert list(local.experiments(tag="kept")) == []
    assert local.retry(sweep.id)["counts"]["succeeded"] == 6
    local.delete(sweep.id)
    assert list(local.experiments()) == list(local.sweeps()) == []
    with pytest.raises(SpecError):
        list(local.experiments(colour="red"))
    with pytest.raises(SpecError):
        list(local.sweeps(colour="red"))


def test_a_cell_that_breaks_here_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    local = Local(lambda id, progress: None, processes=1)
    id = local.preview(SWEEP)["id"]
    lost = local.preview(SWEEP)["cells"][1]["id"]

    original = initshape.batch.run_many
    monkeypatch.setattr(
        "initshape.batch.run_many",
        lambda cells: ((k, MemoryError("no room") if cells[k].id == lost else end) for k, end in original(cells)),
    )
    with pytest.raises(MemoryError):
        local.submit_sweep(SWEEP)
    assert local.status(id)["counts"]["failed"] == 1
    frame = local.table(id).to_frame()
    assert list(frame["status"] == "failed") == [False, True, False, False, False, False]
    assert frame["error"][1] == "MemoryError: no room"
    monkeypatch.undo()
    assert local.retry(id).status == "succeeded"
    assert local.table(id).rows[1]["outcome"] == "converged"


def test_displays(local: Local) -> None:
    sent = local.submit(EXPERIMENT)
    sweep = local.table(local.submit_sweep(SWEEP).id)
    for shown, words in ((sent, sent.id), (local.result(sent.id), "implicit"), (sweep, "6 cells")):
        found = Balanced(shown._repr_html_())
        assert words in found.told
        assert {"svg", "table"} <= found.tags
    assert "10⁻¹" in sweep._repr_html_()


@pytest.mark.parametrize(
    "shown",
    [
        Job(id=EVIL, status="failed", name=EVIL, error={"code": EVIL, "detail": EVIL, "advice": EVIL}),
        Job(id=EVIL),
        ResultDocument(id=EVIL, outcome=EVIL, notes=[EVIL], fits=[{"regularizer": EVIL, "outcome": EVIL,
                       "exactness": EVIL}], comparisons=[{"regularizer": EVIL, "relative_distance": 0.1}]),
        ResultDocument(fits=EVIL),
        Table(EVIL, (EVIL,), (EVIL,), ({EVIL: 0.5, "population_error": 1.0, "status": EVIL, "error": EVIL},)),
        Table(EVIL, (EVIL,), (EVIL,), ({EVIL: EVIL, "status": "failed", "error": EVIL},)),
    ],
)  # fmt: skip
def test_displays_escape_and_never_raise(shown: Any) -> None:
    found = Balanced(shown._repr_html_())
    assert "script" not in found.tags
    assert EVIL in found.told or "svg" in found.tags


def test_progress_does_not_flood(capsys: pytest.CaptureFixture[str]) -> None:
    with Meter("s-a") as meter:
        for over in range(1001):
            counts = {"cells": 1000, "succeeded": over, "failed": 0, "cancelled": 0, "cached": 0, "running": 1}
            meter.show({"status": "running", "counts": counts})
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2  # the first, and the last at its end
    assert lines[-1].startswith("s-a: 100 %  1000 of 1000 cells")


def test_what_was_known_before_says_nothing_about_the_pace() -> None:
    times = iter([0.0, 10.0, 0.0, 10.0])
    pace = Pace(lambda: next(times))
    assert pace.left(0.5) == ""
    assert pace.left(0.75) == "about 10 s left"
