"""The regularizers of classification: what a spec may ask for with such a loss, and what the catalog shows."""

from __future__ import annotations

from typing import Any

from initshape.datasets import Dataset
from initshape.models import AbstractModel
from initshape.regularizers import (
    max_margin_diagonal,
    max_margin_kernel,
    max_margin_l1,
    max_margin_l2,
    max_margin_network,
)
from initshape.regularizers.base import Array
from initshape.regularizers.fit import Fit
from initshape.regularizers.max_margin_entry import MarginEntry
from initshape.spec.options import REGULARIZER_ORDER
from initshape.spec.outcome import Exactness, Outcome

MARGIN_ENTRIES: tuple[MarginEntry, ...] = (
    max_margin_diagonal.ENTRY,
    max_margin_network.ENTRY,
    max_margin_l1.ENTRY,
    max_margin_l2.ENTRY,
    max_margin_kernel.ENTRY,
)
"""Adding one is one file and one line here. Of entries with one name, the first that applies answers."""


def fit_margin(name: str, dataset: Dataset, model: AbstractModel, theta0: Array, gamma: float) -> Fit:
    """Theory's answer in classification: the w of least Q with margins of at least 1, at gamma = -ln L.

    Compare directions only: the flow's w is about gamma times as large.

    **Shape**: theta0 (P,); labels of the data set are -1 and 1.

    **Errors**: `ValueError` for a name that the spec does not know. Where no answer is known for this model the
    outcome is `none_known`, with the reason; every other trouble is an outcome too.
    """
    if name not in REGULARIZER_ORDER:
        raise ValueError(f"no regularizer is called {name!r}; known are {', '.join(REGULARIZER_ORDER)}")
    for entry in MARGIN_ENTRIES:
        if entry.name == name and entry.applies(model):
            return entry.fit(dataset, model, theta0, gamma)
    return Fit(
        regularizer=name,
        outcome=Outcome.none_known,
        exactness=Exactness.none,
        reason=f"no margin maximiser {name} is known for {type(model).__name__} networks of this kind",
    )


def margin_catalog() -> list[dict[str, Any]]:
    """Every margin maximiser with its formula, conditions and references, ready for JSON."""
    return [
        {
            "name": entry.name,
            "title": entry.title,
            "models": entry.models,
            "latex": entry.latex,
            "exactness": entry.exactness.value,
            "conditions": list(entry.conditions),
            "citations": list(entry.citations),
        }
        for entry in MARGIN_ENTRIES
    ]
