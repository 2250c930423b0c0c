"""The jobs of one claim in one process: each is begun, stopped, failed and finished by itself."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from initshape.spec.status import Status
from initshape.store import Store, StoreUnavailableError, jobs, leases, results
from initshape.store.jobs import JobRequest, Submitter
from initshape.store.leases import Claim
from initshape.store.records import JobRecord
from tests.workers.factory import experiment, until
from workers.departure import departure
from workers.heartbeat import Heartbeat
from workers.loop import BATCH, BATCH_SECONDS, run_batch, work_while_there_is_any
from workers.patience import Patience
from workers.watch import Abandoned

ANN, BOB = Submitter("ann"), Submitter("bob")
QUICK = Patience(beat=0.05, stop=0.4, life=30.0, deadline=30.0)


def cells(count: int, start: int = 0, **changes: Any) -> list[JobRequest]:
    """Fits of one data set, for one batch."""
    made = []
    for k in range(start, start + count):
        init = {"kind": "scale_shape", "scale": 0.01 * 1.1**k, "shape": 0.5}
        request = experiment(init=init, **changes)
        made.append(JobRequest(request.id, request.document, batch="fits", max_seconds=600.0, seconds=0.05))
    return made


def claim(store: Store, limit: int = BATCH) -> list[Claim]:
    return store.run(leases.claim("w", "cpu", limit, BATCH_SECONDS))


def read(store: Store, job_id: str) -> JobRecord:
    record = store.run(jobs.read(job_id))
    assert record is not None
    return record


def statuses(store: Store, requests: list[JobRequest]) -> list[str]:
    return [read(store, request.id).status.value for request in requests]


def test_everything_is_finished_once(store: Store) -> None:
    requests = cells(20)
    store.run(jobs.submit_many(requests, ANN))
    assert work_while_there_is_any(store, "w", "cpu") is False
    for request in requests:
        record = read(store, request.id)
        assert (record.status, record.attempt) == (Status.succeeded, 1)
        assert [attempt.how for attempt in record.attempts] == ["finished"]
    assert store.client.zcard("{initshape}:leases") == 0


def test_a_broken_cell_fails_alone(store: Store) -> None:
    requests = cells(8)
    broken = JobRequest("x-broken", {"dataset": {"kind": "unheard of"}}, batch="fits")
    requests.insert(1, broken)
    store.run(jobs.submit_many(requests, ANN))
    claims = claim(store)
    assert [one.id for one in claims] == [request.id for request in requests[:4]]
    run_batch(store, claims)
    assert statuses(store, requests[:4]) == ["succeeded", "failed", "succeeded", "succeeded"]


def test_cancelled_and_lost_cells_leave_the_others_alone(store: Store) -> None:
    requests = cells(10)
    store.run(jobs.submit_many(requests, ANN))
    claims = claim(store)
    assert len(claims) == 5
    store.run(jobs.cancel(claims[1].id, "ann"))
    store.run(leases.hand_over_many([(claims[3].id, claims[3].fence)]))
    run_batch(store, claims)
    assert statuses(store, requests[:5]) == ["succeeded", "cancelled", "succeeded", "queued", "succeeded"]


def test_another_user_comes_between_two_cells(store: Store) -> None:
    requests, other = cells(12), experiment(seed=77)
    store.run(jobs.submit_many(requests, ANN))
    claims = claim(store)
    store.run(jobs.submit(other, BOB))
    run_batch(store, claims)
    assert statuses(store, requests[:6]) == ["succeeded", *["queued"] * 5]  # the rest has been given back
    (following,) = claim(store)
    assert following.id == other.id
    run_batch(store, [following])
    assert work_while_there_is_any(store, "w", "cpu") is False
    assert set(statuses(store, [*requests, other])) == {"succeeded"}


def test_a_batch_gives_the_numbers_of_single_runs(store: Store) -> None:
    requests = cells(16, regularizers=["implicit", "l1", "l2", "kernel"])
    store.run(jobs.submit_many(requests, ANN))
    run_batch(store, claim(store))
    first, later = (results.read_arrays(requests[k].id) for k in (0, 7))
    together = [store.run(operation) for operation in (first, later)]
    for k in (0, 7):
        store.run(jobs.rerun(requests[k].id, ANN))
    store.run(jobs.cancel_many([request.id for request in requests[8:]], "ann"))
    while one := claim(store, limit=1):
        run_batch(store, one)
    for k, before in zip((0, 7), together, strict=True):
        alone = store.run(results.read_arrays(requests[k].id))
        assert alone is not None
        assert before is not None
        for name, array in alone.items():
            assert abs(array - before[name]).max() <= 1e-10 * max(1.0, abs(array).max())


def heart(store: Store, claims: list[Claim], killed: threading.Event, patience: Patience = QUICK) -> Heartbeat:
    return Heartbeat(store, claims, patience, kill=killed.set)


class Told:
    """As initshape.run.Progress."""

    def __init__(self) -> None:
        self.stage, self.fraction = "flow", 0.5


@pytest.fixture
def claims(store: Store) -> list[Claim]:
    """Four cells in one claim."""
    store.run(jobs.submit_many(cells(8), ANN))
    return claim(store)


def test_one_heartbeat_keeps_all_leases(store: Store, claims: list[Claim]) -> None:
    short = {one.id: float(store.client.zscore("{initshape}:leases", one.id) or 0.0) for one in claims}
    with heart(store, claims, threading.Event()):
        until(lambda: all(float(store.client.zscore("{initshape}:leases", n) or 0.0) > at for n, at in short.items()))


def test_a_cancel_of_what_waits_ends_it_at_once_and_nothing_else(store: Store, claims: list[Claim]) -> None:
    killed = threading.Event()
    with heart(store, claims, killed) as heartbeat:
        heartbeat.watches[0].on_progress(Told())
        store.run(jobs.cancel(claims[2].id, "ann"))
        until(lambda: read(store, claims[2].id).status is Status.cancelled)
        heartbeat.watches[0].on_progress(Told())
        heartbeat.watches[1].on_progress(Told())  # the next one begins
        with pytest.raises(Abandoned):
            heartbeat.watches[2].on_progress(Told())
        time.sleep(2 * QUICK.stop)
    assert not killed.is_set()
    assert read(store, claims[1].id).status is Status.running


def test_before_a_kill_what_waits_goes_back(store: Store, claims: list[Claim]) -> None:
    """The one that does not hear is cancelled; the others lose nothing but time."""
    killed = threading.Event()
    with heart(store, claims, killed):
        store.run(jobs.cancel(claims[0].id, "ann"))
        assert killed.wait(10)
    assert read(store, claims[0].id).status is Status.cancelled
    for one in claims[1:]:
        record = read(store, one.id)
        assert record.status is Status.queued
        assert [attempt.how for attempt in record.attempts] == ["returned"]


def test_the_deadline_is_that_of_the_cell_and_runs_from_its_turn(store: Store, claims: list[Claim]) -> None:
    short = [Claim(c.id, c.fence, c.attempt, c.document, 0.2, begun=c.begun) for c in claims]
    patience = Patience(beat=0.05, deadline=0.3)
    killed = threading.Event()
    with heart(store, short, killed, patience) as heartbeat:
        time.sleep(0.3)
        heartbeat.watches[0].leave()
        heartbeat.watches[1].on_progress(Told())
        time.sleep(0.4)  # 0.7 s since the claim
        assert not killed.is_set()
        assert killed.wait(10)
    failed = read(store, claims[1].id)
    assert failed.error is not None
    assert failed.error.code == "deadline"
    assert read(store, claims[2].id).status is Status.queued


def test_a_long_cell_does_not_hold_the_others(store: Store, claims: list[Claim]) -> None:
    """It takes longer than all of them were expected to: what waits behind it may run elsewhere."""
    with heart(store, claims, threading.Event(), Patience(beat=0.05, turn=0.2)) as heartbeat:
        until(lambda: read(store, claims[3].id).status is Status.queued)
        heartbeat.watches[0].on_progress(Told())  # goes on
        with pytest.raises(Abandoned):
            heartbeat.watches[1].on_progress(Told())
    assert read(store, claims[0].id).status is Status.running


def test_an_outage_while_giving_back_fails_nothing(store: Store, claims: list[Claim]) -> None:
    """The turn says that another user comes first, and then Redis goes: the cells are left to the reaper."""

    class Away:
        def run(self, operation: Any) -> Any:
            if operation.gi_code.co_name == "hand_over_many":
                operation.close()
                raise StoreUnavailableError("away")
            return store.run(operation)

    store.run(jobs.submit(experiment(seed=78), BOB))
    heartbeat = Heartbeat(Away(), claims, QUICK)  # type: ignore[arg-type]
    for watch in heartbeat.watches[1:]:
        with pytest.raises(Abandoned):
            watch.on_progress(Told())
    assert {read(store, one.id).status for one in claims} == {Status.running}  # until their leases expire


def test_idle_workers_get_their_part_of_the_rest(store: Store, claims: list[Claim]) -> None:
    rest = store.run(leases.claim("w", "cpu", 1)) + store.run(leases.claim("w", "cpu", 1))
    rest += store.run(leases.claim("w", "cpu", 1)) + store.run(leases.claim("w", "cpu", 1))
    assert len(rest) == 4
    store.client.zadd("{initshape}:workers:cpu", {"w/0": 4e12, "other/0": 4e12})
    with heart(store, claims, threading.Event()) as heartbeat:
        heartbeat.watches[1].on_progress(Told())
        assert read(store, claims[3].id).status is Status.queued
        assert read(store, claims[2].id).status is Status.running


def test_the_next_job_needs_no_message(store: Store) -> None:
    """No Celery here: what comes within a second of the last job is heard of all the same."""
    first, second = cells(2)
    store.run(jobs.submit(first, ANN))
    working = threading.Thread(target=work_while_there_is_any, args=(store, "w", "cpu"))
    working.start()
    until(lambda: read(store, first.id).status is Status.succeeded)
    store.run(jobs.submit(second, BOB))
    until(lambda: read(store, second.id).status is Status.succeeded)
    working.join()
    assert read(store, second.id).attempt == 1


def test_a_worker_that_must_go_does_not_listen(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (only,) = cells(1)
    store.run(jobs.submit(only, ANN))
    monkeypatch.setattr("workers.loop.LINGER_SECONDS", 3600.0)  # so that its end is no end of listening
    working = threading.Thread(target=work_while_there_is_any, args=(store, "w", "cpu"), daemon=True)
    working.start()
    until(lambda: read(store, only.id).status is Status.succeeded)
    monkeypatch.setattr(departure, "begun", True)  # as its signal does, which would reach this whole process
    working.join(10.0)
    assert not working.is_alive()
