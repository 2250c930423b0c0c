"""Sweeps: order, merging, labels, limits, and errors that point at the value that caused them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from initshape.spec.expand import columns, expand, sweep_id
from initshape.spec.identity import experiment_id
from initshape.spec.parse import parse_submission, parse_sweep
from initshape.spec.problem import SpecError

BASE: dict[str, Any] = {
    "dataset": {"kind": "sparse_regression", "dimension": 50, "samples": 5},
    "model": {"kind": "diagonal"},
    "init": {"kind": "scale_shape"},
}


def cells(**sweep: Any) -> Any:
    return expand(parse_sweep({"sweep": {"base": BASE, **sweep}}).sweep)


def test_product_has_the_first_axis_slowest_and_list_last() -> None:
    found = cells(
        axes=[{"path": "init.scale", "values": [1, 2]}, {"path": "init.shape", "values": [0, 0.5]}],
        list=[{"init.scale": 9, "init.shape": 0.1, "dataset.seed": 7}],
    )
    assert [(c.values["init.scale"], c.values["init.shape"]) for c in found] == [
        (1, 0), (1, 0.5), (2, 0), (2, 0.5), (9, 0.1),
    ]  # fmt: skip
    assert found[-1].experiment.dataset.seed == 7


def test_zip_moves_together_and_replicate_multiplies() -> None:
    found = cells(
        zip=[{"paths": ["init.scale", "init.shape"], "values": [[1, 0], [2, 0.5]]}],
        replicate={"path": "dataset.seed", "values": [1, 2, 3]},
    )
    assert [(c.values["init.scale"], c.values["dataset.seed"]) for c in found] == [
        (1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3),
    ]  # fmt: skip


def test_duplicates_are_merged() -> None:
    found = cells(axes=[{"path": "init.scale", "values": [1, 1.0, 2]}, {"path": "init.shape", "values": [0]}])
    assert len(found) == 2


def test_a_cell_is_the_experiment_that_a_user_would_send_alone() -> None:
    (cell,) = cells(list=[{"init.scale": 0.25, "init.shape": 0.5}])
    document = {**BASE, "init": {"kind": "scale_shape", "scale": 0.25, "shape": 0.5}}
    assert cell.id == experiment_id(parse_submission({"experiment": document}).experiment)


def test_grids_agree_with_numpy() -> None:
    found = cells(axes=[{"path": "init.scale", "logspace": [-5, -0.6, 20]}, {"path": "init.shape", "values": [0]}])
    np.testing.assert_allclose([c.values["init.scale"] for c in found], np.logspace(-5, -0.6, 20), rtol=3e-16)
    found = cells(axes=[{"path": "init.shape", "linspace": [-0.5, 0.5, 5]}, {"path": "init.scale", "values": [1]}])
    assert [c.values["init.shape"] for c in found] == [-0.5, -0.25, 0.0, 0.25, 0.5]
    (single,) = cells(axes=[{"path": "init.scale", "logspace": [-3, -1, 1]}, {"path": "init.shape", "values": [0]}])
    assert single.values["init.scale"] == 1e-3


def test_sweep_identity_depends_on_cells_and_labels() -> None:
    axes = [{"path": "init.scale", "values": [1, 2]}, {"path": "init.shape", "values": [0]}]
    assert sweep_id(cells(axes=axes)) == sweep_id(cells(axes=axes))
    assert sweep_id(cells(axes=axes)) != sweep_id(cells(axes=axes[::-1]))


def test_columns_are_last_segments_unless_ambiguous() -> None:
    found = cells(list=[{"init.scale": 1, "init.shape": 0, "dataset.seed": 1, "stop.max_time": 5}])
    assert columns(found) == {
        "init.scale": "scale", "init.shape": "shape", "dataset.seed": "seed", "stop.max_time": "max_time",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sweep", "pointer", "hint"),
    [
        ({"axes": [{"path": "init.shape", "values": [0, 1.5]}, {"path": "init.scale", "values": [1]}]},
         "/sweep/axes/0/values/1", "less than 1"),
        ({"axes": [{"path": "init.shap", "values": [0]}, {"path": "init.scale", "values": [1]}]},
         "/sweep/axes/0/values/0", "'shape'"),
        ({"axes": [{"path": "init.scale", "logspace": [-5, -1, 20001]}]}, "/sweep/axes/0/logspace/2", "at most"),
        ({"axes": [{"path": "init.scale", "values": [1] * 200}, {"path": "dataset.seed", "values": [1] * 60}]},
         "/sweep", "split"),
        ({"axes": [{"path": "init.scale"}]}, "/sweep/axes/0", "exactly one"),
        ({"axes": [{"path": "init scale", "values": [1]}]}, "/sweep/axes/0/path", "match"),
        ({"axes": [{"path": "init.scale", "values": [1]}] * 2}, "/sweep", "twice"),
        ({}, "/sweep", "something to vary"),
        ({"zip": [{"paths": ["init.scale"], "values": [[1, 2]]}]}, "/sweep/zip/0/values/0", "one value a path"),
        ({"list": [{"init.scale": 1}]}, "/sweep/base/init/shape", "required"),
        ({"list": [{"init.scale": "1", "init.shape": 0}]}, "/sweep/list/0/init.scale", "without quotes"),
        ({"axe": []}, "/sweep/axe", "'axes'"),
    ],
)  # fmt: skip
def test_errors_point_at_the_cause(sweep: dict[str, Any], pointer: str, hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        cells(**sweep)
    assert pointer in [problem.pointer for problem in caught.value.errors]
    assert any(hint in problem.hint for problem in caught.value.errors)
