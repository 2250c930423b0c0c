"""How a regularizer presents itself to the registry and the catalog."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from initshape.datasets import Dataset
from initshape.models import AbstractModel
from initshape.regularizers.base import AbstractRegularizer, Array
from initshape.regularizers.fit import Fit
from initshape.regularizers.neighbours import Neighbours
from initshape.spec.outcome import Exactness

Fitter = Callable[[Dataset, Any, Array], Fit]


@dataclass(frozen=True, eq=False)
class ClosedForm:
    """Q of one initialization, before any data: None, with the reason, where none is known.

    `assumes` says in words what only data can decide and was taken for granted.
    """

    regularizer: AbstractRegularizer | None
    assumes: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True)
class Entry:
    """One regularizer: the name a spec asks for, the models it answers for, and what the catalog prints.

    `exactness` is the most that it can claim. `fit(dataset, model, theta0)` and `closed_form(model, theta0)` are called
    only with a model that `applies`; without the latter Q cannot be looked at before it is fitted. `fit_among` is
    `fit` for one cell of many: it takes Neighbours, too, and begins where they point.
    """

    name: str
    title: str
    models: str
    latex: str
    exactness: Exactness
    conditions: tuple[str, ...]
    citations: tuple[str, ...]
    applies: Callable[[AbstractModel], bool]
    fit: Fitter
    fit_among: Callable[[Dataset, Any, Array, Neighbours], Fit] | None = None
    closed_form: Callable[[Any, Array], ClosedForm] | None = None
