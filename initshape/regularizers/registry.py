"""The one list of regularizers: what a spec may ask for, and what the catalog shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from initshape.datasets import Dataset
from initshape.models import AbstractModel
from initshape.regularizers import (
    balanced_network,
    deep_diagonal,
    kernel,
    l1,
    l2,
    single_neuron,
    summed_neurons,
    two_layer_diagonal,
)
from initshape.regularizers.base import Array
from initshape.regularizers.entry import Entry
from initshape.regularizers.fit import Fit
from initshape.regularizers.neighbours import Neighbours
from initshape.spec.options import REGULARIZER_ORDER
from initshape.spec.outcome import Exactness, Outcome

ENTRIES: tuple[Entry, ...] = (
    two_layer_diagonal.ENTRY,
    deep_diagonal.ENTRY,
    single_neuron.ENTRY,
    balanced_network.ENTRY,
    summed_neurons.UNWEIGHTED,
    summed_neurons.WEIGHTED,
    l1.ENTRY,
    l2.ENTRY,
    kernel.ENTRY,
)
"""Adding a regularizer is one file and one line here. Of entries with one name, the first that applies answers."""


def fit(name: str, dataset: Dataset, model: AbstractModel, theta0: Array, neighbours: Neighbours | None = None) -> Fit:
    """Theory's answer: the interpolating w that minimises the regularizer `name`, for this model and initialization.

    `neighbours` are other fits of the same sweep: they shorten the way (`Fit.iterations`), and change no other number
    beyond rounding.

    **Shape**: theta0 (P,), as the model lays it out.

    **Errors**: `ValueError` for a name that the spec does not know. Where no closed form is known for this model the
    outcome is `none_known`, with the reason; every other trouble is an outcome too.
    """
    entry = entry_for(name, model)
    if entry is not None and entry.fit_among is not None and neighbours is not None:
        return entry.fit_among(dataset, model, theta0, neighbours)
    if entry is not None:
        return entry.fit(dataset, model, theta0)
    return Fit(
        regularizer=name,
        outcome=Outcome.none_known,
        exactness=Exactness.none,
        reason=why_unknown(name, model),
    )


def fit_many(name: str, dataset: Dataset, model: AbstractModel, thetas: Sequence[Array]) -> list[Fit]:
    """`fit` for many initializations, each from where the ones before it point.

    The answers are those of `fit`, in the order of `thetas`, to 1e-10 or better in every number but `iterations` and
    `seconds`. They are found along the grid, in the order of size; one that fails is no concern of the others.

    **Shape**: each theta0 (P,).
    """
    neighbours, found = Neighbours(), dict[int, Fit]()
    for k in sorted(range(len(thetas)), key=lambda k: float(np.linalg.norm(thetas[k]))):
        found[k] = fit(name, dataset, model, thetas[k], neighbours)
    return [found[k] for k in range(len(thetas))]


def entry_for(name: str, model: AbstractModel) -> Entry | None:
    """The entry that answers for this model. **Errors**: `ValueError` for a name that the spec does not know."""
    if name not in REGULARIZER_ORDER:
        raise ValueError(f"no regularizer is called {name!r}; known are {', '.join(REGULARIZER_ORDER)}")
    return next((entry for entry in ENTRIES if entry.name == name and entry.applies(model)), None)


def why_unknown(name: str, model: AbstractModel) -> str:
    """Why no entry answers, for people."""
    if not getattr(model, "linear", True):
        return f"the network is not linear in x: it has no predictor w, of which {name} would be a function"
    return f"no closed form of the {name} regularizer is known for {type(model).__name__} networks of this kind"


def catalog() -> list[dict[str, Any]]:
    """Every regularizer with its formula, conditions and references, ready for JSON."""
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
        for entry in ENTRIES
    ]
