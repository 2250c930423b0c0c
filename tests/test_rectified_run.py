"""What a result says of a ReLU network: no Q, its convention at kinks, and advice where kinks end the flow."""

from __future__ import annotations

from typing import Any

import pytest

from initshape.run import run
from initshape.spec.experiment import Experiment
from initshape.spec.outcome import Exactness
from initshape.spec.result import Result

X = [[1.0, 0.3, -0.2], [-0.4, 1.1, 0.5], [0.2, -0.6, 0.9]]


def result(activation: str, **parts: Any) -> Result:
    document = {
        "dataset": {"kind": "explicit", "X": X, "y": [1.0, -0.7, 0.4]},
        "model": {"kind": "fully_connected", "width": 3, "activation": activation},
        "init": {"kind": "scale_shape", "scale": 0.5, "shape": 0.2, "seed": 3, "signs": "random"},
        **parts,
    }
    return run(Experiment.model_validate(document)).result


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_no_regularizer_is_claimed_and_the_convention_is_stated(activation: str) -> None:
    found = result(activation)
    (implicit,) = [fit for fit in found.fits if fit.regularizer == "implicit"]
    assert (implicit.outcome, implicit.exactness, implicit.value) == ("none_known", Exactness.none, None)
    assert implicit.reason is not None
    assert activation in implicit.reason
    assert all(fit.exactness in (Exactness.none, Exactness.baseline) for fit in found.fits)
    assert not any(comparison.regularizer == "implicit" for comparison in found.comparisons)
    assert "w_implicit" not in found.arrays
    assert "w_flow" not in found.arrays
    assert found.regime is None
    assert found.flow is not None
    assert found.flow.kinks is not None
    assert found.flow.invariant_drift is not None
    assert found.flow.invariant_drift < 1e-7
    assert "invariants" in found.arrays
    (convention,) = [note for note in found.notes if "Clarke" in note]
    assert "negative side" in convention
    assert f"kinks = {found.flow.kinks} " in convention


def test_a_flow_that_ends_at_kinks_says_why_and_what_to_do() -> None:
    found = result(
        "relu",
        dataset={"kind": "explicit", "X": [[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]], "y": [-1.0, -2.0]},
        init={
            "kind": "explicit",
            "layers": [[[0.5, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [[1.0, 0.0, 0.0]]],
        },
    )
    assert found.flow is not None
    assert (found.outcome, found.flow.outcome, found.flow.stopped_by) == ("stalled", "stalled", "kinks")
    assert found.advice is not None
    assert "no single continuation" in found.advice
    assert "gradient_descent" in found.advice


def test_identity_networks_have_no_kinks_to_speak_of() -> None:
    found = result("identity")
    assert found.flow is not None
    assert found.flow.kinks is None
    assert not any("Clarke" in note for note in found.notes)
