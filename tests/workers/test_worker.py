"""A real Celery worker: jobs go through, and survive what kills their worker."""

from __future__ import annotations

import json
import os
import signal
import time

import numpy as np

from initshape.spec.status import Status
from initshape.store import Queue, jobs, leases, presence, results
from initshape.store.jobs import Submitter
from tests.workers.factory import Factory, experiment, slow, stop, until


def test_a_job_runs_end_to_end(factory: Factory) -> None:
    name = factory.submit(experiment())
    record = factory.ended(name)
    assert (record.status, record.outcome, record.attempt) == (Status.succeeded, "converged", 1)
    stored = factory.store.run(results.read(name))
    assert stored is not None
    document = json.loads(stored.document)
    assert document["id"] == name
    assert document["provenance"]["attempt"] == 1
    arrays = factory.store.run(results.read_arrays(name))
    assert arrays is not None
    assert {n: (list(a.shape), str(a.dtype)) for n, a in arrays.items()} == {
        n: (info["shape"], info["dtype"]) for n, info in document["arrays"].items()
    }
    residual = np.linalg.norm(arrays["X"] @ arrays["w_implicit"] - arrays["y"]) / np.linalg.norm(arrays["y"])
    assert residual < 1e-10
    assert stored.manifest["X"].dataset is not None  # shared between results


def test_many_jobs_need_few_rings(factory: Factory) -> None:
    requests = [experiment(seed=100 + k) for k in range(30)]
    factory.store.run(jobs.submit_many(requests, Submitter("ann")))
    for request in requests:
        assert factory.ended(request.id).status is Status.succeeded


def test_a_broken_document_fails_and_the_worker_lives(factory: Factory) -> None:
    request = jobs.JobRequest("x-broken", {"dataset": {"kind": "unheard of"}})
    record = factory.ended(factory.submit(request))
    assert record.status is Status.failed
    assert record.error is not None
    assert record.error.code == "internal"
    assert record.error.advice
    factory.warm()


def test_a_killed_child_costs_nothing(factory: Factory) -> None:
    """Queued again within 7 s, finished once."""
    name = factory.submit(slow(1))
    factory.started(name)
    time.sleep(0.3)
    os.kill(factory.child(), signal.SIGKILL)
    assert until(lambda: factory.read(name).attempts != ()) <= 7.0
    record = factory.ended(name)
    assert (record.status, record.attempt) == (Status.succeeded, 2)
    assert [attempt.how for attempt in record.attempts] == ["lost", "finished"]


def test_a_running_job_is_cancelled_within_two_seconds_even_inside_a_library_call(factory: Factory) -> None:
    name = factory.submit(slow(2, dimension=2500, samples=350))
    factory.started(name)
    assert factory.store.run(jobs.cancel(name, "ann")).status is Status.cancelling
    assert until(lambda: factory.read(name).status.terminal) <= 2.0
    assert factory.read(name).status is Status.cancelled
    factory.warm()


def test_a_frozen_redis_restarts_nothing(factory: Factory) -> None:
    """Longer than a lease: the job goes on meanwhile and delivers afterwards, on its first attempt."""
    name = factory.submit(slow(3))
    factory.started(name)
    os.kill(factory.server.pid, signal.SIGSTOP)
    try:
        time.sleep(leases.LEASE_SECONDS + 1.5)
    finally:
        os.kill(factory.server.pid, signal.SIGCONT)
    record = factory.ended(name)
    assert (record.status, record.attempt) == (Status.succeeded, 1)
    assert [attempt.how for attempt in record.attempts] == ["finished"]
    factory.warm()


def test_a_worker_that_must_go_hands_its_job_over(factory: Factory) -> None:
    """SIGTERM ends it in seconds; another one takes the job, and nothing counts as lost.

    The other one is frozen at first, and the ring may have gone to it: then it is rung again.
    """
    assert factory.process is not None
    second = factory.start_worker("second")
    frozen = [factory.process.pid, factory.child()]
    try:
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        name = factory.submit(slow(10))
        assert "second" in (factory.started(name).worker or "")
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        assert stop(second) < 10.0
        record = factory.ended(name)
        assert record.status is Status.succeeded
        assert [attempt.how for attempt in record.attempts] == ["handed_over", "finished"]
        until(lambda: factory.store.run(presence.slots_alive(Queue.cpu)) == 1)
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        if second.poll() is None:
            second.kill()
            second.wait()


def test_nothing_is_left_over(factory: Factory) -> None:
    until(lambda: factory.store.run(leases.waiting(Queue.cpu)) == 0)
    assert not factory.store.client.keys("*upload:*")
    assert factory.store.client.zcard("{initshape}:leases") == 0
