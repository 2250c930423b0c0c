"""Compiles what people are likely to ask for first, so that no job waits for it: `python -m initshape.warm`.

Programs are found again on disk (`flows.kept`). The process is short-lived and runs only where nobody else wants the
core; of several on one machine one works, and the others end at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from initshape.numerics_environment import one_core
from initshape.presets import presets
from initshape.spec.expand import expand
from initshape.spec.experiment import Experiment
from initshape.spec.parse import parse_submission, parse_sweep
from initshape.supervisor.place import compilation_cache

DIMENSIONS: Final = (1000, 500, 200, 100, 2000, 50)
SAMPLES: Final = (100, 50, 200, 20, 10)
"""Round numbers near the published ones; at most half as many samples as features."""
LOCK: Final = ".warming"


def likely() -> Iterator[Experiment]:
    """The published figures first, then two-layer diagonal networks of common sizes."""
    for preset in presets():
        if preset.kind == "experiment":
            yield parse_submission(preset.document).experiment
        elif preset.kind == "sweep":
            yield from (cell.experiment for cell in expand(parse_sweep(preset.document).sweep))
    for dimension in DIMENSIONS:
        for samples in SAMPLES:
            if 2 * samples <= dimension:
                yield _common(dimension, samples)


def warm(experiments: Iterable[Experiment], told: Callable[[str], None] = lambda line: None) -> int:
    """Compiles the flows of `experiments`, each program once, and answers how many there were."""
    done: set[str] = set()
    for experiment in experiments:
        kind = _program_of(experiment)
        if kind is None or kind in done:
            continue
        done.add(kind)
        seconds = _compiled(experiment)
        told(f"{kind}: {seconds:.2f} s")
    return len(done)


def main() -> None:
    """With the lowest priority, unless another process is at it already. **Errors**: none for what cannot compile."""
    folder = compilation_cache()
    one_core(compilation_cache=folder)
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    with contextlib.suppress(OSError):
        os.nice(19)
    if hasattr(os, "SCHED_IDLE"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    if _alone(folder):
        warm(likely())


def _alone(folder: Path) -> bool:
    """Whether this process got the lock, which it holds to its end."""
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    return True


def _common(dimension: int, samples: int) -> Experiment:
    document: dict[str, Any] = {
        "dataset": {"kind": "sparse_regression", "dimension": dimension, "samples": samples},
        "model": {"kind": "diagonal", "depth": 2},
        "init": {"kind": "scale_shape", "scale": 1e-3, "shape": 0.0},
    }
    return Experiment.model_validate(document)


def _program_of(experiment: Experiment) -> str | None:
    """What tells one compiled program from another, in words; None where nothing is compiled."""
    flow, dataset = experiment.flow, experiment.dataset
    integrator = getattr(flow, "integrator", "")
    size = (getattr(dataset, "samples", None), getattr(dataset, "dimension", None))
    if flow.kind == "none" or integrator in ("dual", "limit") or None in size:
        return None
    model = " ".join(f"{name}={value}" for name, value in experiment.model.model_dump().items())
    batch = "" if getattr(flow, "batch_size", None) is None else " in batches"
    observed = f"{len(experiment.regularizers)} targets, {experiment.trajectory.coordinates} coordinates"
    return f"{model}, {experiment.loss.kind}, {flow.kind} {integrator}{batch}, N={size[0]}, d={size[1]}, {observed}"


def _compiled(experiment: Experiment) -> float:
    """One step of the flow, for the sake of its program; the seconds that getting it took."""
    import numpy as np

    from initshape.datasets import build
    from initshape.models import initialize
    from initshape.simulate import Task, simulate

    spec = experiment.dataset
    if "test_samples" in type(spec).model_fields:
        spec = spec.model_copy(update={"test_samples": 0})
    dataset = build(spec)
    model, theta = initialize(experiment.model, experiment.init, dataset.dimension)
    one_step = experiment.model_copy(update={"stop": experiment.stop.model_copy(update={"max_steps": 1})})
    # Only how many targets there are makes a program, not where they lie.
    targets = {str(name): np.ones(dataset.dimension) for name in experiment.regularizers}
    return simulate(Task(one_step, dataset, model, theta, targets, lambda progress: None)).compile_seconds


if __name__ == "__main__":
    main()
