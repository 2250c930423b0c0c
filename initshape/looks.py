"""From a document that asks for a figure of regularizers to the figure's data."""

from __future__ import annotations

from typing import Any

from initshape.figures.data import FigureData
from initshape.figures.regularizer import regularizer_figure
from initshape.regularizers.evaluate import LONGEST, evaluate
from initshape.spec.evaluation_figure import Look, RegularizerFigure, parse_figure
from initshape.spec.parse import parse_evaluation


def parse_looks(document: Any) -> tuple[RegularizerFigure | None, tuple[Look, ...]]:
    """A sweep of looks, or one look: what /v1/regularizers/evaluate takes. Raises SpecError (422)."""
    if isinstance(document, dict) and "sweep" in document:
        return parse_figure(document)
    return None, (Look(parse_evaluation(document), {}),)


def draw(document: Any) -> FigureData:
    """The figure of a document. Raises SpecError for what is wrong with it, FigureError where nothing can be drawn."""
    figure, looks = parse_looks(document)
    seconds = LONGEST / len(looks)
    found = [(look.values, evaluate(look.request, seconds=seconds)) for look in looks]
    return regularizer_figure(found, title=(figure.name if figure else "") or "")
