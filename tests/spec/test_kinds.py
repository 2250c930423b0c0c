"""Every kind of model, initialization, loss, flow and data set: what it accepts, fills in and refuses."""

from __future__ import annotations

from typing import Any

import pytest

from initshape.spec.experiment import Experiment
from initshape.spec.identity import experiment_id, resolved
from initshape.spec.model import Diagonal
from initshape.spec.parse import parse_submission
from initshape.spec.problem import SpecError
from initshape.spec.stop import Stop

DATA = {"kind": "sparse_regression", "dimension": 6, "samples": 3, "sparsity": 2}
CLASSES = {"kind": "separable_classification", "dimension": 6, "samples": 20, "sparsity": 2}
NEURON = {"kind": "single_neuron"}
NETWORK = {"kind": "fully_connected", "width": 4}
SHAPED = {"kind": "scale_shape", "scale": 0.1, "shape": 0.5}
BALANCED = {"kind": "scale_shape", "scale": 0.1, "shape": 0, "balanced": True}
LAYERS = [[[0.1] * 6] * 4, [[0.2] * 4]]


def parse(**parts: Any) -> Experiment:
    document = {"dataset": DATA, "model": {"kind": "diagonal"}, "init": SHAPED, **parts}
    return parse_submission({"experiment": document}).experiment


@pytest.mark.parametrize(
    "parts",
    [
        {"model": {"kind": "diagonal", "depth": 6}},
        {"model": {"kind": "diagonal", "depth": 3}, "init": {"kind": "explicit", "plus": [[1] * 6] * 3,
                                                             "minus": [[0] * 6] * 3}},
        {"model": NEURON},
        {"model": NEURON, "init": {**SHAPED, "seed": 13.0}},
        {"stop": {"max_steps": 2e7}},
        {"model": NEURON, "init": {**SHAPED, "direction": [1, 0, 0, 0, 0, 0]}},
        {"model": NEURON, "init": {"kind": "explicit", "a": -0.05, "w": [2, 0, 0, 0, 0, 0]}},
        {"model": {**NEURON, "scalar_layers": 2}, "init": {"kind": "explicit", "a": [1, 2], "w": [1] * 6}},
        {"model": NETWORK},
        {"model": NETWORK, "init": {**SHAPED, "scale": [0.1, 0.2, 0.3, 0.4], "signs": "paired", "seed": 5}},
        {"model": {**NETWORK, "depth": 4}, "init": BALANCED},
        {"model": NETWORK, "init": {"kind": "explicit", "layers": LAYERS}},
        {"model": {**NETWORK, "activation": "leaky_relu"}, "dataset": {**DATA, "samples": 9}},
        {"model": NETWORK, "regularizers": ["summed_neurons", "summed_neurons_weighted", "l2"]},
        {"dataset": CLASSES, "loss": {"kind": "exponential"}},
        {"dataset": CLASSES, "loss": {"kind": "logistic"}, "model": NETWORK, "stop": {"log_train_loss": -2302.6}},
        {"flow": {"kind": "gradient_descent", "step_size": 1e-3, "batch_size": 2, "momentum": 0.9}},
        {"dataset": {"kind": "linear_regression", "dimension": 6, "samples": 3, "spectrum": [1, 2, 3, 4, 5, 6]}},
        {"dataset": {"kind": "linear_regression", "dimension": 6, "samples": 9, "noise_variance": 0,
                     "spectrum_decay": 1.5}},
        {"dataset": {"kind": "teacher", "teacher": "neuron", "dimension": 6, "samples": 3}},
    ],
)  # fmt: skip
def test_accepted_and_stable_under_resolution(parts: dict[str, Any]) -> None:
    experiment = parse(**parts)
    again = Experiment.model_validate(resolved(experiment))
    assert experiment_id(again) == experiment_id(experiment)


def test_conditional_defaults_are_visible() -> None:
    assert resolved(parse())["stop"]["relative_residual"] == 1e-10
    assert "seed" not in resolved(parse())["init"]
    assert resolved(parse(model=NEURON))["init"]["seed"] == 0
    assert resolved(parse(model=NETWORK))["init"]["signs"] == "random"
    assert "signs" not in resolved(parse(model=NETWORK, init=BALANCED))["init"]
    descent = resolved(parse(flow={"kind": "gradient_descent", "step_size": 1, "batch_size": 2}))
    assert descent["stop"]["max_steps"] == 20_000_000
    assert descent["flow"]["seed"] == 0
    classes = resolved(parse(dataset=CLASSES, loss={"kind": "exponential"}))
    assert "relative_residual" not in classes["stop"]
    assert classes["stop"]["log_train_loss"] == pytest.approx(-230.2585)


def test_an_experiment_written_in_python_gets_the_same_defaults() -> None:
    written = parse(stop={"max_time": 5.0})
    built = Experiment(
        dataset=written.dataset, model=Diagonal(kind="diagonal"), init=written.init, stop=Stop(max_time=5.0)
    )
    assert experiment_id(built) == experiment_id(written)


@pytest.mark.parametrize(
    ("parts", "pointer", "words"),
    [
        ({"init": {**SHAPED, "seed": 1}}, "/experiment/init/seed", "means nothing"),
        ({"init": {**SHAPED, "balanced": True}}, "/experiment/init/balanced", "means nothing"),
        ({"model": NEURON, "init": {**SHAPED, "signs": "random"}}, "/experiment/init/signs", "means nothing"),
        ({"model": NEURON, "init": {**SHAPED, "scale": [1, 2]}}, "/experiment/init/scale", "whole network"),
        ({"model": NEURON, "init": {**SHAPED, "direction": [0] * 6}}, "/experiment/init/direction", "zero"),
        ({"model": NEURON, "init": {**SHAPED, "direction": [1]}}, "/experiment/init/direction", "feature"),
        ({"model": NEURON, "init": {"kind": "explicit", "a": 1}}, "/experiment/init/w", "required"),
        ({"model": NEURON, "init": {"kind": "explicit", "a": [1, 2], "w": [1] * 6}}, "/experiment/init/a", "1"),
        ({"model": NEURON, "init": {"kind": "explicit", "a": 1, "w": [1] * 5}}, "/experiment/init/w", "a list of 6"),
        ({"model": NETWORK, "init": {**SHAPED, "scale": [1, 2]}}, "/experiment/init/scale", "width 4"),
        ({"model": {**NETWORK, "depth": 3}}, "/experiment/init/balanced", "balanced: true"),
        ({"model": {**NETWORK, "depth": 3}, "init": {**BALANCED, "shape": 0.5}}, "/experiment/init/shape", "0"),
        ({"model": {**NETWORK, "activation": "relu"}, "init": BALANCED}, "/experiment/init/balanced", "linear"),
        ({"model": {**NETWORK, "width": 3}, "init": {**SHAPED, "signs": "paired"}}, "/experiment/init/signs", "even"),
        ({"model": NETWORK, "init": {"kind": "explicit", "layers": LAYERS[:1]}}, "/experiment/init/layers", "matrix"),
        ({"model": NETWORK, "init": {"kind": "explicit", "layers": [LAYERS[0], [[1] * 3]]}},
         "/experiment/init/layers/1", "1 x 4"),
        ({"model": {"kind": "fully_connected"}}, "/experiment/model/width", "required"),
        ({"model": {"kind": "diagonal", "depth": 7}}, "/experiment/model/depth", "at most 6"),
        ({"regularizers": ["summed_neurons"]}, "/experiment/regularizers/0", "two-layer"),
        ({"dataset": CLASSES}, "/experiment/loss/kind", "labels"),
        ({"dataset": CLASSES, "loss": {"kind": "logistic"}, "model": NEURON}, "/experiment/loss/kind", "needs"),
        ({"loss": {"kind": "logistic"}}, "/experiment/dataset/kind", "labels"),
        ({"dataset": CLASSES, "loss": {"kind": "logistic"}, "model": {**NETWORK, "activation": "relu"}},
         "/experiment/loss/kind", "identity"),
        ({"dataset": CLASSES, "loss": {"kind": "logistic"}, "stop": {"relative_residual": 1e-3}},
         "/experiment/stop/relative_residual", "log_train_loss"),
        ({"stop": {"max_time": None}}, "/experiment/stop/max_time", "number"),
        ({"stop": {"log_train_loss": -5}}, "/experiment/stop/log_train_loss", "relative_residual"),
        ({"dataset": {"kind": "explicit", "X": [[1], [1]], "y": [1, 2]}, "loss": {"kind": "logistic"}},
         "/experiment/dataset/y/1", "-1 and 1"),
        ({"flow": {"kind": "gradient_descent"}}, "/experiment/flow/step_size", "required"),
        ({"flow": {"kind": "gradient_descent", "step_size": 1, "batch_size": 4}}, "/experiment/flow/batch_size",
         "full"),
        ({"flow": {"kind": "gradient_descent", "step_size": 1, "seed": 4}}, "/experiment/flow/seed", "no seed"),
        ({"flow": {"kind": "gradient_descent", "step_size": 1, "momentum": 1}}, "/experiment/flow/momentum", "less"),
        ({"dataset": {"kind": "linear_regression", "dimension": 6, "samples": 3, "spectrum": [1]}},
         "/experiment/dataset/spectrum", "feature"),
        ({"dataset": {"kind": "linear_regression", "dimension": 6, "samples": 3, "spectrum": [1] * 6,
                      "spectrum_decay": 1}}, "/experiment/dataset/spectrum_decay", "not both"),
        ({"dataset": {"kind": "teacher", "teacher": "sparse", "dimension": 6, "samples": 3}},
         "/experiment/dataset/sparsity", "sparse teacher"),
        ({"dataset": {"kind": "teacher", "teacher": "neuron", "dimension": 6, "samples": 7}},
         "/experiment/dataset/samples", "noisy"),
    ],
)  # fmt: skip
def test_refused_with_a_pointer(parts: dict[str, Any], pointer: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(**parts)
    assert [p.pointer for p in caught.value.errors if words in p.hint] == [pointer], caught.value.errors
