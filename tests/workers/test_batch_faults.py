"""Real workers and batches of cells: a killed child, a stopped worker, two users."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from typing import Any

from initshape.spec.status import Status
from initshape.store import jobs
from initshape.store.jobs import JobRequest, Submitter
from tests.workers.factory import Factory, experiment, slow, until


def together(requests: list[JobRequest], batch: str) -> list[JobRequest]:
    return [replace(request, batch=batch, seconds=0.05) for request in requests]


def fits(count: int, seed: int, **changes: Any) -> list[JobRequest]:
    """Quick cells of one data set."""
    scales = ({"kind": "scale_shape", "scale": 0.01 * 1.1**k, "shape": 0.5} for k in range(count))
    return together([experiment(seed=seed, init=init, **changes) for init in scales], f"fits {seed}")


def send(factory: Factory, requests: list[JobRequest], user: str = "ann") -> None:
    factory.store.run(jobs.submit_many(requests, Submitter(user)))


def test_a_sweep_goes_through_in_batches(factory: Factory) -> None:
    requests = fits(40, seed=501)
    send(factory, requests)
    for request in requests:
        record = factory.ended(request.id)
        assert record.status is Status.succeeded
        assert [attempt.how for attempt in record.attempts].count("finished") == 1


def test_a_child_killed_in_the_middle_of_a_batch(factory: Factory) -> None:
    """Every cell finishes once; what the child was at counts as lost, what waited in it does not."""
    requests = together([slow(seed=600 + k, samples=150) for k in range(6)], "slow")
    send(factory, requests)
    first, *waiting = requests[:3]
    factory.started(first.id)
    until(lambda: all(factory.read(request.id).status is Status.running for request in waiting))
    assert factory.read(waiting[0].id).progress == {"stage": "waiting in a batch", "fraction": 0}
    time.sleep(0.2)
    os.kill(factory.child(), signal.SIGKILL)
    assert until(lambda: all(factory.read(request.id).attempts for request in requests[:3])) <= 7.0
    assert [factory.read(request.id).attempts[0].how for request in requests[:3]] == ["lost", "returned", "returned"]
    for request in requests:
        record = factory.ended(request.id)
        assert record.status is Status.succeeded
        hows = [attempt.how for attempt in record.attempts]
        assert hows.count("finished") == 1
        assert hows.count("lost") == (1 if request is first else 0)


def test_another_user_waits_for_one_cell_only(factory: Factory) -> None:
    many, one = together([slow(seed=700 + k, samples=150) for k in range(8)], "slow"), experiment(seed=799)
    send(factory, many)
    factory.started(many[0].id)
    send(factory, [one], "bob")
    record = factory.ended(one.id)
    assert record.status is Status.succeeded
    begun = [factory.read(request.id) for request in many]
    assert sum(job.status is Status.succeeded for job in begun) <= 2
    factory.store.run(jobs.cancel_many([request.id for request in many], "ann"))
    for request in many:
        factory.ended(request.id)
    factory.warm()
