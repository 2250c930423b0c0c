"""The numerics need jax, numpy, scipy, pydantic, rfc8785; their tests pytest, hypothesis, mpmath; nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def in_a_bare_interpreter(*arguments: str) -> str:
    command = [sys.executable, str(Path(__file__).parent / "numerics_alone.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_an_experiment_runs_without_the_service() -> None:
    found = json.loads(in_a_bare_interpreter("run"))
    assert found["outcome"] == "converged"
    assert found["distance"] < 1e-7


def test_the_tests_of_the_numerics_are_collected_without_the_service() -> None:
    named = re.search(r"^NUMERICS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert named is not None
    report = in_a_bare_interpreter("collect", *named.group(1).split())
    folders = {line.split("/")[1] for line in report.splitlines() if line.startswith("tests/") and "::" in line}
    assert {"flows", "models", "regularizers", "datasets"} <= folders
    assert "test_run.py::" in report
