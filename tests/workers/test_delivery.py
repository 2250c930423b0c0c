"""A result, an error or a stop reaches the store once; one job follows the other."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from initshape.spec.problem import JobError
from initshape.spec.status import Status
from initshape.store import Store, jobs, leases, results
from initshape.store.jobs import Submitter
from initshape.store.leases import Claim, Finish
from initshape.store.operation import Operation
from initshape.store.publish import Published
from initshape.store.server import RedisServer
from tests.workers.factory import experiment
from workers import delivery
from workers.compute import Computed, compute
from workers.cpu import own_a_core
from workers.delivery import deliver
from workers.heartbeat import Heartbeat
from workers.loop import work_while_there_is_any
from workers.patience import Patience
from workers.uploads import Shelf
from workers.watch import Abandoned

ANN = Submitter("ann")
COMPUTED = Computed(b"{}", {"w": np.ones(3)}, "converged", known=True)


def claimed(store: Store) -> Claim:
    store.run(jobs.submit(experiment(), ANN))
    (claim,) = store.run(leases.claim("w", "cpu"))
    return claim


def status(store: Store, claim: Claim) -> Status:
    record = store.run(jobs.read(claim.id))
    assert record is not None
    return record.status


def test_one_of_each(store: Store) -> None:
    ends = {
        Status.succeeded: COMPUTED,
        Status.failed: JobError(code="internal", detail="broke"),
        Status.queued: Abandoned("cancelled", cancelled=True),  # nobody had cancelled: back to the queue
    }
    for end, what in ends.items():
        claim = claimed(store)
        with Heartbeat(store, [claim]) as heartbeat:
            deliver(store, claim, what, heartbeat.watches[0])
        assert status(store, claim) is end
        store.run(jobs.delete(claim.id, "ann"))


def test_a_result_above_the_cap_is_an_error_with_advice(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results.pack, "__defaults__", (results.SHARED, 100))
    claim = claimed(store)
    with Heartbeat(store, [claim]) as heartbeat:
        deliver(store, claim, COMPUTED, heartbeat.watches[0])
    record = store.run(jobs.read(claim.id))
    assert record is not None
    assert record.error is not None
    assert "100 are allowed" in record.error.detail
    assert record.error.advice


def test_an_upload_that_expired_is_sent_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = claimed(store)
    publish, asked = delivery.publish, []

    def lose_the_first(*arguments: Any) -> Operation[Published]:
        asked.append(arguments)
        return expired() if len(asked) == 1 else publish(*arguments)

    def expired() -> Operation[Published]:
        yield [("PING",)]
        return Published(Finish.missing)

    monkeypatch.setattr(delivery, "publish", lose_the_first)
    with Heartbeat(store, [claim]) as heartbeat:
        assert deliver(store, claim, COMPUTED, heartbeat.watches[0]) == "converged, accepted"
    assert len(asked) == 2


def test_a_result_waits_for_room(own_server: RedisServer) -> None:
    """A full server refuses at first, and the result is not lost."""
    store = Store(own_server.settings)
    claim = claimed(store)
    store.client.config_set("maxmemory", 1)

    def make_room() -> None:
        time.sleep(1.2)
        store.client.config_set("maxmemory", 0)

    thread = threading.Thread(target=make_room)
    thread.start()
    with Heartbeat(store, [claim], Patience(beat=0.1)) as heartbeat:
        assert deliver(store, claim, COMPUTED, heartbeat.watches[0]) == "converged, accepted"
    thread.join()
    assert status(store, claim) is Status.succeeded
    store.close()


def test_a_server_that_takes_nothing_at_all_costs_no_result(
    own_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than the patience with a full server: not even the failure can be told, and there is room again."""
    monkeypatch.setattr(delivery, "FULL_TRIES", 2)
    monkeypatch.setattr(delivery, "RETRY_SECONDS", 0.05)
    test_a_result_waits_for_room(own_server)


def test_a_result_that_is_too_large_for_the_room_that_is_left(
    own_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small writes go through, this one does not: the job fails and says why, and the worker is free again."""
    monkeypatch.setattr(delivery, "FULL_TRIES", 2)
    monkeypatch.setattr(delivery, "RETRY_SECONDS", 0.05)
    store = Store(own_server.settings)
    claim = claimed(store)
    large = Computed(b"{}", {f"w{k}": np.zeros(500_000) for k in range(6)}, "converged", known=True)
    used = int(store.client.info("memory")["used_memory"])  # type: ignore[index,arg-type]
    store.client.config_set("maxmemory", used + 14 * 2**20)
    with Heartbeat(store, [claim]) as heartbeat:
        ended = deliver(store, claim, large, heartbeat.watches[0])
    assert ended == "no room, accepted"
    assert status(store, claim) is Status.failed
    store.close()


def test_compute_follows_the_most_patient_submitter(store: Store) -> None:
    claim = claimed(store)
    assert claim.document is not None
    answer = compute(store, Claim(claim.id, claim.fence, 3, claim.document, 123.0), lambda progress: None, Shelf(store))
    assert isinstance(answer, Computed)
    assert b'"attempt":3' in answer.document
    assert answer.outcome == "converged"
    assert answer.known


def test_compute_explains_what_broke(store: Store) -> None:
    claim = claimed(store)
    assert claim.document is not None

    def run_out(progress: object) -> None:
        raise MemoryError("Unable to allocate 9 TiB")

    answer = compute(store, claim, run_out, Shelf(store))
    assert isinstance(answer, JobError)
    assert answer.code == "out_of_memory"
    assert "dimension 20" in answer.detail
    lost = compute(store, Claim(claim.id, claim.fence, 1, None, 1.0), lambda progress: None, Shelf(store))
    assert isinstance(lost, JobError)
    assert lost.code == "internal"


def test_the_loop_runs_until_nothing_waits(store: Store) -> None:
    requests = [experiment(seed=k) for k in range(5)]
    store.run(jobs.submit_many(requests, ANN))
    assert work_while_there_is_any(store, "w", "cpu") is False
    assert {status(store, Claim(r.id, 0, 0, None, 0.0)) for r in requests} == {Status.succeeded}


def test_the_loop_gives_way_after_its_time(store: Store) -> None:
    store.run(jobs.submit_many([experiment(seed=k) for k in range(3)], ANN))
    assert work_while_there_is_any(store, "w", "cpu", seconds=0.0) is True


def test_children_own_different_cores(tmp_path: Path) -> None:
    """A third one on two cores is left to the scheduler; the core of a dead one is free again."""
    cores = sorted(os.sched_getaffinity(0))
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    environment.pop("INITSHAPE_PIN", None)
    script = "import os; from workers.cpu import own_a_core; print(own_a_core(), len(os.sched_getaffinity(0))); input()"
    children: list[subprocess.Popen[str]] = []

    def start() -> list[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", script], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        children.append(child)
        assert child.stdout is not None
        return child.stdout.readline().split()

    try:
        assert [start() for _ in cores] == [[str(core), "1"] for core in cores]
        assert start() == ["None", str(len(cores))]
        children[0].kill()
        children[0].wait()
        assert start() == [str(cores[0]), "1"]
    finally:
        for child in children:
            child.kill()
            child.communicate()


def test_pinning_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INITSHAPE_PIN", "0")
    assert own_a_core() is None
