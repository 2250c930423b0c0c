"""The parts of the API that know regularizers. Nothing of them is imported before it is asked for: SciPy is slow."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from initshape.figures import FigureData, FigureError
from initshape.spec.evaluation import Evaluation
from initshape.spec.problem import ProblemError, SpecError


@cache
def catalog() -> bytes:
    """The catalog as JSON."""
    from initshape.catalog import catalog as found

    return _dumps(found())


@cache
def presets() -> bytes:
    """The presets as JSON."""
    from initshape.presets import presets as found

    return _dumps({"presets": [preset.view() for preset in found()]})


def evaluated(request: Evaluation) -> bytes:
    """The answer to an evaluation as JSON. Errors: SpecError when it takes too long."""
    from initshape.regularizers.evaluate import evaluate, view

    return _dumps(view(evaluate(request)))


def figure(document: Any) -> FigureData:
    """The figure that a document asks for. Errors: SpecError."""
    from initshape.looks import draw

    try:
        return draw(document)
    except FigureError as error:
        problem = ProblemError(pointer="", hint="ask for something that this regularizer has")
        raise SpecError(error.detail, (problem,)) from None


def _dumps(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
