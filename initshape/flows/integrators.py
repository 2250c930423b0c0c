"""Which integrator a name stands for, at a given number of samples."""

from __future__ import annotations

from initshape.flows.integrator import AbstractIntegrator
from initshape.flows.krylov import ITERATIVE_FROM, Iterated
from initshape.flows.radau import Radau
from initshape.flows.tsit5 import Tsit5

NAMES = ("auto", "radau", "tsit5")


def integrator_for(name: str, samples: int) -> AbstractIntegrator:
    """`auto` is the best independent one: Radau, with iterative linear algebra from some thousand samples on.

    **Errors**: ValueError for a name that is not known.
    """
    if name not in NAMES:
        raise ValueError(f"unknown integrator {name!r}; known: {', '.join(NAMES)}")
    if name == "tsit5":
        return Tsit5()
    return Radau(Iterated()) if samples >= ITERATIVE_FROM else Radau()
