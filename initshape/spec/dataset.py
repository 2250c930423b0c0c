"""Data sets: what the experiment is trained on. X is samples x features everywhere a user sees it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from initshape.spec.base import Integer, Matrix, Real, Seed, Spec, Vector

LARGEST_DIMENSION = 1_000_000
LARGEST_SAMPLES = 20_000

Dimension = Annotated[Integer, Field(ge=1, le=LARGEST_DIMENSION, description="Number of features d.")]
Samples = Annotated[Integer, Field(ge=1, le=LARGEST_SAMPLES, description="Number of training samples N.")]


class SparseRegression(Spec):
    """Gaussian design, y = X w* + noise with w* = 1/sqrt(sparsity) on a random support.

    Source: Woodworth et al. 2020, section 5; Azulay et al. 2021, section 5.
    """

    kind: Literal["sparse_regression"]
    dimension: Dimension
    samples: Samples
    sparsity: Annotated[
        Integer, Field(ge=1, le=LARGEST_DIMENSION, description="Non-zero entries of w*, at most dimension.")
    ] = 5
    noise_variance: Annotated[Real, Field(ge=0.0, le=1e12, description="Variance of the label noise.")] = 0.01
    test_samples: Annotated[Integer, Field(ge=0, le=1_000_000, description="Size of the noiseless test set.")] = 2000
    seed: Annotated[Seed, Field(description="Seed of design, support, noise and test set, split by name.")] = 1993


class ExplicitDataset(Spec):
    """Data given in the document itself, at most 1 MB of it; larger data are uploaded."""

    kind: Literal["explicit"]
    X: Annotated[Matrix, Field(min_length=1, description="Training inputs, samples x features.")]
    y: Annotated[Vector, Field(min_length=1, description="Training labels, one a sample.")]
    X_test: Annotated[Matrix | None, Field(description="Test inputs, samples x features.")] = None
    y_test: Annotated[Vector | None, Field(description="Noiseless test labels.")] = None
    w_true: Annotated[Vector | None, Field(description="The truth w*, one number a feature.")] = None

    @property
    def samples(self) -> int:
        """Number of training samples N."""
        return len(self.X)

    @property
    def dimension(self) -> int:
        """Number of features d (of the first row)."""
        return len(self.X[0])


DatasetSpec = Annotated[SparseRegression | ExplicitDataset, Field(discriminator="kind")]
