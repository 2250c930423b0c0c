"""Data sets: what the experiment is trained on. X is samples x features everywhere a user sees it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from initshape.spec.base import Integer, Matrix, Real, Seed, Spec, Vector
from initshape.spec.uploaded import DATASET_ID, Upload, found_in

LARGEST_DIMENSION = 1_000_000
LARGEST_SAMPLES = 20_000

Dimension = Annotated[Integer, Field(ge=1, le=LARGEST_DIMENSION, description="Number of features d.")]
Samples = Annotated[Integer, Field(ge=1, le=LARGEST_SAMPLES, description="Number of training samples N.")]


class SparseRegression(Spec):
    """Gaussian design, y = X w* + noise with w* = 1/sqrt(sparsity) on a random support.

    Source: Woodworth et al. 2020; Azulay et al. 2021, section 4.
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


class UploadedDataset(Spec):
    """Data that were uploaded (POST /v1/datasets): X, y and, where given, X_test, y_test, w_true.

    The id is that of the content, so equal data make equal experiments whoever uploads them.
    """

    kind: Literal["uploaded"]
    dataset_id: Annotated[str, Field(pattern=DATASET_ID, description="The answer to the upload, d-...")]
    _upload: Upload | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _find(self, info: ValidationInfo) -> UploadedDataset:
        self._upload = found_in(info.context, self.dataset_id) or self._upload  # a part given as a model has its own
        return self

    @property
    def upload(self) -> Upload | None:
        """What is known of it; None in a document that was validated without its uploads."""
        return self._upload

    @property
    def samples(self) -> int:
        """Number of training samples N."""
        return self._shape("X")[0]

    @property
    def dimension(self) -> int:
        """Number of features d."""
        return self._shape("X")[1]

    @property
    def test_samples(self) -> int:
        """Size of the test set."""
        return self._shape("X_test")[0] if self._upload and "X_test" in self._upload.facts else 0

    def _shape(self, name: str) -> tuple[int, ...]:
        if self._upload is None:
            raise LookupError(f"nothing is known of {self.dataset_id}")
        return self._upload.facts[name].shape


class LinearRegression(Spec):
    """Gaussian features with a covariance spectrum, y = X w* + noise, w* given or drawn on the unit sphere."""

    kind: Literal["linear_regression"]
    dimension: Dimension
    samples: Samples
    w_true: Annotated[
        Vector | None, Field(description="w*, one number a feature; drawn on the unit sphere if absent.")
    ] = None
    spectrum: Annotated[
        tuple[Annotated[Real, Field(ge=0.0, le=1e12)], ...] | None,
        Field(description="Variance of each feature; all 1 if absent."),
    ] = None
    spectrum_decay: Annotated[
        Real | None, Field(ge=0.0, le=20.0, description="Variances i^-decay instead of a list, i = 1..dimension.")
    ] = None
    noise_variance: Annotated[Real, Field(ge=0.0, le=1e12)] = 0.01
    test_samples: Annotated[Integer, Field(ge=0, le=1_000_000)] = 2000
    seed: Seed = 1993


class Teacher(Spec):
    """Standard Gaussian inputs labelled by a teacher: a sparse or dense linear one, or one ReLU neuron."""

    kind: Literal["teacher"]
    teacher: Annotated[
        Literal["sparse", "dense", "neuron"],
        Field(description="sparse: +-1/sqrt(sparsity); dense: on the unit sphere; neuron: max(0, v.x), |v| = 1."),
    ]
    dimension: Dimension
    samples: Samples
    sparsity: Annotated[Integer | None, Field(ge=1, le=LARGEST_DIMENSION, description="Sparse teacher only.")] = None
    noise_variance: Annotated[Real, Field(ge=0.0, le=1e12)] = 0.0
    test_samples: Annotated[Integer, Field(ge=0, le=1_000_000)] = 2000
    seed: Seed = 1993


class SeparableClassification(Spec):
    """Gaussian inputs labelled by the sign of a sparse teacher and moved away from its boundary by `margin`."""

    kind: Literal["separable_classification"]
    dimension: Dimension
    samples: Samples
    sparsity: Annotated[Integer, Field(ge=1, le=LARGEST_DIMENSION)] = 5
    margin: Annotated[Real, Field(ge=0.0, le=1e6, description="Least distance of a sample to the boundary.")] = 0.1
    test_samples: Annotated[Integer, Field(ge=0, le=1_000_000)] = 2000
    seed: Seed = 1993


DatasetSpec = Annotated[
    SparseRegression | LinearRegression | Teacher | SeparableClassification | ExplicitDataset | UploadedDataset,
    Field(discriminator="kind"),
]
