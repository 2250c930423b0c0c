"""Sweeps without a server: spread over processes they give what one process gives, and end when they are told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from initshape import spread as module
from initshape.batch import Cell, run_many
from initshape.client import Local
from initshape.run import Progress, RunOutput
from initshape.spec.experiment import Experiment
from initshape.spread import ProcessDiedError, spread, worth_spreading
from tests.sameness import assert_same_arrays, assert_same_document

BASE: dict[str, Any] = {
    "dataset": {
        "kind": "sparse_regression", "dimension": 20, "samples": 5, "sparsity": 2, "test_samples": 10, "seed": 1,
    },
    "model": {"kind": "diagonal", "depth": 2},
    "init": {"kind": "scale_shape", "scale": 0.01, "shape": 0.5},
    "flow": {"kind": "none"},
}  # fmt: skip


def cells(count: int = 8, **changes: Any) -> list[Cell]:
    return [
        Cell(
            Experiment.model_validate(
                {**BASE, "init": {"kind": "scale_shape", "scale": 0.01 * 1.5**k, "shape": 0.5}, **changes}
            ),
            id=f"x-{k}",
        )
        for k in range(count)
    ]


def children() -> set[int]:
    """Processes of `spread` that this one has started."""
    found = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return {int(n) for n in found if b"spread_child" in Path(f"/proc/{n}/cmdline").read_bytes()}


def test_the_same_results_as_in_one_process() -> None:
    asked = [*cells(3), *cells(2, flow={"kind": "gradient_flow"}), *cells(1, dataset={**BASE["dataset"], "seed": 2})]
    apart, together = dict(spread(asked, 2)), dict(run_many(asked))
    assert apart.keys() == together.keys()
    for k, one in apart.items():
        other = together[k]
        assert isinstance(one, RunOutput)
        assert isinstance(other, RunOutput)
        assert list(one.arrays) == list(other.arrays)
        assert_same_document(one.result.model_dump(mode="json"), other.result.model_dump(mode="json"))
        assert_same_arrays(one.arrays, other.arrays)
    assert children() == set()


def test_one_copy_of_the_data() -> None:
    found = [end for _, end in spread(cells(4), 2)]
    assert len({id(end.arrays["X"]) for end in found if isinstance(end, RunOutput)}) == 1


def test_a_dead_process_costs_one_cell() -> None:
    seen: list[int] = []

    def kill_once(progress: Progress) -> None:
        if not seen:
            (first, *_) = children()
            os.kill(first, signal.SIGKILL)
            seen.append(first)

    asked = [Cell(cell.experiment, cell.id, kill_once) for cell in cells(12)]
    found = dict(spread(asked, 2))
    assert sorted(found) == list(range(12))
    assert [type(end) for end in found.values()].count(ProcessDiedError) <= 1
    assert sum(isinstance(end, RunOutput) for end in found.values()) >= 11


def test_when_all_have_died_every_cell_says_so() -> None:
    def kill(progress: Progress) -> None:
        for number in children():
            os.kill(number, signal.SIGKILL)

    found = dict(spread([Cell(cell.experiment, cell.id, kill) for cell in cells(12)], 2))
    assert sorted(found) == list(range(12))
    assert ProcessDiedError in {type(end) for end in found.values()}


def test_what_a_watcher_raises_stops_everything() -> None:
    def stop(progress: Progress) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError):
        list(spread([Cell(cell.experiment, cell.id, stop) for cell in cells()], 2))
    assert children() == set()


def document(count: int) -> dict[str, Any]:
    return {"sweep": {"base": BASE, "axes": [{"path": "init.scale", "logspace": [-3, 0, count]}]}}


@pytest.mark.parametrize("processes", [1, 2])
def test_local_sweeps_on_any_number_of_processes(processes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORTH_SECONDS", 0.0)
    told: dict[str, Progress] = {}
    local = Local(told.__setitem__, processes=processes)
    sent = local.submit_sweep(document(6))
    assert sent["counts"]["succeeded"] == 6
    rows = local.table(sent["id"]).rows
    assert {row["id"] for row in rows} == told.keys()
    assert [row["outcome"] for row in rows] == ["converged"] * 6
    assert local.submit_sweep(document(6))["id"] == sent["id"]  # known: nothing is started


@pytest.mark.parametrize("processes", [1, 2])
def test_a_watcher_stops_a_local_sweep(processes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORTH_SECONDS", 0.0)
    count = []

    def stop_once(id: str, progress: Progress) -> None:
        count.append(id)
        if len(count) == 1:
            raise LookupError("enough")

    with pytest.raises(LookupError):
        Local(stop_once, processes=processes).submit_sweep(document(6))
    assert len(count) < 6


def test_short_sweeps_are_not_worth_it() -> None:
    assert not worth_spreading(cells(8))
    assert not worth_spreading(cells(1, dataset={**BASE["dataset"], "dimension": 1000, "samples": 100}))
    assert worth_spreading(cells(100, dataset={**BASE["dataset"], "dimension": 1000, "samples": 100}))


def test_a_script_needs_no_main_guard(tmp_path: Path) -> None:
    """The processes do not run the caller's script again."""
    script = tmp_path / "script.py"
    script.write_text(
        "from initshape import spread\nspread.WORTH_SECONDS = 0.0\nfrom initshape.client import Local\n"
        f"print('once', Local(processes=2).submit_sweep({document(4)!r})['counts']['succeeded'])\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["once", "4"]
