"""Warnings of theories without an answer say what the fits answer."""

from __future__ import annotations

from typing import Any

import pytest

from initshape.run import run
from initshape.spec.estimate import warnings
from initshape.spec.parse import parse_submission

DATASET = {"kind": "sparse_regression", "dimension": 8, "samples": 3, "sparsity": 2}
NEURONS = {"kind": "scale_shape", "scale": 0.1, "shape": 0.3}
BALANCED = {"kind": "scale_shape", "scale": 0.1, "shape": 0, "balanced": True}
WIDE = {"kind": "fully_connected", "width": 3}
TWO = {"kind": "fully_connected", "width": 2}
DEEP = {"kind": "fully_connected", "width": 1, "depth": 3}
GIVEN = {"kind": "explicit", "layers": [[[0.5] * 8], [[1.0]], [[1.0]]]}


@pytest.mark.parametrize(
    ("experiment", "silent"),
    [
        ({"model": WIDE | {"activation": "relu"}}, {"implicit", "l1", "l2"}),
        ({"model": WIDE | {"activation": "leaky_relu"}, "regularizers": ["kernel", "l2"]}, {"l2"}),
        ({"model": DEEP | {"activation": "relu"}, "init": GIVEN}, {"implicit", "l1", "l2"}),
        ({"model": WIDE | {"activation": "relu", "width": 1}}, {"implicit", "l1", "l2"}),
        ({"model": WIDE | {"activation": "relu"}, "regularizers": ["kernel"]}, set()),
        ({"model": WIDE}, {"implicit"}),
        ({"model": TWO, "init": NEURONS | {"signs": "paired"}, "regularizers": ["implicit"]}, {"implicit"}),
        ({"model": WIDE, "regularizers": ["summed_neurons", "l2"]}, set()),
        ({"model": WIDE, "init": BALANCED}, set()),
        ({"model": WIDE | {"width": 1}}, set()),
        ({"model": WIDE, "dataset": DATASET | {"samples": 8}}, set()),
        ({"model": {"kind": "single_neuron"}}, set()),
        ({"model": {"kind": "diagonal", "depth": 3}}, set()),
    ],
)  # fmt: skip
def test_warned_of_is_what_has_no_answer(experiment: dict[str, Any], silent: set[str]) -> None:
    document = {"dataset": DATASET, "init": NEURONS, "flow": {"kind": "none"}, **experiment}
    asked = parse_submission({"experiment": document}).experiment
    answers = {fit.regularizer: fit.outcome for fit in run(asked).result.fits}
    assert {name for name, outcome in answers.items() if outcome == "none_known"} == silent
    told = [note for note in warnings(asked) if "none_known" in note]
    assert len(told) == bool(silent)
    named = told[0].rsplit(": ", 1)[1] if told else ""
    assert {name for name in answers if name in named.removesuffix("none_known")} == silent
