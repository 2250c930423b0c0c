"""Cells that are put together from shared sections are those of a validation of the whole, and so are their errors."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from initshape.spec.assembly import Assembled, Assembler
from initshape.spec.dataset import UploadedDataset
from initshape.spec.expand import combinations, expand, sweep_id
from initshape.spec.experiment import Experiment
from initshape.spec.explain import explain
from initshape.spec.overlay import Setting, overlay, relocate
from initshape.spec.parse import parse_sweep
from initshape.spec.problem import SpecError
from initshape.spec.uploaded import Uploads
from initshape.uploads import dataset_upload, init_upload

DATA = dataset_upload({"X": np.eye(2, 3), "y": np.array([1.0, -1.0])})
FACTORS = init_upload({name: np.full(3, 0.1) for name in ("u_plus", "v_plus", "u_minus", "v_minus")})
UPLOADS: Uploads = {upload.id: upload for upload in (DATA, FACTORS)}
UNKNOWN = "d-" + "a" * 26

NUMBERS: list[Any] = [0, 1, 2.0, 3, 0.5, -0.5, 1e-3, 1e300, 2**60, True, None, "2", [0.1, 0.2, 0.3], {"a": 1}, []]
SECTIONS: dict[str, list[Any]] = {
    "dataset": [
        {"kind": "sparse_regression", "dimension": 3, "samples": 2, "sparsity": 1},
        {"kind": "sparse_regression", "dimension": 3.0, "samples": 5},
        {"kind": "separable_classification", "dimension": 3, "samples": 2, "sparsity": 1},
        {"kind": "explicit", "X": [[1, 2, 3]], "y": [1]},
        {"kind": "explicit", "X": [[1, 2, 3], [1, 2]], "y": [1]},
        {"kind": "uploaded", "dataset_id": DATA.id},
        {"kind": "uploaded", "dataset_id": UNKNOWN},
        {"kind": "teacher", "teacher": "dense", "dimension": 3, "samples": 2},
        {"kind": "linear", "dimension": 3},
        7,
    ],
    "model": [
        {"kind": "diagonal"}, {"kind": "diagonal", "depth": 3}, {"kind": "single_neuron"}, {"kind": "diagonal", "a": 1},
        {"kind": "fully_connected", "width": 2}, {"kind": "fully_connected", "width": 2, "activation": "relu"}, {},
    ],
    "init": [
        {"kind": "scale_shape", "scale": 0.1, "shape": 0}, {"kind": "scale_shape", "scale": [1, 2, 3], "shape": 0.5},
        {"kind": "scale_shape", "scale": 0.1, "shape": 0, "balanced": True}, {"kind": "scale_shape", "shape": 2},
        {"kind": "uploaded", "init_id": FACTORS.id}, {"kind": "explicit", "a": 1, "w": [1, 2, 3]}, [],
    ],
    "loss": [{"kind": "square"}, {"kind": "exponential"}, {}, "square"],
    "flow": [
        {"kind": "none"}, {"rtol": 1e-6}, {"kind": "gradient_descent", "step_size": 0.1, "batch_size": 1},
        {"kind": "gradient_descent", "step_size": 0.1}, {"integrator": "limit"}, {"integrator": "dual", "atol": 1},
        None,
    ],
    "stop": [{}, {"max_time": 10}, {"log_train_loss": -5}, {"relative_residual": None}, {"max_seconds": 5}, 3],
    "regularizers": [["l2", "implicit"], ["l1", "l1"], [], ["l3"], ["summed_neurons"], "l1"],
    "trajectory": [{"points": 5}, {"points": 1}, {}],
    "resources": [{"device": "cpu"}, {"device": "tpu"}],
}  # fmt: skip
GOOD: dict[str, Any] = {name: SECTIONS[name][0] for name in ("dataset", "model", "init")}
SWEPT: dict[str, list[Any]] = {
    **SECTIONS,
    "dataset.seed": [1, 2.0, -1, "a"], "dataset.samples": [1, 2, 3, 4.0], "dataset.kind": ["teacher", "explicit"],
    "init.scale": NUMBERS, "init.shape": NUMBERS, "init.seed": [0, 1], "init.balanced": [True, False, None],
    "model.depth": NUMBERS, "model.kind": ["diagonal", "single_neuron", "fully_connected"], "model.width": [2, 3],
    "loss.kind": ["square", "exponential", "logistic", "cubic"],
    "flow.kind": ["none", "gradient_flow", "gradient_descent"], "flow.step_size": [0.1, 0], "flow.batch_size": [1, 9],
    "flow.integrator": ["limit", "dual", "radau"],
    "stop.max_steps": [10, None, 1.5], "stop.relative_residual": [1e-3, None], "stop.max_seconds": [1, 2],
    "regularizers.first": ["l1"], "trajectory.points.x": [1], "colour": ["red"], "stop.colour": [1],
}  # fmt: skip
ANY_BASE = st.fixed_dictionaries(
    {name: st.sampled_from(SECTIONS[name]) for name in GOOD},
    optional={name: st.sampled_from(found) for name, found in SECTIONS.items() if name not in GOOD},
)
MOSTLY_GOOD = st.builds(
    lambda base, other: {**base, **other},
    st.just(GOOD), st.dictionaries(st.sampled_from(list(SECTIONS)), st.none(), max_size=2).flatmap(
        lambda names: st.fixed_dictionaries({name: st.sampled_from(SECTIONS[name]) for name in names})
    ),
)  # fmt: skip
PATH = st.sampled_from(list(SWEPT))
AXES = st.lists(
    PATH.flatmap(lambda path: st.fixed_dictionaries(
        {"path": st.just(path), "values": st.lists(st.sampled_from(SWEPT[path]), min_size=1, max_size=4)}
    )),
    max_size=3, unique_by=lambda axis: axis["path"],
)  # fmt: skip
LISTED = st.lists(
    st.lists(PATH, max_size=3, unique=True).flatmap(
        lambda paths: st.fixed_dictionaries({path: st.sampled_from(SWEPT[path]) for path in paths})
    ),
    max_size=3,
)


def alone(base: Mapping[str, Any], chosen: tuple[Setting, ...]) -> Assembled:
    """The cell by pydantic and the canonical JSON of the whole."""
    try:
        experiment = Experiment.model_validate(overlay(base, chosen), context=UPLOADS)
    except ValidationError as error:
        problems = tuple(relocate(p, chosen) for p in explain(error, Experiment))
        raise SpecError("A cell of the sweep is not a valid experiment.", problems) from None
    document = experiment.model_dump(mode="json", exclude_none=True)
    covered = {name: section for name, section in document.items() if name != "resources"}
    covered["stop"] = {name: value for name, value in document["stop"].items() if name != "max_seconds"}
    return Assembled("x-" + named({"experiment": covered, "numerics_version": "2"}), experiment, document)


def named(document: Any) -> str:
    return base64.b32encode(hashlib.sha256(rfc8785.dumps(document)).digest()).decode().lower()[:26]


@settings(max_examples=400, deadline=None)
@given(ANY_BASE | MOSTLY_GOOD | MOSTLY_GOOD, AXES, LISTED)
@example(GOOD, [{"path": "loss.kind", "values": ["square", "exponential"]},
                {"path": "dataset", "values": SECTIONS["dataset"][:3]}], [])  # fmt: skip
@example(GOOD, [{"path": "flow", "values": SECTIONS["flow"][:4]}, {"path": "model", "values": SECTIONS["model"]}], [])
@example(GOOD, [{"path": "model.kind", "values": ["diagonal", "single_neuron"]}, {"path": "init.scale", "values": [1]}],
         [{"init": SECTIONS["init"][4], "dataset": SECTIONS["dataset"][5]}])  # fmt: skip
def test_a_cell_is_that_of_a_validation_of_the_whole(base: Any, axes: list[Any], listed: list[Any]) -> None:
    if not axes and not listed:
        return
    sweep = parse_sweep({"sweep": {"base": base, "axes": axes, "list": listed}}).sweep
    assembler = Assembler(sweep.base, UPLOADS)
    for chosen in combinations(sweep):
        try:
            expected = alone(sweep.base, chosen)
        except SpecError as error:
            with pytest.raises(SpecError) as caught:
                assembler.cell(chosen)
            assert (caught.value.detail, caught.value.errors) == (error.detail, error.errors)
            continue
        found = assembler.cell(chosen)
        assert found.id == expected.id
        assert found.experiment == expected.experiment
        assert list(vars(found.experiment)) == list(vars(expected.experiment))
        assert json.dumps(found.document) == json.dumps(expected.document)
        assert found.experiment.model_dump_json() == expected.experiment.model_dump_json()


def test_good_cells_need_no_validation_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    # not in place of anything: to go there at all is the failure
    monkeypatch.setattr(Assembler, "_alone", lambda self, chosen: pytest.fail("validated as a whole"))
    axes = [{"path": "init.scale", "values": [1, 0.1]}, {"path": "loss.kind", "values": ["square"]},
            {"path": "stop.max_time", "values": [10, 20]}]  # fmt: skip
    listed = [{"dataset": {"kind": "uploaded", "dataset_id": DATA.id}, "init": SECTIONS["init"][4]}]
    cells = expand(parse_sweep({"sweep": {"base": GOOD, "axes": axes, "list": listed}}).sweep, UPLOADS)
    assert len(cells) == 5
    assert cells[0].document["dataset"] is cells[3].document["dataset"]
    assert cells[0].experiment.dataset is cells[3].experiment.dataset
    dataset = cells[-1].experiment.dataset
    assert isinstance(dataset, UploadedDataset)
    assert dataset.upload is DATA


@given(st.lists(st.dictionaries(st.sampled_from(["init.scale", "init.shape", "dataset.seed"]), st.integers(0, 3)),
                min_size=1, max_size=5))  # fmt: skip
def test_the_id_of_a_sweep_is_the_hash_of_its_cells_and_labels(listed: list[dict[str, Any]]) -> None:
    listed = [{"init.scale": 1 + k, "init.shape": 0.5, **{p: v / 4 + 0.1 for p, v in row.items() if "seed" not in p}}
              for k, row in enumerate(listed)]  # fmt: skip
    cells = expand(parse_sweep({"sweep": {"base": GOOD, "list": listed}}).sweep)
    columns = list(dict.fromkeys(path.rsplit(".", 1)[-1] for cell in cells for path in cell.values))
    document = {"cells": [{"id": cell.id, "values": cell.values} for cell in cells], "columns": columns}
    assert sweep_id(cells) == "s-" + named(document)
