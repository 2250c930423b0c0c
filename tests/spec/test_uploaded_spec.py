"""Experiments that name uploads: the same rules as for inline data, and an identity that is that of the content."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from initshape.datasets.shared import shared
from initshape.models import initialize
from initshape.spec.dataset import UploadedDataset
from initshape.spec.expand import expand
from initshape.spec.experiment import Experiment
from initshape.spec.identity import experiment_id, resolved
from initshape.spec.parse import parse_evaluation, parse_submission, parse_sweep
from initshape.spec.problem import ProblemError, SpecError
from initshape.spec.uploaded import Upload, named_by, upload_ids
from initshape.uploads import dataset_upload, init_upload

X = np.array([[1.0, 2.0, -0.5], [0.0, 1.0, 3.0]])
Y = np.array([1.0, -2.0])
DATA = dataset_upload({"X": X, "y": Y, "X_test": X, "y_test": Y})
CLASSES = dataset_upload({"X": X, "y": np.sign(Y)})
FACTORS = init_upload({name: np.full(3, 0.1) for name in ("u_plus", "v_plus", "u_minus", "v_minus")})
BRANCHES = init_upload({"plus": np.full((3, 3), 0.1), "minus": np.full((3, 3), 0.1)})
NEURON = init_upload({"a": np.float64(2.0), "w": np.array([0.1, 0.2, 0.3])})
NETWORK = init_upload({"layers_0": np.arange(6.0).reshape(2, 3), "layers_1": np.ones((1, 2))})
SCALE = {"kind": "scale_shape", "scale": 0.1, "shape": 0.5}


def experiment(data: Upload = DATA, init: Upload | None = None, **others: Any) -> dict[str, Any]:
    return {
        "dataset": {"kind": "uploaded", "dataset_id": data.id},
        "model": {"kind": "diagonal"},
        "init": SCALE if init is None else {"kind": "uploaded", "init_id": init.id},
    } | others


def parsed(document: dict[str, Any], *uploads: Upload) -> Experiment:
    return parse_submission({"experiment": document}, {upload.id: upload for upload in uploads}).experiment


def problem_of(document: dict[str, Any], *uploads: Upload) -> ProblemError:
    with pytest.raises(SpecError) as caught:
        parsed(document, *uploads)
    assert caught.value.status == 422
    return caught.value.errors[0]


def test_sizes_are_those_of_the_upload() -> None:
    found = parsed(experiment(), DATA)
    assert isinstance(found.dataset, UploadedDataset)
    assert (found.dataset.samples, found.dataset.dimension, found.dataset.test_samples) == (2, 3, 2)
    assert resolved(found)["dataset"] == {"kind": "uploaded", "dataset_id": DATA.id}
    assert named_by(resolved(found)) == (DATA.id,)


def test_the_identity_is_that_of_the_content() -> None:
    again = dataset_upload({"y": Y, "X": np.asfortranarray(X), "y_test": Y, "X_test": X})
    facts = Upload(DATA.id, DATA.facts, DATA.labels)
    assert experiment_id(parsed(experiment(), DATA)) == experiment_id(parsed(experiment(again), again))
    assert parsed(experiment(), facts) == parsed(experiment(), DATA)
    assert experiment_id(parsed(experiment(), DATA)) != experiment_id(parsed(experiment(CLASSES), CLASSES))


def test_an_experiment_travels_with_its_numbers() -> None:
    found = parsed(experiment(init=FACTORS), DATA, FACTORS)
    there = pickle.loads(pickle.dumps(found))
    assert there == found
    np.testing.assert_array_equal(shared(there.dataset).X, X)
    assert shared(found.dataset) is shared(there.dataset)
    assert Experiment(dataset=found.dataset, model=found.model, init=found.init) == found


@pytest.mark.parametrize(
    ("model", "init"),
    [
        ({"kind": "diagonal"}, FACTORS), ({"kind": "diagonal", "depth": 3}, BRANCHES),
        ({"kind": "single_neuron"}, NEURON), ({"kind": "fully_connected", "width": 2}, NETWORK),
    ],
)  # fmt: skip
def test_an_uploaded_initialization_is_the_explicit_one(model: dict[str, Any], init: Upload) -> None:
    assert init.arrays is not None
    arrays = {name: array.tolist() for name, array in init.arrays.items()}
    layers = [arrays.pop(name) for name in list(arrays) if name.startswith("layers_")]
    inline = {"kind": "explicit", **arrays, **({"layers": layers} if layers else {})}
    ours = parsed(experiment(init=init, model=model), DATA, init)
    theirs = parsed(experiment(model=model) | {"init": inline}, DATA)
    for found, expected in zip(
        initialize(ours.model, ours.init, 3), initialize(theirs.model, theirs.init, 3), strict=True
    ):
        np.testing.assert_equal(found, expected)


@pytest.mark.parametrize(
    ("model", "init"),
    [
        ({"kind": "diagonal"}, BRANCHES), ({"kind": "diagonal", "depth": 3}, FACTORS), ({"kind": "diagonal"}, NEURON),
        ({"kind": "single_neuron", "scalar_layers": 2}, NEURON), ({"kind": "fully_connected", "width": 3}, NETWORK),
        ({"kind": "diagonal"}, init_upload({n: np.full(2, 0.1) for n in ("u_plus", "v_plus", "u_minus", "v_minus")})),
        ({"kind": "single_neuron"}, init_upload({"a": np.array(1e60), "w": np.ones(3)})),
    ],
)  # fmt: skip
def test_an_initialization_that_does_not_fit_is_refused(model: dict[str, Any], init: Upload) -> None:
    assert problem_of(experiment(init=init, model=model), DATA, init).pointer == "/experiment/init/init_id"


def test_what_is_not_kept_is_refused_with_advice() -> None:
    assert problem_of(experiment()).pointer == "/experiment/dataset/dataset_id"
    assert "send it again" in problem_of(experiment(init=FACTORS), DATA).hint
    swapped = {"kind": "uploaded", "dataset_id": FACTORS.id}
    assert problem_of(experiment() | {"dataset": swapped}, FACTORS).pointer == "/experiment/dataset/dataset_id"


def test_labels_that_cannot_be_fitted_are_refused() -> None:
    tall = dataset_upload({"X": np.vstack([X, X]), "y": np.array([1.0, -2.0, 1.0, 2.0])})
    zero = dataset_upload({"X": X, "y": np.zeros(2)})
    assert problem_of(experiment(tall), tall).value == pytest.approx(np.sqrt(0.8))
    assert "nothing to learn" in problem_of(experiment(zero), zero).hint
    relu = {"kind": "fully_connected", "width": 4, "activation": "relu"}
    parsed(experiment(tall, model=relu), tall)
    assert problem_of(experiment(zero, model=relu), zero).pointer == "/experiment/dataset/dataset_id"


def test_classification_needs_classes() -> None:
    loss = {"kind": "exponential"}
    parsed(experiment(CLASSES, loss=loss), CLASSES)
    found = problem_of(experiment(loss=loss), DATA)
    assert (found.pointer, found.value, found.allowed) == ("/experiment/dataset/dataset_id", -2.0, "-1 or 1")


def test_a_sweep_may_vary_its_uploads() -> None:
    base = experiment()
    sweep = {"base": base, "axes": [{"path": "dataset.dataset_id", "values": [DATA.id, CLASSES.id]}]}
    document = {"sweep": copy.deepcopy(sweep)}
    assert upload_ids(document) == {DATA.id, CLASSES.id}
    cells = expand(parse_sweep(document).sweep, {DATA.id: DATA, CLASSES.id: CLASSES})
    assert len({cell.id for cell in cells}) == 2
    with pytest.raises(SpecError) as caught:
        expand(parse_sweep(document).sweep, {DATA.id: DATA})
    assert caught.value.errors[0].pointer == "/sweep/axes/0/values/1"


def test_a_look_at_a_regularizer_takes_its_arrays_inline() -> None:
    document = {
        "model": {"kind": "diagonal"},
        "init": {"kind": "uploaded", "init_id": FACTORS.id},
        "points": [[1.0] * 3],
    }
    with pytest.raises(SpecError) as caught:
        parse_evaluation(document)
    assert caught.value.errors[0].pointer == "/init/kind"
