"""An interpreter that finds the packages of a machine that only computes, and no other: run by path.

Usage: numerics_alone.py run | collect PATH ...
"""

from __future__ import annotations

import json
import os
import sys
from importlib import metadata
from importlib.abc import MetaPathFinder
from typing import Any

NUMERICS = {
    *("jax", "jaxlib", "ml_dtypes", "opt_einsum", "numpy", "scipy", "rfc8785"),
    *("pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"),
}
TESTS = {"pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "hypothesis", "_hypothesis_globals"}
TESTS |= {"py", "sortedcontainers", "mpmath"}
OURS = {"initshape", "service", "workers", "tests"}


class Missing(MetaPathFinder):
    """Every other installed package is not there."""

    def __init__(self, allowed: set[str]) -> None:
        self.hidden = set(metadata.packages_distributions()) - allowed - OURS - set(sys.stdlib_module_names)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] in self.hidden:
            raise ModuleNotFoundError(f"No module named {name!r} on a machine that only computes", name=name)


def run() -> int:
    sys.meta_path.insert(0, Missing(NUMERICS))
    from initshape.run import run as compute
    from initshape.spec.experiment import Experiment

    document = {
        "dataset": {"kind": "sparse_regression", "dimension": 8, "samples": 3, "sparsity": 2, "test_samples": 20},
        "model": {"kind": "diagonal"},
        "init": {"kind": "scale_shape", "scale": 0.01, "shape": 0.5},
    }
    result = compute(Experiment.model_validate(document)).result
    print(json.dumps({"outcome": result.outcome, "distance": result.comparisons[0].relative_distance}))
    return 0


def collect(paths: list[str]) -> int:
    sys.meta_path.insert(0, Missing(NUMERICS | TESTS))
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    import pytest

    return pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *paths])


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    sys.exit(run() if command == "run" else collect(arguments))
