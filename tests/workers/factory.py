"""A real worker process on a server of its own, and small experiments for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from initshape.spec.identity import experiment_id, resolved
from initshape.spec.parse import parse_submission
from initshape.spec.status import Status
from initshape.store import Queue, Store, jobs, presence
from initshape.store.jobs import JobRequest, Submitter
from initshape.store.records import JobRecord
from initshape.store.server import RedisServer

PATIENCE = 60.0
"""Seconds until a test gives up; what must be fast says so itself."""


def experiment(dimension: int = 20, samples: int = 5, seed: int = 1, **others: Any) -> JobRequest:
    """A fit without a flow: no compiler is involved."""
    document = {
        "dataset": {
            "kind": "sparse_regression", "dimension": dimension, "samples": samples, "sparsity": 2, "test_samples": 10,
            "seed": seed,
        },
        "model": {"kind": "diagonal", "depth": 2},
        "init": {"kind": "scale_shape", "scale": 0.01, "shape": 0.5},
        "flow": {"kind": "none"},
        "regularizers": ["implicit", "l2"],
    } | others  # fmt: skip
    parsed = parse_submission({"experiment": document}).experiment
    return JobRequest(experiment_id(parsed), resolved(parsed), max_seconds=parsed.stop.max_seconds)


def slow(seed: int, dimension: int = 1000, samples: int = 200) -> JobRequest:
    """A second or more inside one library call: a linear program."""
    return experiment(dimension=dimension, samples=samples, seed=seed, regularizers=["l1"])


def long_flow(seed: int, steps: int = 150_000, **stop: Any) -> JobRequest:
    """Gradient descent for some seconds, in many short blocks, with momentum and mini-batches."""
    flow = {"kind": "gradient_descent", "step_size": 1e-5, "batch_size": 3, "momentum": 0.5}
    return experiment(seed=seed, flow=flow, stop={"max_steps": steps, "relative_residual": 1e-12, **stop})


def until(condition: Callable[[], bool], seconds: float = PATIENCE) -> float:
    """Waits; answers how long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "waited in vain"
        time.sleep(0.02)
    return time.monotonic() - began


@dataclass
class Factory:
    """A server and its worker."""

    server: RedisServer
    store: Store
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start_worker(self, name: str, **more: str) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ, **self.server.environment(),
            "INITSHAPE_COMPILATION_CACHE": str(self.folder / "compiled"), "INITSHAPE_PIN": "0",
            "INITSHAPE_WARM": "0", **more,
        }  # fmt: skip
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "workers", "--name", name], env=environment, stdout=log, stderr=log
            )

    def submit(self, request: JobRequest) -> str:
        self.store.run(jobs.submit(request, Submitter("ann")))
        return request.id

    def read(self, job_id: str) -> JobRecord:
        record = self.store.run(jobs.read(job_id))
        assert record is not None
        return record

    def started(self, job_id: str) -> JobRecord:
        until(lambda: self.read(job_id).status is Status.running)
        return self.read(job_id)

    def ended(self, job_id: str) -> JobRecord:
        until(lambda: self.read(job_id).status.terminal)
        return self.read(job_id)

    def restart_redis(self, down: float) -> None:
        """SIGKILL, and the same server again after so many seconds."""
        os.kill(self.server.pid, signal.SIGKILL)
        self.server._process.wait()
        time.sleep(down)
        command = [self.server.binary, self.server.directory / "redis.conf"]
        with (self.server.directory / "server.log").open("ab") as log:
            self.server._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.server.directory)

    def log(self, name: str = "first") -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def child(self, worker: subprocess.Popen[bytes] | None = None) -> int:
        """Process id of a worker's child."""
        chosen = worker or self.process
        assert chosen is not None
        parent = chosen.pid
        numbers = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        (found,) = [int(n) for n in numbers if b"spawn_main" in Path(f"/proc/{n}/cmdline").read_bytes()]
        return found

    def warm(self) -> None:
        """The worker's child is there and has loaded its libraries: a job has gone through."""
        request = experiment(seed=int(time.time() * 1000) % 2**31)
        assert self.ended(self.submit(request)).status is Status.succeeded


def stop(worker: subprocess.Popen[bytes]) -> float:
    """SIGTERM; answers how many seconds the end took."""
    began = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    try:
        worker.wait(30)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
        raise
    return time.monotonic() - began


@contextmanager
def at_work(folder: Path, **environment: str) -> Iterator[Factory]:
    """A server of its own and one worker, up and warm."""
    with RedisServer(folder) as server:
        store = Store(server.settings)
        factory = Factory(server, store, folder)
        factory.process = factory.start_worker("first", **environment)
        try:
            until(lambda: store.run(presence.slots_alive(Queue.cpu)) == 1)
            factory.warm()
            yield factory
        finally:
            store.close()
            stop(factory.process)
