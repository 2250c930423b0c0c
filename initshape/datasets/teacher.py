"""Labels made by a teacher: sparse linear, dense linear, or one ReLU neuron."""

from __future__ import annotations

import numpy as np

from initshape.datasets.base import Array, Dataset
from initshape.datasets.labels import linear_labels
from initshape.datasets.linear_regression import unit_vector
from initshape.datasets.streams import stream
from initshape.spec.dataset import Teacher


def build_teacher(spec: Teacher) -> Dataset:
    """Standard Gaussian inputs, y = teacher(x) + noise, noiseless test labels.

    sparse: x.w*, entries +-1/sqrt(sparsity) on a random support; dense: x.w* with w* uniform on the unit sphere;
    neuron: max(0, v.x) with v uniform on the unit sphere, which no linear weights equal, so there is no `w_true`.
    """
    weights = _weights(spec)
    X = stream(spec.seed, "design").standard_normal((spec.samples, spec.dimension))
    noise = np.sqrt(spec.noise_variance) * stream(spec.seed, "noise").standard_normal(spec.samples)
    X_test = y_test = None
    if spec.test_samples:
        X_test = stream(spec.seed, "test").standard_normal((spec.test_samples, spec.dimension))
        y_test = _labels(spec, X_test, weights)
    return Dataset(
        X=X,
        y=_labels(spec, X, weights) + noise,
        w_true=None if spec.teacher == "neuron" else weights,
        X_test=X_test,
        y_test=y_test,
    )


def _weights(spec: Teacher) -> Array:
    if spec.teacher != "sparse" or spec.sparsity is None:
        return unit_vector(spec.seed, spec.dimension)
    support = stream(spec.seed, "support").permutation(spec.dimension)[: spec.sparsity]
    signs = stream(spec.seed, "signs").choice([-1.0, 1.0], size=spec.sparsity)
    weights = np.zeros(spec.dimension)
    weights[support] = signs / np.sqrt(spec.sparsity)
    return weights


def _labels(spec: Teacher, X: Array, weights: Array) -> Array:
    outputs = linear_labels(X, weights)
    return np.maximum(outputs, 0.0) if spec.teacher == "neuron" else outputs
