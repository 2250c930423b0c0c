"""The published problem: a two-layer diagonal network on sparse regression, at one scale and shape."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initshape.datasets import build
from initshape.spec.experiment import Experiment

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """What one contender has to solve; JSON in, so that a process of its own can be told.

    `alpha`, `shape`: Azulay et al. 2021, section 3. `rtol` is for those that have one, `stop` the relative residual
    ||X w - y|| / ||y|| at which a flow ends.
    """

    alpha: float
    shape: float
    dimension: int = 1000
    samples: int = 100
    seed: int = 1993
    rtol: float = 1e-8
    stop: float = 1e-10

    @property
    def document(self) -> dict[str, Any]:
        """The data set's part of an experiment, and its initialization."""
        return {
            "dataset": {
                "kind": "sparse_regression",
                "dimension": self.dimension,
                "samples": self.samples,
                "sparsity": min(5, self.dimension),
                "noise_variance": 0.01,
                "test_samples": 0,
                "seed": self.seed,
            },
            "model": {"kind": "diagonal", "depth": 2},
            "init": {"kind": "scale_shape", "scale": self.alpha, "shape": self.shape},
        }

    def experiment(self, **more: Any) -> Experiment:
        """The same problem as this project's own document; `more` are its other fields."""
        return Experiment.model_validate({**self.document, **more})

    def data(self) -> tuple[Floats, Floats]:
        """X (N, d) and y (N,)."""
        return _data(self.dimension, self.samples, self.seed)

    def factors(self) -> tuple[float, float]:
        """u and v of every coordinate and branch: u v = alpha, (v - u)/(v + u) = s."""
        ratio = (1.0 + self.shape) / (1.0 - self.shape)
        return float(np.sqrt(self.alpha / ratio)), float(np.sqrt(self.alpha * ratio))

    def root_k(self) -> float:
        """sqrt(k) = 2 (u^2 + v^2), the constant of Q. **Source**: Azulay et al. 2021, Theorem 4.1."""
        u, v = self.factors()
        return 2.0 * (u * u + v * v)

    def settings(self) -> dict[str, Any]:
        """Everything that makes it, for JSON."""
        return asdict(self)


CASES: dict[str, tuple[float, float]] = {"A": (1e-5, 0.0), "B": (1e-5, 0.9), "C": (1e-3, 0.5), "D": (0.25, 0.0)}
"""(alpha, s), from the sparse regime to the kernel's."""

PUBLISHED_SHAPES = (0.0, 0.5, 0.7, 0.9, 0.99)
PUBLISHED_SCALES = tuple(float(scale) for scale in np.logspace(-5, -0.6, 20))


def published_sweep() -> list[Problem]:
    """The 100 cells of the published figure, as in `examples/shape_and_scale.yaml`."""
    return [Problem(scale, shape) for shape in PUBLISHED_SHAPES for scale in PUBLISHED_SCALES]


def grid(scales: int, shapes: tuple[float, ...], **more: Any) -> list[Problem]:
    """Scales at the midpoints of equal parts of the published range, so that grids of any size are alike in cost."""
    exponents = -5.0 + 4.4 * (np.arange(scales) + 0.5) / scales
    return [Problem(float(10.0**exponent), shape, **more) for shape in shapes for exponent in exponents]


@cache
def _data(dimension: int, samples: int, seed: int) -> tuple[Floats, Floats]:
    spec = Problem(1.0, 0.0, dimension, samples, seed).experiment().dataset
    dataset = build(spec)
    return dataset.X, dataset.y
