"""How a regularizer presents itself to the registry and the catalog."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from initshape.datasets import Dataset
from initshape.models import AbstractModel
from initshape.regularizers.base import Array
from initshape.regularizers.fit import Fit

Fitter = Callable[[Dataset, Any, Array], Fit]


@dataclass(frozen=True)
class Entry:
    """One regularizer: the name a spec asks for, the models it answers for, and what the catalog prints.

    `fit(dataset, model, theta0)` is called only with a model that `applies`.
    """

    name: str
    title: str
    models: str
    latex: str
    conditions: tuple[str, ...]
    citations: tuple[str, ...]
    applies: Callable[[AbstractModel], bool]
    fit: Fitter
