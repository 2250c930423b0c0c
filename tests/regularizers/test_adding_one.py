"""Adding a regularizer is one file and its line in the registry, and one name in the union if the name is new.

The sources are copied, and exactly that is done to the copy. Catalog, command line, fits, evaluations, the spec and
the OpenAPI document of the copy then know the newcomer.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("typer", reason="drives the command line, which a machine that only computes need not have")

from initshape.regularizers import ENTRIES
from initshape.regularizers.max_margin_registry import MARGIN_ENTRIES
from initshape.spec.options import REGULARIZER_ORDER

ROOT = Path(__file__).parents[2]

NEWCOMER = '''
"""A toy: Q(w) = sum_i w_i^4/4, whatever the model. Not a theorem about anything."""

from __future__ import annotations

import time

import numpy as np
from scipy.optimize import minimize

from initshape.regularizers.base import AbstractRegularizer
from initshape.regularizers.entry import ClosedForm, Entry
from initshape.regularizers.fit import Claim, with_answer
from initshape.spec.outcome import Exactness, Outcome


class Quartic(AbstractRegularizer):
    """sum_i w_i^4/4."""

    latex = r"Q(w) = \\tfrac14 \\sum_i w_i^4"

    def value(self, w):
        return float(np.sum(w**4) / 4)

    def gradient(self, w):
        return w**3

    def inverse(self, R):
        return np.cbrt(R)


def fit(dataset, model, theta0):
    started = time.perf_counter()
    q, claim = Quartic(), Claim(Exactness.baseline, None, (), ENTRY.citations)
    constraint = {"type": "eq", "fun": lambda w: dataset.X @ w - dataset.y, "jac": lambda w: dataset.X}
    start = np.linalg.pinv(dataset.X) @ dataset.y
    found = minimize(q.value, start, jac=q.gradient, constraints=constraint, method="SLSQP", tol=1e-14)
    return with_answer("toy", claim, Outcome.converged, found.x, q, dataset, iterations=found.nit, started=started)


ENTRY = Entry(
    name="toy",
    title="Quartic toy",
    models="any",
    latex=Quartic.latex,
    exactness=Exactness.baseline,
    conditions=("none: a toy",),
    citations=("@misc{toy,\\n  title = {A toy},\\n  author = {Nobody},\\n  year = {2026}\\n}",),
    applies=lambda model: True,
    fit=fit,
    closed_form=lambda model, theta0: ClosedForm(Quartic()),
)
'''


def after(file: Path, place: str, line: str) -> None:
    text = file.read_text()
    assert text.count(place) == 1, f"{file.name}: {place!r}"
    file.write_text(text.replace(place, place + line))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources with the newcomer: one new file, one line in the registry (and its import), one name in the union."""
    root = tmp_path_factory.mktemp("copy")
    for package in ("initshape", "service"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "openapi" / "examples", root / "service" / "openapi_examples")
    folder = root / "initshape" / "regularizers"
    (folder / "toy.py").write_text(NEWCOMER.lstrip())
    after(folder / "registry.py", "from initshape.regularizers import (\n", "    toy,\n")
    after(folder / "registry.py", "ENTRIES: tuple[Entry, ...] = (\n", "    toy.ENTRY,\n")
    after(root / "initshape" / "spec" / "options.py", "RegularizerName = Literal[", '"toy", ')
    return root


def run(copy: Path, *arguments: str, stdin: str = "") -> str:
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, *arguments], input=stdin, capture_output=True, text=True, timeout=120,
                          cwd=copy, env=environment)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_command_line_and_catalog_know_it(copy: Path) -> None:
    assert "Quartic toy (baseline; square)" in run(copy, "-m", "initshape.cli", "catalog")
    found: dict[str, Any] = json.loads(run(copy, "-m", "initshape.cli", "catalog", "toy", "--json"))
    (entry,) = found["regularizers"]
    assert entry["latex"] == r"Q(w) = \tfrac14 \sum_i w_i^4"
    assert entry["conditions"] == ["none: a toy"]


def test_it_can_be_looked_at(copy: Path) -> None:
    document = {
        "regularizer": "toy", "model": {"kind": "diagonal"}, "init": {"kind": "scale_shape", "scale": 1, "shape": 0},
        "points": [[2.0, -1.0]], "what": ["value", "gradient", "inverse"],
    }  # fmt: skip
    found = json.loads(run(copy, "-m", "initshape.cli", "evaluate", "-", "--json", stdin=json.dumps(document)))
    assert found["title"] == "Quartic toy"
    assert found["arrays"]["value"] == [4.25]
    assert found["arrays"]["gradient"] == [[8.0, -1.0]]
    assert found["arrays"]["inverse"][0] == pytest.approx([2 ** (1 / 3), -1.0])


def test_an_experiment_may_ask_for_it(copy: Path) -> None:
    """min (w_0^4 + w_1^4)/4 s.t. w_0 + 2 w_1 = 3, by its stationarity: w_1^3 = 2 w_0^3."""
    document = {
        "experiment": {
            "dataset": {"kind": "explicit", "X": [[1.0, 2.0]], "y": [3.0]}, "model": {"kind": "diagonal"},
            "init": {"kind": "scale_shape", "scale": 1, "shape": 0}, "flow": {"kind": "none"},
            "regularizers": ["toy"],
        },
    }  # fmt: skip
    code = (
        "import json, sys; from initshape.client import Local; client = Local(); "
        "job = client.submit(json.load(sys.stdin)); "
        "print(json.dumps([client.result(job['id'])['fits'], client.arrays(job['id'])['w_toy'].tolist()]))"
    )
    (fit,), w = json.loads(run(copy, "-c", code, stdin=json.dumps(document)))
    ratio = 2 ** (1 / 3)
    assert w == pytest.approx(np.array([1.0, ratio]) * 3 / (1 + 2 * ratio), rel=1e-6)
    assert (fit["regularizer"], fit["outcome"], fit["exactness"]) == ("toy", "converged", "baseline")
    assert fit["kkt_residual"] < 1e-6


def test_http_reference_knows_it(copy: Path) -> None:
    schemas = json.loads(run(copy, "-m", "service.openapi"))["components"]["schemas"]
    assert "toy" in schemas["Experiment"]["properties"]["regularizers"]["items"]["enum"]
    assert "toy" in schemas["InitEvaluation"]["properties"]["regularizer"]["enum"]


def test_union_and_registries_agree() -> None:
    """Every name that a spec may ask for has an entry, and no entry has a name that cannot be asked for."""
    assert {entry.name for entry in ENTRIES} == set(REGULARIZER_ORDER)
    assert {entry.name for entry in MARGIN_ENTRIES} <= set(REGULARIZER_ORDER)
    assert len(set(REGULARIZER_ORDER)) == len(REGULARIZER_ORDER)
