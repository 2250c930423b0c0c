"""What may be imported from where, checked in fresh interpreters; the layers themselves are import-linter's job."""

from __future__ import annotations

import subprocess
import sys

import pytest


def loaded_after(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after `statement`."""
    code = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import service.app", {"jax", "jaxlib", "matplotlib", "scipy", "workers"}),
        ("import workers.app", {"jax", "jaxlib", "matplotlib", "service", "fastapi"}),
        ("import initshape.cli", {"jax", "matplotlib", "fastapi", "celery", "scipy"}),
        ("import initshape.client", {"jax", "fastapi", "celery"}),
        ("import initshape.models, initshape.datasets, initshape.regularizers", {"jax", "redis", "httpx2"}),
        ("import initshape.dual, initshape.training.trajectory", {"jax", "redis", "httpx2"}),
        ("import initshape.spec.experiment, initshape.spec.identity", {"jax", "scipy", "redis", "ruamel"}),
        ("import initshape.flows", {"redis", "fastapi", "celery", "httpx2"}),
    ],
)
def test_nothing_heavy_is_loaded_unasked(statement: str, absent: set[str]) -> None:
    assert not loaded_after(statement) & absent


RUN = """
from initshape.run import run
from initshape.spec.experiment import Experiment
data = {"kind": "sparse_regression", "dimension": 20, "samples": 4, "test_samples": 10}
for depth, integrator in ((2, "dual"), (3, "dual"), (3, "limit")):
    document = {"dataset": data, "model": {"kind": "diagonal", "depth": depth},
                "init": {"kind": "scale_shape", "scale": 0.1, "shape": 0.3}, "flow": {"integrator": integrator}}
    assert run(Experiment.model_validate(document)).result.outcome == "converged"
"""


def test_theory_never_waits_for_a_compiler() -> None:
    """Whole runs of the dual flow and of limits, comparisons, regime and provenance included."""
    assert not loaded_after(RUN) & {"jax", "jaxlib"}


def test_the_numerics_need_only_four_packages() -> None:
    loaded = loaded_after("import initshape.run, initshape.flows")
    assert not loaded & {"redis", "fastapi", "celery", "httpx2", "typer", "rich", "ruamel", "matplotlib"}
