"""Batches whose flows share a program, as on an accelerator: each experiment ends as it would have alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from initshape.batch import Cell, run_many
from initshape.run import run
from initshape.simulate import Progress
from initshape.spec.experiment import Experiment


class GoneError(Exception):
    """Nobody wants this cell any more."""


def experiment(scale: float, **changes: Any) -> Experiment:
    document = {
        "dataset": {"kind": "sparse_regression", "dimension": 20, "samples": 5, "sparsity": 2, "test_samples": 10},
        "model": {"kind": "diagonal", "depth": 2},
        "init": {"kind": "scale_shape", "scale": scale, "shape": 0.3},
        "regularizers": ["implicit", "l2"],
        "trajectory": {"points": 20, "coordinates": 3},
    }
    return Experiment.model_validate(document | changes)


def test_cells_of_one_shape_share_a_program_and_end_as_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INITSHAPE_LANES", "always")
    wanted = [
        experiment(1e-3),
        experiment(0.5),
        experiment(1e-1, flow={"kind": "gradient_flow", "integrator": "limit"}),
        experiment(1e-2),
        experiment(1e-1, flow={"kind": "none"}),
        experiment(1e-1, stop={"max_time": 0.5}),
    ]

    def goes_away(progress: Progress) -> None:
        if progress.stage == "flow" and progress.time is not None:
            raise GoneError

    seen: dict[int, list[str]] = {}
    cells = [Cell(e, report=lambda p, k=k: seen.setdefault(k, []).append(p.stage)) for k, e in enumerate(wanted)]
    cells.append(Cell(experiment(3e-2), report=goes_away))
    found = dict(run_many(cells))
    assert sorted(found) == list(range(7))
    assert isinstance(found.pop(6), GoneError)
    for number, output in found.items():
        assert not isinstance(output, BaseException), output
        alone = run(wanted[number])
        assert output.result.outcome is alone.result.outcome
        assert output.arrays.keys() == alone.arrays.keys()
        for name, values in alone.arrays.items():
            np.testing.assert_allclose(output.arrays[name], values, rtol=1e-10, atol=1e-13, err_msg=name)
        if alone.result.flow is not None:
            assert output.result.flow is not None
            assert output.result.flow.steps == alone.result.flow.steps
        assert seen[number][-1] == "comparison"
