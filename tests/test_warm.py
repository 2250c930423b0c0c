"""What is compiled before anybody asks: the programs that jobs then find, each once, and by one process at a time."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from initshape.presets import presets
from initshape.spec.experiment import Experiment
from initshape.warm import LOCK, likely, warm

JOB = """
import sys
from initshape.flows import compiled
from initshape.flows.executable import Executable
from initshape.run import run
from initshape.spec.experiment import Experiment
from initshape.warm import warm

experiment = Experiment.model_validate({
    "dataset": {"kind": "sparse_regression", "dimension": 12, "samples": 5, "sparsity": 2, "seed": 1},
    "model": {"kind": "diagonal", "depth": 2}, "init": {"kind": "scale_shape", "scale": 0.01, "shape": 0.5},
})
print(warm([experiment, experiment.model_copy(update={"name": "the same"})]))
compiled._programs.clear()
other = experiment.model_copy(update={"init": experiment.init.model_copy(update={"scale": 0.5, "shape": 0.0})})
print(run(other).result.outcome.value, {type(program.run).__name__ for program in compiled._programs.values()})
"""


def environment(folder: Path) -> dict[str, str]:
    folder.chmod(0o700)
    return {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(folder), "INITSHAPE_COMPILATION_CACHE": str(folder),
            "JAX_PLATFORMS": "cpu"}  # fmt: skip


def test_a_job_finds_the_program_that_was_made_for_it(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", JOB], env=environment(tmp_path), check=True, capture_output=True, text=True
    )
    assert found.stdout.split("\n")[:2] == ["1", "converged {'Executable'}"]
    assert len(list((tmp_path / "programs").glob("*.program"))) == 1


def test_published_figures_come_first() -> None:
    kinds = {preset.kind for preset in presets()}
    assert {"experiment", "sweep"} <= kinds
    found = list(likely())
    first = found[0]
    assert (first.model.kind, first.dataset.kind) == ("diagonal", "sparse_regression")
    assert {each.loss.kind for each in found} >= {"square", "exponential"}
    assert any(each.model.kind == "single_neuron" for each in found)


def test_what_compiles_nothing_is_left_out() -> None:
    (base, *_) = likely()
    flows = [{"kind": "none"}, {"kind": "gradient_flow", "integrator": "dual"}]
    documents = [{**base.model_dump(mode="json", exclude_none=True), "flow": flow} for flow in flows]
    assert warm(Experiment.model_validate(document) for document in documents) == 0


def test_while_one_process_is_at_it_another_has_nothing_to_do(tmp_path: Path) -> None:
    lock = os.open(tmp_path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([sys.executable, "-m", "initshape.warm"], env=environment(tmp_path), check=True, timeout=60)
    finally:
        os.close(lock)
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="the system knows no such class")
def test_it_runs_when_nobody_else_wants_the_core(tmp_path: Path) -> None:
    """The process is asked while it works; it stops with whoever has started it."""
    process = subprocess.Popen([sys.executable, "-m", "initshape.warm"], env=environment(tmp_path))
    try:
        while not (tmp_path / LOCK).exists():
            assert process.poll() is None
        assert os.sched_getscheduler(process.pid) == os.SCHED_IDLE
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == 19
    finally:
        process.kill()
        process.wait()
