"""A figure of regularizers: one look at a Q, varied like the cells of a sweep."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from initshape.spec.base import Spec
from initshape.spec.evaluation import Evaluation
from initshape.spec.expand import combinations
from initshape.spec.explain import explain
from initshape.spec.overlay import overlay, relocate
from initshape.spec.parse import parse_evaluation
from initshape.spec.problem import ProblemError, SpecError
from initshape.spec.sweep import Sweep

MOST_LOOKS = 12
"""Lines or panels of one figure."""
MOST_POINTS = 200_000
"""Points of all of them together."""


class RegularizerFigure(Spec):
    """One line, or one panel, for every combination of the values that are swept."""

    schema_version: Literal[1] = 1
    name: Annotated[str | None, Field(max_length=200, description="Title of the figure.")] = None
    notes: Annotated[str | None, Field(max_length=10_000)] = None
    sweep: Annotated[
        Sweep, Field(description="As for experiments; `base` is what /v1/regularizers/evaluate takes, with a grid.")
    ]


@dataclass(frozen=True)
class Look:
    """One evaluation and the values that the sweep gave it, by path."""

    request: Evaluation
    values: dict[str, Any]


def parse_looks(document: Any) -> tuple[str | None, tuple[Look, ...]]:
    """A decoded document to a title and its looks: a sweep of them, or one, as /v1/regularizers/evaluate takes it.

    Raises SpecError (422) with a pointer to what is wrong.
    """
    swept = isinstance(document, dict) and "sweep" in document
    title, looks = _swept(document) if swept else (None, (Look(parse_evaluation(document), {}),))
    grid = "/sweep/base/grid" if swept else "/grid"
    axes = {len(look.request.grid.axes) if look.request.grid else 0 for look in looks}
    if len(axes) != 1 or 0 in axes:
        problem = ProblemError(pointer=grid, allowed="one axis, or two", hint="draw over a grid, not a list of points")
        raise SpecError("A figure needs a grid, of as many axes in every look.", (problem,))
    points = sum(math.prod(axis.count for axis in look.request.grid.axes) for look in looks if look.request.grid)
    if points > MOST_POINTS:
        problem = ProblemError(pointer=grid, value=points, allowed=f"at most {MOST_POINTS}", hint="take a coarser grid")
        raise SpecError(f"{points} points are too many for one figure.", (problem,))
    return title, looks


def _swept(document: dict[str, Any]) -> tuple[str | None, tuple[Look, ...]]:
    try:
        figure = RegularizerFigure.model_validate(document)
    except ValidationError as error:
        raise SpecError("The document is not a figure of regularizers.", explain(error, RegularizerFigure)) from None
    settings = tuple(combinations(figure.sweep))
    if len(settings) > MOST_LOOKS:
        problem = ProblemError(pointer="/sweep", value=len(settings), allowed=f"at most {MOST_LOOKS}", hint="vary less")
        raise SpecError(f"{len(settings)} lines or panels are too many for one figure.", (problem,))
    looks = []
    for setting in settings:
        try:
            request = parse_evaluation(overlay(figure.sweep.base, setting))
        except SpecError as error:
            problems = tuple(relocate(problem, setting) for problem in error.errors)
            raise SpecError("A look of the figure is not valid.", problems) from None
        looks.append(Look(request, {one.path: one.value for one in setting}))
    return figure.name, tuple(looks)
