"""What jobs and results take in Redis: `python -m benchmarks.sizing`, for docs/scaling.md.

A server of its own, filled as the API and the workers fill it, and `used_memory` before and after.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from initshape.run import run
from initshape.spec.identity import experiment_id, resolved
from initshape.spec.parse import parse_submission
from initshape.store import Store, jobs, leases, results
from initshape.store.jobs import JobRequest
from initshape.store.records import Submitter
from initshape.store.server import RedisServer

SMALL, LARGE = {"dimension": 20, "samples": 5, "sparsity": 2, "test_samples": 10}, {"dimension": 1000, "samples": 100}


def request(sizes: dict[str, int], seed: int, flow: dict[str, Any], shape: float = 0.5) -> JobRequest:
    """One experiment of the sizes; the shape varies where the data stay the same."""
    document = {
        "dataset": {"kind": "sparse_regression", "seed": seed, **sizes},
        "model": {"kind": "diagonal"},
        "init": {"kind": "scale_shape", "scale": 0.01, "shape": shape},
        "flow": flow,
    }
    parsed = parse_submission({"experiment": document}).experiment
    return JobRequest(experiment_id(parsed), resolved(parsed), max_seconds=parsed.stop.max_seconds)


def compute(store: Store, wanted: JobRequest) -> None:
    """What a worker does."""
    (claim,) = store.run(leases.claim("sizing", "cpu", lease_seconds=600.0))
    experiment = parse_submission({"experiment": claim.document}).experiment
    output = run(experiment, lambda _: None, id=claim.id)
    document = output.result.model_dump_json().encode()
    store.run(results.upload(claim.id, claim.fence, document, output.arrays))
    assert store.run(leases.finish(claim.id, claim.fence, output.result.outcome.value)).value == "accepted"
    assert claim.id == wanted.id


def measure(name: str, count: int, wanted: Callable[[int], JobRequest], *, computed: bool) -> None:
    """Prints bytes of memory and of the append-only file for each of `count` jobs."""
    with tempfile.TemporaryDirectory() as folder, RedisServer(Path(folder)) as server:
        store = Store(server.settings)
        store.run(jobs.submit(request(SMALL, 10**6, {"kind": "none"}), Submitter("ann")))  # scripts are loaded
        store.run(leases.claim("sizing", "cpu", lease_seconds=600.0))
        before = store.client.info("memory")["used_memory"]
        for k in range(count):
            one = wanted(k)
            store.run(jobs.submit(one, Submitter("ann")))
            if computed:
                compute(store, one)
        memory = store.client.info("memory")["used_memory"] - before
        size = sum(file.stat().st_size for file in (server.directory / "appendonlydir").iterdir())
        print(f"{name:<58}{count:>6}{memory / count:>12.0f}{size / count:>12.0f}", flush=True)
        store.close()


def main() -> None:
    """The table."""
    print(f"{'':<58}{'jobs':>6}{'memory':>12}{'file':>12}  (bytes a job)")
    dual, none = {"kind": "gradient_flow", "integrator": "dual"}, {"kind": "none"}
    measure("queued, trivial", 1000, lambda k: request(SMALL, k, none), computed=False)
    measure("fit, d = 20, N = 5, data of its own", 1000, lambda k: request(SMALL, k, none), computed=True)
    measure("flow and fit, d = 20, N = 5, data of its own", 100, lambda k: request(SMALL, k, dual), computed=True)
    measure("flow and fit, d = 1000, N = 100, data of its own", 100, lambda k: request(LARGE, k, dual), computed=True)
    measure(
        "flow and fit, d = 1000, N = 100, one data set for all", 100,
        lambda k: request(LARGE, 1, dual, shape=k / 101), computed=True,
    )  # fmt: skip


if __name__ == "__main__":
    main()
