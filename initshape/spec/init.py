"""Initializations: scale and shape, or every number given."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from initshape.spec.base import (
    Matrix,
    OpenUnitRealOrVector,
    PositiveRealOrVector,
    RealOrVector,
    Seed,
    Spec,
    Vector,
)
from initshape.spec.uploaded import INIT_ID, Upload, found_in


class ScaleShape(Spec):
    """Scale alpha (product of the factors) and shape s (their normalised difference), r = (1 + s)/(1 - s).

    Diagonal, depth L: layers 1..L-1 have magnitude p, the last r p, p = (alpha/r)^(1/L); both branches equal.
    Single neuron: ||w|| = p, every scalar q = r p, alpha the product of all. Fully connected, depth 2: the same for
    each neuron. Fully connected with `balanced: true` (shape 0): rank-one layers of equal norm alpha^(1/L).
    Source: Azulay et al. 2021, section 3.
    """

    kind: Literal["scale_shape"]
    scale: Annotated[PositiveRealOrVector, Field(description="alpha > 0: one number, or one per coordinate.")]
    shape: Annotated[OpenUnitRealOrVector, Field(description="s in (-1, 1): one number, or one per coordinate.")]
    seed: Annotated[Seed | None, Field(description="Seed of directions and signs (neurons only); default 0.")] = None
    direction: Annotated[
        Vector | None,
        Field(min_length=1, description="Direction of w instead of a drawn one (single neuron, balanced)."),
    ] = None
    signs: Annotated[
        Literal["positive", "random", "paired"] | None,
        Field(description="Output weights of a two-layer network; paired: (a, w), (-a, w). Default random."),
    ] = None
    balanced: Annotated[
        Literal[True] | None, Field(description="Strictly balanced rank-one layers (fully connected; needs shape 0).")
    ] = None


class ExplicitInit(Spec):
    """Every parameter given.

    Diagonal: `u_plus, v_plus, u_minus, v_minus` (depth 2) or `plus, minus` (depth x dimension). Single neuron: `a, w`.
    Fully connected: `layers`, the first width x dimension, the last 1 x width.
    """

    kind: Literal["explicit"]
    u_plus: Annotated[Vector | None, Field(description="First layer of the + branch, one number a feature.")] = None
    v_plus: Annotated[Vector | None, Field(description="Second layer of the + branch.")] = None
    u_minus: Annotated[Vector | None, Field(description="First layer of the - branch.")] = None
    v_minus: Annotated[Vector | None, Field(description="Second layer of the - branch.")] = None
    plus: Annotated[Matrix | None, Field(description="Layers of the + branch, depth x dimension.")] = None
    minus: Annotated[Matrix | None, Field(description="Layers of the - branch, depth x dimension.")] = None
    a: Annotated[RealOrVector | None, Field(description="The scalar, or the list of scalars (single neuron).")] = None
    w: Annotated[Vector | None, Field(description="Weights of the neuron, one number a feature.")] = None
    layers: Annotated[tuple[Matrix, ...] | None, Field(description="Weight matrices, first to last.")] = None


class UploadedInit(Spec):
    """Every parameter given, in an upload (POST /v1/inits): the arrays of `explicit`, matrices as `layers_0, ...`."""

    kind: Literal["uploaded"]
    init_id: Annotated[str, Field(pattern=INIT_ID, description="The answer to the upload, i-...")]
    _upload: Upload | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _find(self, info: ValidationInfo) -> UploadedInit:
        self._upload = found_in(info.context, self.init_id) or self._upload  # a part given as a model has its own
        return self

    @property
    def upload(self) -> Upload | None:
        """What is known of it; None in a document that was validated without its uploads."""
        return self._upload

    def opened(self) -> ExplicitInit:
        """The same initialization as `explicit`. Errors: LookupError where the numbers are not at hand."""
        if self._upload is None or self._upload.arrays is None:
            raise LookupError(f"the numbers of {self.init_id} are not at hand")
        arrays = dict(self._upload.arrays)
        layers = [arrays.pop(name) for name in sorted(arrays) if name.startswith("layers_")]
        given: dict[str, Any] = {name: tuple(np.atleast_1d(array).tolist()) for name, array in arrays.items()}
        if layers:
            given["layers"] = tuple(matrix.tolist() for matrix in layers)
        # What was uploaded has been checked then; validating millions of numbers again one by one takes seconds.
        return ExplicitInit.model_construct(kind="explicit", **given)


InitSpec = Annotated[ScaleShape | ExplicitInit | UploadedInit, Field(discriminator="kind")]
