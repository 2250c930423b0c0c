"""Bodies of the catalog, the presets and the evaluations."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from initshape.spec.outcome import Exactness
from service.schemas import Answer


class FieldView(Answer):
    """One field of a kind."""

    name: str
    required: bool
    default: JsonValue
    description: str | None
    schema_: Annotated[dict[str, Any], Field(alias="schema", description="JSON schema of the field.")]


class KindView(Answer):
    """One value that `kind` may have in a part of the experiment."""

    kind: str
    summary: str
    description: str
    source: str | None
    fields: tuple[FieldView, ...]


class RegularizerView(Answer):
    """One regularizer; several of one name answer for different models, or losses."""

    name: str
    title: str
    models: str
    losses: tuple[str, ...]
    latex: str
    exactness: Annotated[Exactness, Field(description="The most that it can claim; each fit says what holds.")]
    conditions: tuple[str, ...]
    citations: Annotated[tuple[str, ...], Field(description="BibTeX.")]


class Catalog(Answer):
    """What this server knows."""

    numerics_version: str
    models: tuple[KindView, ...]
    datasets: tuple[KindView, ...]
    initializations: tuple[KindView, ...]
    flows: tuple[KindView, ...]
    losses: tuple[KindView, ...]
    settings: Annotated[dict[str, tuple[FieldView, ...]], Field(description="Parts of an experiment without kinds.")]
    regularizers: tuple[RegularizerView, ...]


class PresetView(Answer):
    """One published figure as a document."""

    name: str
    title: str
    kind: Literal["experiment", "sweep", "regularizers"]
    shows: str
    post: Annotated[str, Field(description="Where the document is sent.")]
    document: dict[str, Any]


class Presets(Answer):
    """The published figures."""

    presets: tuple[PresetView, ...]


Numbers = Annotated[
    list[Any], Field(description="Nested lists of numbers, row by row; null where a number is not finite.")
]


class EvaluationView(Answer):
    """What was asked of one regularizer. Where no Q is known: outcome `none_known`, a reason, and no arrays."""

    regularizer: str
    title: str
    outcome: Literal["evaluated", "none_known"]
    exactness: Exactness
    reason: str | None
    assumes: Annotated[tuple[str, ...], Field(description="What only data can decide and was taken for granted.")]
    latex: str | None
    citations: tuple[str, ...]
    dimension: int
    start: Annotated[Numbers | None, Field(description="w(0), where the gradient is 0.")]
    profile_of: Annotated[Literal["norm", "coordinate"] | None, Field(description="What the profile depends on.")]
    coordinates: Annotated[tuple[int, ...], Field(description="Those that the axes of the grid vary.")]
    axes: tuple[Numbers, ...]
    arrays: Annotated[
        dict[str, Numbers],
        Field(description="value, gradient, inverse, profile, profile_slope: as the grid, or one entry a point."),
    ]
    missing: Annotated[dict[str, str], Field(description="Why something that was asked for does not exist.")]
