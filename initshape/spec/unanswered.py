"""Theories whose answer will be `none_known`, told from the document alone, before anything is computed.

The conditions are those of the fits in initshape/regularizers (balanced_network.py, registry.py). Matrices
that are given (explicit, uploaded) are not looked at: only the fit finds whether they are balanced or of rank one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from initshape.spec.init import ScaleShape
from initshape.spec.model import FullyConnected

if TYPE_CHECKING:
    from initshape.spec.experiment import Experiment

_OF_A_PREDICTOR = ("implicit", "l1", "l2")
"""Functions of w, which only a network that is linear in x has."""


def unanswered(experiment: Experiment) -> Iterator[str]:
    """A sentence for each reason why theories that were asked for have no answer."""
    model, asked = experiment.model, experiment.regularizers
    if not isinstance(model, FullyConnected):
        return
    if model.activation != "identity":
        names = [name for name in asked if name in _OF_A_PREDICTOR]
        if names:
            yield (
                f"with {model.activation} activation the network has no linear predictor w: "
                f"{', '.join(names)} will answer none_known"
            )
    elif "implicit" in asked and _unaligned(experiment, model):
        yield (
            "no regularizer is known for several neurons that are neither strictly balanced nor of rank one, "
            "with fewer samples than features: implicit will answer none_known"
        )


def _unaligned(experiment: Experiment, model: FullyConnected) -> bool:
    """Whether drawn neurons differ in direction, and leave the span of the data."""
    drawn = isinstance(experiment.init, ScaleShape) and not experiment.init.balanced
    few = experiment.dataset.samples < experiment.dataset.dimension
    return drawn and few and model.width > 1 and experiment.loss.kind == "square"
