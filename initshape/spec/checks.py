"""Rules that tie several fields together: sizes that must agree, keys that mean something, data that can be fitted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from initshape.spec.check_flow import check_gradient_flow
from initshape.spec.check_init import check_init
from initshape.spec.check_uploaded import check_uploaded_dataset
from initshape.spec.dataset import (
    ExplicitDataset,
    LinearRegression,
    SeparableClassification,
    SparseRegression,
    Teacher,
    UploadedDataset,
)
from initshape.spec.feasibility import INCONSISTENT, relative_least_squares_residual
from initshape.spec.flow import GradientDescent, GradientFlow
from initshape.spec.model import Diagonal, FullyConnected, SingleNeuron
from initshape.spec.problem import ProblemError, problem

if TYPE_CHECKING:
    from initshape.spec.experiment import Experiment


def check_experiment(experiment: Experiment) -> Iterator[ProblemError]:
    """Every cross-field problem of an experiment whose fields are each valid; pointers start at the experiment."""
    problems = tuple(_check_dataset(experiment))
    yield from problems
    if problems:
        return  # what follows would only repeat them
    yield from check_init(experiment.model, experiment.init, experiment.dataset.dimension)
    yield from _check_loss(experiment)
    yield from _check_flow(experiment)
    yield from _check_regularizers(experiment)


def _check_dataset(experiment: Experiment) -> Iterator[ProblemError]:
    data = experiment.dataset
    if isinstance(data, ExplicitDataset):
        problems = tuple(_check_explicit(data))
        yield from problems
        if not problems:
            yield from _check_labels(experiment, np.asarray(data.X), np.asarray(data.y))
        return
    if isinstance(data, UploadedDataset):
        yield from check_uploaded_dataset(data, experiment.loss.kind, _linear(experiment))
        return
    if isinstance(data, Teacher):
        if (data.teacher == "sparse") != (data.sparsity is not None):
            allowed = "required" if data.sparsity is None else "left out"
            yield problem(
                "/dataset/sparsity", data.sparsity, allowed, "sparsity belongs to the sparse teacher, and only there"
            )
            return
    elif isinstance(data, LinearRegression):
        yield from _check_spectrum(data)
    sparsity = getattr(data, "sparsity", None)
    if sparsity is not None and sparsity > data.dimension:
        yield problem("/dataset/sparsity", sparsity, f"at most dimension = {data.dimension}",
                      "lower sparsity or raise dimension")  # fmt: skip
    if _linear(experiment) and data.samples > data.dimension:
        yield from _check_crowded(experiment)


def _check_crowded(experiment: Experiment) -> Iterator[ProblemError]:
    """More samples than features: only exactly linear labels can be fitted by a linear predictor."""
    data = experiment.dataset
    if experiment.loss.kind != "square" or isinstance(data, SeparableClassification):
        return
    neuron = isinstance(data, Teacher) and data.teacher == "neuron"
    if neuron or getattr(data, "noise_variance", 0.0) > 0:
        cause = "labels of a ReLU teacher" if neuron else "noisy labels"
        yield problem("/dataset/samples", data.samples, f"at most {data.dimension}, the dimension, with {cause}",
                      "more noisy samples than features cannot all be fitted: lower samples, raise dimension, or set "
                      "noise_variance: 0")  # fmt: skip


def _check_spectrum(data: LinearRegression) -> Iterator[ProblemError]:
    for name in ("w_true", "spectrum"):
        value = getattr(data, name)
        if value is not None and len(value) != data.dimension:
            yield problem(
                f"/dataset/{name}", len(value), f"length {data.dimension}, the dimension", "one number a feature"
            )
    if data.spectrum is not None and data.spectrum_decay is not None:
        yield problem(
            "/dataset/spectrum_decay", data.spectrum_decay, "left out", "give spectrum or spectrum_decay, not both"
        )
    if data.spectrum is not None and not any(data.spectrum):
        yield problem("/dataset/spectrum", 0, "at least one variance above 0", "all features would be zero")
    if data.w_true is not None and not any(data.w_true):
        yield problem("/dataset/w_true", 0, "at least one number other than 0", "w* = 0 leaves nothing to learn")


def _check_explicit(data: ExplicitDataset) -> Iterator[ProblemError]:
    rows, width = len(data.X), len(data.X[0])
    if width == 0:
        yield problem("/dataset/X/0", 0, "at least 1 feature", "give every sample at least one feature")
        return
    ragged = next((i for i, row in enumerate(data.X) if len(row) != width), None)
    if ragged is not None:
        yield problem(f"/dataset/X/{ragged}", len(data.X[ragged]), f"{width} features, like the first row",
                      "give every sample (row) the same number of features (columns)")  # fmt: skip
        return
    if len(data.y) != rows:
        hint = "X is samples x features: give one label a row"
        if len(data.y) == width:
            hint += "; X looks transposed"
        yield problem("/dataset/y", len(data.y), f"length {rows}, the number of rows of X", hint)
        return
    yield from _check_explicit_extras(data, width)


def _check_explicit_extras(data: ExplicitDataset, width: int) -> Iterator[ProblemError]:
    if (data.X_test is None) != (data.y_test is None):
        missing = "y_test" if data.y_test is None else "X_test"
        yield problem(f"/dataset/{missing}", None, "given together", "give X_test and y_test, or neither")
    elif data.X_test is not None and data.y_test is not None:
        bad = next((i for i, row in enumerate(data.X_test) if len(row) != width), None)
        if bad is not None:
            yield problem(f"/dataset/X_test/{bad}", len(data.X_test[bad]), f"{width} features, as in X",
                          "test samples have the features of the training samples")  # fmt: skip
        if len(data.X_test) != len(data.y_test) or not data.X_test:
            yield problem("/dataset/y_test", len(data.y_test), f"length {len(data.X_test)} > 0, the rows of X_test",
                          "give one test label a row")  # fmt: skip
    if data.w_true is not None and len(data.w_true) != width:
        yield problem("/dataset/w_true", len(data.w_true), f"length {width}, the number of features",
                      "give one number a feature, or leave w_true out")  # fmt: skip


def _check_labels(experiment: Experiment, x: np.ndarray, y: np.ndarray) -> Iterator[ProblemError]:
    if experiment.loss.kind != "square":
        wrong = np.flatnonzero(np.abs(y) != 1.0)
        if wrong.size:
            yield problem(f"/dataset/y/{wrong[0]}", float(y[wrong[0]]), "-1 or 1",
                          f"labels of the {experiment.loss.kind} loss are -1 and 1")  # fmt: skip
        return
    if not np.any(y):
        yield problem("/dataset/y", 0.0, "at least one label other than 0",
                      "y = 0 is fitted by w = 0 from the start: there is nothing to learn")  # fmt: skip
        return
    if not _linear(experiment):
        return
    residual = relative_least_squares_residual(x, y)
    if residual > INCONSISTENT:
        yield problem("/dataset/y", residual, f"a relative least-squares residual of at most {INCONSISTENT:g}",
                      "no weights fit these labels (value is the relative residual of the best ones): remove "
                      "contradicting samples, or add features")  # fmt: skip


def _check_loss(experiment: Experiment) -> Iterator[ProblemError]:
    loss, stop = experiment.loss.kind, experiment.stop
    if loss == "square":
        if isinstance(experiment.dataset, SeparableClassification):
            yield problem("/loss/kind", loss, "exponential, logistic", "separable_classification has labels -1 and 1")
        if stop.log_train_loss is not None:
            yield problem("/stop/log_train_loss", stop.log_train_loss, "exponential and logistic loss only",
                          "with the square loss use stop.relative_residual")  # fmt: skip
        return
    if isinstance(experiment.model, SingleNeuron):
        yield problem("/loss/kind", loss, "square", "classification needs a diagonal or fully_connected network")
    elif not _linear(experiment):
        yield problem("/loss/kind", loss, "square", "classification is for networks with activation: identity")
    if isinstance(experiment.dataset, (SparseRegression, LinearRegression, Teacher)):
        yield problem("/dataset/kind", experiment.dataset.kind, "separable_classification, explicit, uploaded",
                      f"the {loss} loss needs labels -1 and 1")  # fmt: skip
    if stop.relative_residual is not None:
        yield problem("/stop/relative_residual", stop.relative_residual, "square loss only",
                      f"with the {loss} loss use stop.log_train_loss")  # fmt: skip


def _check_flow(experiment: Experiment) -> Iterator[ProblemError]:
    flow = experiment.flow
    if isinstance(flow, GradientFlow):
        yield from check_gradient_flow(experiment, flow)
    if not isinstance(flow, GradientDescent):
        return
    if experiment.loss.kind != "square":
        yield problem("/flow/kind", flow.kind, "gradient_flow, none",
                      "classification uses gradient_flow: descent would need about e^gamma steps")  # fmt: skip
    if flow.batch_size is not None and flow.batch_size > experiment.dataset.samples:
        yield problem("/flow/batch_size", flow.batch_size, f"at most samples = {experiment.dataset.samples}",
                      "lower batch_size, or leave it out for the full batch")  # fmt: skip
    if flow.batch_size is None and flow.seed is not None:
        yield problem("/flow/seed", flow.seed, "with batch_size only", "the full batch needs no seed: remove it")


def _check_regularizers(experiment: Experiment) -> Iterator[ProblemError]:
    model = experiment.model
    two_layers = isinstance(model, FullyConnected) and model.depth == 2 and model.activation == "identity"
    for k, name in enumerate(experiment.regularizers):
        if name.startswith("summed_neurons") and not (two_layers and experiment.loss.kind == "square"):
            yield problem(f"/regularizers/{k}", name, "fully_connected, depth 2, identity, square loss",
                          "summed_neurons is defined for two-layer linear networks and the square loss")  # fmt: skip


def _linear(experiment: Experiment) -> bool:
    """Whether the network is linear in x, so that N > d labels must be linear too."""
    model = experiment.model
    return isinstance(model, (Diagonal, SingleNeuron)) or model.activation == "identity"
