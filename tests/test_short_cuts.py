"""Runs that take theory's short cut: what their results say, and that everything that shows results copes."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from initshape.cli import show
from initshape.figures import FigureError
from initshape.figures.experiment import coordinates, distance, experiment_kinds, loss
from initshape.figures.table import row
from initshape.run import RunOutput, run
from initshape.spec.experiment import Experiment
from initshape.spec.result import Result

DATA = {"kind": "sparse_regression", "dimension": 30, "samples": 6, "sparsity": 3, "test_samples": 20, "seed": 4}
BASE: dict[str, Any] = {
    "dataset": DATA,
    "model": {"kind": "diagonal"},
    "init": {"kind": "scale_shape", "scale": 0.01, "shape": 0.3},
    "trajectory": {"points": 20, "coordinates": 4},
}


def ran(integrator: str, **changes: Any) -> RunOutput:
    return run(Experiment.model_validate({**BASE, "flow": {"integrator": integrator}, **changes}), id="x-1")


@pytest.fixture(scope="module")
def outputs() -> dict[str, RunOutput]:
    return {name: ran(name) for name in ("radau", "tsit5", "dual", "limit")}


def test_who_is_evidence_says_so(outputs: dict[str, RunOutput]) -> None:
    independent = {name: found.result.flow.independent for name, found in outputs.items()}
    assert independent == {"radau": True, "tsit5": True, "dual": False, "limit": False}
    for name, found in outputs.items():
        warned = any("no evidence" in text for text in found.result.notes)
        assert warned is (name in ("dual", "limit"))
        assert found.result.flow.integrator == name
        assert any("Tsitouras" in text for text in found.result.citations) is (name == "tsit5")
        assert any("Hairer" in text for text in found.result.citations) is (name in ("radau", "dual"))
        keys = [re.match(r"@\w+\{(\w+),\n", text) for text in found.result.citations]
        assert all(keys)  # BibTeX from the first line to the last: `initshape cite ID > refs.bib`
        assert len({key[1] for key in keys if key}) == len(keys)


def test_all_of_them_end_at_one_place(outputs: dict[str, RunOutput]) -> None:
    w = {name: found.arrays["w_flow"] for name, found in outputs.items()}
    for name in ("tsit5", "dual", "limit"):
        assert np.linalg.norm(w[name] - w["radau"]) < 1e-7 * np.linalg.norm(w["radau"])
        assert outputs[name].result.outcome == "converged"
        np.testing.assert_allclose(
            outputs[name].arrays["parameters_final"], outputs["radau"].arrays["parameters_final"], rtol=0, atol=1e-7
        )
        assert outputs[name].result.regime.label == outputs["radau"].result.regime.label
        assert outputs[name].result.flow.ntk_change == pytest.approx(outputs["radau"].result.flow.ntk_change, rel=1e-6)
        assert outputs[name].result.flow.test_error == pytest.approx(outputs["radau"].result.flow.test_error, rel=1e-6)


def test_trajectories_are_the_same_arrays(outputs: dict[str, RunOutput]) -> None:
    for name in ("tsit5", "dual"):
        assert set(outputs[name].arrays) == set(outputs["radau"].arrays)
    only = set(outputs["radau"].arrays) - set(outputs["limit"].arrays)
    assert only == {
        "time", "train_loss", "relative_residual", "invariant_drift", "w_trajectory", "coordinate_index",
        "distance_implicit", "distance_l1", "distance_l2", "distance_kernel",
    }  # fmt: skip


def test_a_limit_has_no_time(outputs: dict[str, RunOutput]) -> None:
    flow = outputs["limit"].result.flow
    assert (flow.time, flow.steps, flow.invariant_drift, flow.completion) == (None, None, None, None)
    assert (flow.outcome, flow.stopped_by) == ("converged", "closed_form")
    assert flow.relative_residual < 1e-12
    assert outputs["limit"].result.comparisons[0].relative_distance == 0.0
    again = Result.model_validate_json(outputs["limit"].result.model_dump_json())
    assert again == outputs["limit"].result
    invariants = outputs["limit"].arrays["invariants"]
    np.testing.assert_allclose(invariants[1], invariants[0], rtol=0, atol=1e-13)


def test_what_shows_results_copes(outputs: dict[str, RunOutput], capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("dual", "limit"):
        document = outputs[name].result.model_dump(mode="json")
        show.result(document)
        cells = row("x-1", "succeeded", {}, {}, document, None)
        assert (cells["time"] is None, cells["stopped_by"]) == (name == "limit", document["flow"]["stopped_by"])
    printed = capsys.readouterr().out
    assert "the limit in closed form" in printed
    assert "None" not in printed
    assert printed.count("no evidence") == 2
    assert "dual Newton steps" in printed


def test_figures_of_a_dual_trajectory_and_none_of_a_limit(outputs: dict[str, RunOutput]) -> None:
    document, arrays = outputs["dual"].result.model_dump(mode="json"), outputs["dual"].arrays
    assert {"distance", "loss", "coordinates"} <= set(experiment_kinds(arrays))
    assert "dual Newton" in loss(document, arrays).caption
    document, arrays = outputs["limit"].result.model_dump(mode="json"), outputs["limit"].arrays
    assert experiment_kinds(arrays) == ()
    for draw in (distance, loss, coordinates):
        with pytest.raises(FigureError):
            draw(document, arrays)


def test_a_limit_without_the_implicit_fit_is_computed_all_the_same() -> None:
    found = ran("limit", regularizers=["l2"])
    assert found.result.outcome == "converged"
    np.testing.assert_allclose(found.arrays["w_flow"], ran("limit").arrays["w_implicit"], rtol=0, atol=0)


def test_a_limit_that_theory_does_not_know_is_no_number() -> None:
    """Explicit layers that are not aligned: only the worker can see it."""
    rng = np.random.default_rng(0)
    layers = [rng.normal(size=(2, 30)).tolist(), rng.normal(size=(1, 2)).tolist()]
    model = {"kind": "fully_connected", "depth": 2, "width": 2}
    found = ran("limit", model=model, init={"kind": "explicit", "layers": layers})
    assert found.result.outcome == found.result.flow.outcome == "none_known"
    assert "w_flow" not in found.arrays
    assert "parameters_final" not in found.arrays
    assert found.result.comparisons == ()
    assert any("no closed form" in text for text in found.result.notes)


def test_what_no_weights_fit_is_infeasible() -> None:
    data = {"kind": "explicit", "X": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], "y": [1.0, 1.0]}
    u = [0.5, 0.0, 0.5]
    init = {"kind": "explicit", "u_plus": u, "v_plus": u, "u_minus": u, "v_minus": u}
    for integrator, outcome in (("limit", "infeasible"), ("dual", "saddle")):
        found = ran(integrator, dataset=data, init=init)
        assert found.result.outcome == outcome
        assert found.result.flow.independent is False
