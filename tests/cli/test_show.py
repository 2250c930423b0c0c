"""What people see, and the exit codes that scripts see."""

from __future__ import annotations

import pytest

from initshape.cli import show
from initshape.cli.exits import Exit
from initshape.figures.cells import cell
from initshape.progress import progress_of


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0, "0"), (0.5, "0.5"), (1e-5, "1.000e-05"), (100.0, "100"), (1e9, "1.000e+09"), (True, "true"),
     ("rich", "rich"), ([1, 2], "[1, 2]"), (0.123456, "0.1235"), (-2e-4, "-2.000e-04"), (0.0, "0")],
)  # fmt: skip
def test_cells(value: object, text: str) -> None:
    assert cell(value) == text


def test_grids_are_aligned_and_have_no_trailing_blanks() -> None:
    text = show.grid(("a", "longer"), [(1, None), (1000.5, "x")])
    assert text.splitlines() == ["   a  longer", "----  ------", "   1       -", "1000       x"]


@pytest.mark.parametrize(
    ("found", "line"),
    [
        ({"id": "x-a", "status": "succeeded", "links": {}}, "x-a  succeeded"),
        ({"id": "x-a", "status": "queued", "links": {}}, "x-a  queued"),
        (
            {"id": "x-a", "status": "succeeded", "attempt": 2, "outcome": "stalled"},
            "x-a  succeeded  attempt 2  stalled",
        ),
        ({"id": "x-a", "status": "queued", "attempt": 0, "queue_position": 3}, "x-a  queued  attempt 0  3 before it"),
    ],
)
def test_a_state_shows_what_the_answer_knows(
    capsys: pytest.CaptureFixture[str], found: dict[str, object], line: str
) -> None:
    show.state(found)
    assert capsys.readouterr().out == line + "\n"


def test_failed_cells_stay_visible() -> None:
    rows = [
        {"scale": 0.1, "outcome": "converged", "status": "succeeded", "population_error": 0.5},
        {"scale": 0.2, "outcome": None, "status": "failed", "error": "lost"},
        {"scale": 0.3, "outcome": None, "status": "queued", "error": None},
    ]
    lines = show.table(("scale",), rows).splitlines()
    assert lines[2].split() == ["0.1", "0.5", "-", "-", "-", "converged"]
    assert lines[3].endswith("failed: lost")
    assert lines[4].endswith("queued")


@pytest.mark.parametrize(
    ("outcomes", "statuses", "code"),
    [
        (["converged", "none_known"], ["succeeded"] * 2, Exit.done),
        (["converged", "stalled"], ["succeeded"] * 2, Exit.not_converged),
        (["converged", None], ["succeeded", "failed"], Exit.job_failed),
        (["stalled", None], ["succeeded", "cancelled"], Exit.job_failed),
    ],
)
def test_exit_codes(outcomes: list[str | None], statuses: list[str], code: Exit) -> None:
    assert show.exit_of(outcomes, statuses) is code


def test_progress_in_words() -> None:
    counts = {"cells": 8, "cached": 2, "queued": 3, "running": 1, "succeeded": 3, "failed": 1, "cancelled": 0}
    assert progress_of({"counts": counts}) == (0.5, "4 of 8 cells, 2 cached, 1 running, 1 failed")
    assert progress_of({"status": "queued", "queue_position": 3}) == (0.0, "queued, 3 before it")
    running = {"stage": "flow", "fraction": 0.25, "relative_residual": 1.2e-3}
    assert progress_of({"status": "running", "progress": running}) == (0.25, "running, flow, residual 1.2e-03")
    assert progress_of({"status": "succeeded", "progress": None}) == (1.0, "succeeded")
