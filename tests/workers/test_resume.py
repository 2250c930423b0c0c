"""A real worker that is killed, or told to go, in the middle of a flow: the next attempt goes on where it stood."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from initshape.spec.experiment import Experiment
from initshape.spec.status import Status
from initshape.store import Queue, Store, StoreUnavailableError, presence, results
from initshape.store.documents import encode
from initshape.store.jobs import JobRequest
from initshape.store.keys import key
from initshape.store.leases import LEASE_SECONDS
from tests.sameness import assert_same_document
from tests.workers.factory import Factory, at_work, long_flow, stop, until

OFTEN = {"INITSHAPE_CHECKPOINT_SECONDS": "0.2"}


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Factory]:
    """A worker that saves often, up and warm."""
    with at_work(tmp_path_factory.mktemp("factory"), **OFTEN) as factory:
        yield factory


def quiet(request: JobRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same experiment in one piece, here."""
    from initshape.run import run

    output = run(Experiment.model_validate_json(encode(request.document)), id=request.id)
    return json.loads(output.result.model_dump_json()), output.arrays


def result_of(factory: Factory, job_id: str) -> dict[str, Any]:
    stored = factory.store.run(results.read(job_id))
    assert stored is not None
    found: dict[str, Any] = json.loads(stored.document)
    return found


def steps(factory: Factory, job_id: str) -> int:
    return int((factory.read(job_id).progress or {}).get("steps") or 0)


def saved(factory: Factory, job_id: str) -> None:
    until(lambda: factory.store.client.exists(key("checkpoint", job_id)) == 1)


def assert_as_quiet(factory: Factory, request: JobRequest) -> dict[str, Any]:
    """To the bit: the same route on the same device. Answers what the provenance says of the interruption."""
    document, arrays = quiet(request)
    found = result_of(factory, request.id)
    assert_same_document(found, document)
    stored = factory.store.run(results.read_arrays(request.id))
    assert stored is not None
    assert stored.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(stored[name], array, err_msg=name)
    assert factory.store.client.exists(key("checkpoint", request.id)) == 0
    resumed: dict[str, Any] = found["provenance"]["resumed"]
    return resumed


def test_a_killed_worker_costs_no_more_than_the_time_since_its_last_checkpoint(factory: Factory) -> None:
    request = long_flow(1)
    name = factory.submit(request)
    saved(factory, name)
    until(lambda: (factory.read(name).progress or {}).get("fraction", 0.0) > 0.4)
    before = factory.read(name).progress or {}
    os.kill(factory.child(), signal.SIGKILL)
    until(lambda: factory.read(name).attempt == 2 and factory.read(name).progress is not None)
    assert (factory.read(name).progress or {})["fraction"] >= before["fraction"] - 0.2  # it does not go back to 0
    record = factory.ended(name)
    assert (record.status, record.attempt) == (Status.succeeded, 2)
    resumed = assert_as_quiet(factory, request)
    assert resumed["attempt"] == 1
    assert resumed["step"] > 25_000


def test_a_damaged_checkpoint_is_ignored(factory: Factory) -> None:
    request = long_flow(2, steps=60_000)
    name = factory.submit(request)
    saved(factory, name)
    os.kill(factory.child(), signal.SIGKILL)
    until(lambda: factory.read(name).status is Status.queued)
    factory.store.client.hset(key("checkpoint", name), "c:0", b"rubbish")
    record = factory.ended(name)
    assert (record.status, record.attempt) == (Status.succeeded, 2)
    assert assert_as_quiet(factory, request) is None
    assert f"{name}: the checkpoint is ignored" in factory.log()


def test_a_killed_redis_restarts_nothing(factory: Factory) -> None:
    """Down for longer than a lease: the flow goes on meanwhile, and is finished by its first attempt, to the bit."""
    request = long_flow(4)
    name = factory.submit(request)
    saved(factory, name)
    factory.restart_redis(down=LEASE_SECONDS + 1.5)
    until(lambda: alive(factory.store))
    record = factory.ended(name)
    assert (record.status, record.attempt) == (Status.succeeded, 1)
    assert [attempt.how for attempt in record.attempts] == ["finished"]
    assert assert_as_quiet(factory, request) is None


def alive(store: Store) -> bool:
    try:
        return store.run(presence.slots_alive(Queue.cpu)) >= 0
    except StoreUnavailableError:
        return False


def test_a_worker_that_must_go_saves_first(factory: Factory) -> None:
    """SIGTERM: a checkpoint of the last block, handed over in seconds, nothing lost, and nothing counted as a loss."""
    assert factory.process is not None
    request = long_flow(3, steps=200_000)
    name = factory.submit(request)
    until(lambda: steps(factory, name) > 30_000)
    told = steps(factory, name)
    second = factory.start_worker("second", **OFTEN)
    try:
        assert stop(factory.process) < 10.0
        record = factory.ended(name)
        assert record.status is Status.succeeded
        assert [attempt.how for attempt in record.attempts] == ["handed_over", "finished"], factory.log()
        resumed = assert_as_quiet(factory, request)
        assert resumed["attempt"] == 1
        assert resumed["step"] >= told, factory.log()
    finally:
        factory.process = second
