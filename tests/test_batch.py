"""A batch gives the results of single runs, cell by cell, whatever happens to some of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from initshape.batch import Cell, run_many
from initshape.run import Progress, RunOutput, run
from initshape.spec.experiment import Experiment
from initshape.spec.outcome import Outcome
from tests.sameness import assert_same_arrays, assert_same_document

BASE: dict[str, Any] = {
    "dataset": {
        "kind": "sparse_regression", "dimension": 20, "samples": 5, "sparsity": 2, "test_samples": 10, "seed": 1,
    },
    "model": {"kind": "diagonal", "depth": 2},
    "init": {"kind": "scale_shape", "scale": 0.01, "shape": 0.5},
    "trajectory": {"points": 10},
}  # fmt: skip


def experiment(**changes: Any) -> Experiment:
    return Experiment.model_validate({**BASE, **changes})


def scaled(scale: float, shape: float = 0.5, **changes: Any) -> Experiment:
    return experiment(init={"kind": "scale_shape", "scale": scale, "shape": shape}, **changes)


def stuck() -> Experiment:
    """All coordinates but one are frozen at zero: no such weights fit."""
    one, none = [1.0, *[0.0] * 19], [0.0] * 20
    init = {"kind": "explicit", "u_plus": one, "v_plus": one, "u_minus": none, "v_minus": none}
    return experiment(init=init, flow={"kind": "none"})


CELLS = [
    *(scaled(scale, shape) for shape in (0.0, 0.6) for scale in (1e-3, 1e-1, 3.0)),
    scaled(1e-4, flow={"kind": "none"}, regularizers=["implicit"]),
    stuck(),
    experiment(dataset={**BASE["dataset"], "seed": 2}),
    scaled(1e-2, flow={"kind": "gradient_descent", "step_size": 0.05}, stop={"relative_residual": 1e-3}),
]


def test_the_same_numbers_as_alone() -> None:
    together = dict(run_many(Cell(one, id=f"x-{k}") for k, one in enumerate(CELLS)))
    assert sorted(together) == list(range(len(CELLS)))
    for k, one in enumerate(CELLS):
        alone, found = run(one, id=f"x-{k}"), together[k]
        assert isinstance(found, RunOutput)
        assert_same_document(found.result.model_dump(mode="json"), alone.result.model_dump(mode="json"))
        assert_same_arrays(found.arrays, alone.arrays)
    outcomes = [one.result.outcome for one in together.values() if isinstance(one, RunOutput)]
    assert outcomes.count(Outcome.infeasible) == 1


def test_dual_flows_take_the_same_steps_as_alone() -> None:
    """To the bit: their step sizes show every digit of the fit that they are given."""
    dataset = {**BASE["dataset"], "dimension": 200, "samples": 40}
    cells = [scaled(scale, dataset=dataset, flow={"integrator": "dual"}) for scale in (1e-5, 3e-5, 1e-4, 3e-4, 1e-3)]
    together = dict(run_many(Cell(one) for one in cells))
    for k, one in enumerate(cells):
        alone, found = run(one), together[k]
        assert isinstance(found, RunOutput)
        for name, array in alone.arrays.items():
            np.testing.assert_array_equal(array, found.arrays[name], err_msg=name)


class Told(BaseException):
    """What a heartbeat raises in a computation that nobody wants any more."""


def breaking(stage: str, error: BaseException) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        if progress.stage == stage:
            raise error

    return report


@pytest.mark.parametrize("stage", ["dataset", "fit implicit", "flow", "comparison"])
@pytest.mark.parametrize("error", [Told(), MemoryError("no room")])
def test_what_ends_one_cell_ends_no_other(stage: str, error: BaseException) -> None:
    cells = [Cell(CELLS[0]), Cell(CELLS[1], report=breaking(stage, error)), Cell(CELLS[2])]
    found = dict(run_many(cells))
    assert found[1] is error
    assert isinstance(found[0], RunOutput)
    assert isinstance(found[2], RunOutput)


def test_cells_end_one_by_one_and_a_cell_begins_when_its_turn_comes() -> None:
    seen: list[str] = []

    def watched(k: int) -> Cell:
        return Cell(CELLS[k], report=lambda progress: seen.append(f"{k} {progress.stage}"))

    for number, _ in run_many([watched(0), watched(6)]):  # trained, and fitted only
        seen.append(f"{number} over")
    assert seen.index("0 over") < seen.index("6 dataset")
    assert seen[-1] == "1 over"


@pytest.mark.parametrize("ending", [KeyboardInterrupt(), SystemExit()])
def test_an_interrupt_ends_the_batch(ending: BaseException) -> None:
    cells = [Cell(CELLS[0]), Cell(CELLS[1], report=breaking("flow", ending)), Cell(CELLS[2])]
    found = run_many(cells)
    assert next(found)[0] == 0
    with pytest.raises(type(ending)):
        next(found)
