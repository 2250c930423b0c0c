"""The base of every model in the spec and the strict scalar types that they share."""

from __future__ import annotations

import functools
import typing
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Strict, Tag, model_validator

LARGEST_INTEGER = 2**53 - 1
"""Largest integer that binary64 (hence RFC 8785 canonical JSON) holds exactly."""
LARGEST_REAL = 1e100
"""Larger magnitudes leave no room for the squares and products that every model forms."""


def integral(value: Any) -> Any:
    """1000.0 and 1e3 are the integer 1000, as in JSON Schema; everything else is left for the strict check."""
    if type(value) is float and value.is_integer() and abs(value) <= LARGEST_INTEGER:
        return int(value)
    return value


def _holds_int(annotation: Any) -> bool:
    """Whether a field is an integer, or one that may be left out."""
    parts = [annotation, *typing.get_args(annotation)]
    return any(
        part is int or (typing.get_origin(part) is Annotated and typing.get_args(part)[0] is int) for part in parts
    )


@functools.cache
def _integer_fields(model: type[BaseModel]) -> tuple[str, ...]:
    """Names of the fields that hold integers; asked for in every validation."""
    return tuple(name for name, info in model.model_fields.items() if _holds_int(info.annotation))


class Spec(BaseModel):
    """Immutable, closed record: unknown keys are refused, NaN and infinity too."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _integral_floats(cls, document: Any) -> Any:
        # Done here and not in the Integer type: a validator there would hide its bounds from the JSON schema.
        if not isinstance(document, dict):
            return document
        floats = [name for name in _integer_fields(cls) if type(document.get(name)) is float]
        return {**document, **{name: integral(document[name]) for name in floats}} if floats else document


Integer = Annotated[int, Strict()]
Real = Annotated[float, Strict(), Field(ge=-LARGEST_REAL, le=LARGEST_REAL, allow_inf_nan=False)]
Vector = tuple[Real, ...]
Matrix = tuple[Vector, ...]


def _number_or_list(value: Any) -> str:
    return "<list>" if isinstance(value, (list, tuple)) else "<number>"


PositiveReal = Annotated[Real, Field(ge=1e-100, le=1e100)]
OpenUnitReal = Annotated[Real, Field(gt=-1.0, lt=1.0)]
PositiveRealOrVector = Annotated[
    Annotated[PositiveReal, Tag("<number>")]
    | Annotated[Annotated[tuple[PositiveReal, ...], Field(min_length=1)], Tag("<list>")],
    Discriminator(_number_or_list),
]
OpenUnitRealOrVector = Annotated[
    Annotated[OpenUnitReal, Tag("<number>")]
    | Annotated[Annotated[tuple[OpenUnitReal, ...], Field(min_length=1)], Tag("<list>")],
    Discriminator(_number_or_list),
]
RealOrVector = Annotated[
    Annotated[Real, Tag("<number>")] | Annotated[Annotated[Vector, Field(min_length=1)], Tag("<list>")],
    Discriminator(_number_or_list),
]
Seed = Annotated[Integer, Field(ge=0, le=LARGEST_INTEGER)]
