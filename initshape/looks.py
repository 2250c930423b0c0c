"""From a document that asks for a figure of regularizers to the figure's data."""

from __future__ import annotations

from typing import Any

from initshape.figures.data import FigureData
from initshape.figures.regularizer import regularizer_figure
from initshape.regularizers.evaluate import LONGEST, evaluate
from initshape.spec.evaluation_figure import parse_looks


def draw(document: Any) -> FigureData:
    """The figure of a document. Raises SpecError for what is wrong with it, FigureError where nothing can be drawn."""
    title, looks = parse_looks(document)
    seconds = LONGEST / len(looks)
    found = [(look.values, evaluate(look.request, seconds=seconds)) for look in looks]
    return regularizer_figure(found, title=title or "")
