"""The registry, the catalog, and what both promise about every entry."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import initshape
from initshape.datasets import Dataset
from initshape.models import AbstractModel, Diagonal
from initshape.regularizers import ENTRIES, AbstractPotential, QuadraticPotential, catalog, evaluate_kkt, fit
from initshape.spec.options import REGULARIZER_ORDER
from initshape.spec.outcome import Exactness, Outcome

DATA = Dataset(X=np.random.default_rng(0).standard_normal((2, 5)), y=np.array([1.0, -0.5]))


def test_names_are_those_of_the_spec() -> None:
    """The spec may know names whose entry belongs to other models; it knows at least these."""
    assert {"implicit", "l1", "l2", "kernel"} <= {entry.name for entry in ENTRIES} <= set(REGULARIZER_ORDER)


def test_catalog_is_json_with_formula_conditions_and_references() -> None:
    entries = json.loads(json.dumps(catalog()))
    assert len(entries) == len(ENTRIES)
    for entry in entries:
        assert set(entry) == {"name", "title", "models", "latex", "exactness", "conditions", "citations"}
        assert entry["latex"].startswith("Q(w)")
        assert entry["conditions"]
        for citation in entry["citations"]:
            assert citation.startswith("@")
            assert citation.count("{") == citation.count("}")
            assert {"title", "author", "year"} <= {line.split("=")[0].strip() for line in citation.splitlines()}


def test_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="known are"):
        fit("l3", DATA, Diagonal(2, 5), np.ones(20))


def test_model_without_a_closed_form_gets_none_known() -> None:
    """A model that no entry knows: a reason, no number, no exception; the baselines of any model still answer."""

    @dataclass(frozen=True)
    class Unknown:
        dimension: int = 5

    model: AbstractModel = Unknown()  # type: ignore[assignment]
    for name in ("implicit", "kernel"):
        answer = fit(name, DATA, model, np.ones(3))
        assert answer.outcome is Outcome.none_known
        assert answer.exactness is Exactness.none
        assert answer.w is None
        assert answer.value is None
        assert answer.reason is not None
        assert "Unknown" in answer.reason
    assert fit("l1", DATA, model, np.ones(3)).outcome is Outcome.converged


@pytest.mark.parametrize("name", ["implicit", "l1", "l2", "kernel"])
def test_every_fit_carries_what_the_result_needs(name: str) -> None:
    answer = fit(name, DATA, Diagonal(2, 5), np.linspace(0.1, 2.0, 20))
    assert answer.regularizer == name
    assert answer.outcome is Outcome.converged
    assert answer.w is not None
    assert answer.w.shape == (5,)
    assert answer.value is not None
    assert np.isfinite(answer.value)
    assert answer.relative_residual is not None
    assert answer.relative_residual <= 1e-13
    assert answer.kkt_residual is not None
    assert answer.kkt_residual <= 1e-13
    assert answer.seconds is not None
    assert answer.citations
    assert answer.potential is not None
    assert evaluate_kkt(answer.potential, answer.w, DATA.X) == answer.kkt_residual


def test_kkt_of_the_resting_point_is_zero_and_of_another_point_is_not() -> None:
    q = QuadraticPotential(w0=np.ones(5), metric=np.full(5, 2.0))
    assert isinstance(q, AbstractPotential)
    assert evaluate_kkt(q, np.ones(5), DATA.X) == 0.0
    inside = np.ones(5) + 2.0 * (np.array([0.3, -2.0]) @ DATA.X)
    assert evaluate_kkt(q, inside, DATA.X) <= 1e-15
    assert evaluate_kkt(q, inside + np.eye(5)[0], DATA.X) > 1e-2
    outside = np.linalg.svd(DATA.X)[2][-1]
    assert evaluate_kkt(q, np.ones(5) + outside, DATA.X) == pytest.approx(1.0, rel=1e-14)


def test_kkt_with_dependent_rows() -> None:
    X = np.vstack([DATA.X, DATA.X[0] * 1e9, np.zeros((1, 5))])
    q = QuadraticPotential(w0=np.zeros(5), metric=np.ones(5))
    for w in np.random.default_rng(2).standard_normal((4, 5)):
        assert evaluate_kkt(q, w, X) == pytest.approx(evaluate_kkt(q, w, DATA.X), rel=1e-12)


def test_theorems_are_numbered_only_where_the_number_is_known() -> None:
    """A wrong number, served with every result, would be worse than none: a new one is added here when it was read."""
    known = {"Theorem 4.1"}  # Azulay et al. 2021, two-layer diagonal networks
    sources = [file.read_text(encoding="utf-8") for file in Path(initshape.__file__).parent.rglob("*.py")]
    assert {number for text in sources for number in re.findall(r"Theorem \d[\d.]*\d|Theorem \d", text)} == known
