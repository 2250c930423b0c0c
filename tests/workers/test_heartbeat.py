"""What the heartbeat does about a lease, a wish to stop, a deadline and silence; the kill is only recorded."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from initshape.spec.status import Status
from initshape.store import Store, jobs, leases
from initshape.store.jobs import JobRequest, Submitter
from initshape.store.leases import Claim
from initshape.store.records import JobRecord
from workers.heartbeat import Heartbeat
from workers.patience import Patience
from workers.watch import Abandoned

QUICK = Patience(beat=0.05, stop=0.4, life=30.0, deadline=30.0)


@dataclass(frozen=True)
class Told:
    """As initshape.run.Progress."""

    stage: str = "flow"
    fraction: float = 0.5
    relative_residual: float | None = None


@dataclass
class Bench:
    """A claimed job and a heartbeat for it."""

    store: Store
    claim: Claim
    killed: threading.Event = field(default_factory=threading.Event)

    def heartbeat(self, patience: Patience = QUICK) -> Heartbeat:
        return Heartbeat(self.store, [self.claim], patience, kill=self.killed.set)

    def read(self) -> JobRecord:
        record = self.store.run(jobs.read(self.claim.id))
        assert record is not None
        return record

    def compute_until_stopped(self, heartbeat: Heartbeat, seconds: float = 10.0) -> Abandoned:
        """A computation that reports between its blocks."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                heartbeat.watches[0].on_progress(Told())
            except Abandoned as stop:
                return stop
            time.sleep(0.01)
        raise AssertionError("nothing stopped it")


@pytest.fixture
def bench(store: Store) -> Bench:
    """One job, claimed."""
    store.run(jobs.submit(JobRequest("x-1", {}, max_seconds=1000.0), Submitter("ann")))
    (claim,) = store.run(leases.claim("w", "cpu"))
    return Bench(store, claim)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_it_renews_and_carries_progress_out(bench: Bench) -> None:
    with bench.heartbeat() as heartbeat:
        heartbeat.watches[0].on_progress(Told(fraction=0.25, relative_residual=math.nan))
        until(lambda: bench.read().progress is not None)
        assert bench.read().progress == {"stage": "flow", "fraction": 0.25, "relative_residual": None}
        expiry = bench.store.client.zscore("{initshape}:leases", "x-1")
        until(lambda: bench.store.client.zscore("{initshape}:leases", "x-1") != expiry)
    assert not bench.killed.is_set()
    expiry = bench.store.client.zscore("{initshape}:leases", "x-1")
    time.sleep(3 * QUICK.beat)
    assert bench.store.client.zscore("{initshape}:leases", "x-1") == expiry  # it has ended


def test_a_cancel_stops_the_computation_at_its_next_block(bench: Bench) -> None:
    with bench.heartbeat() as heartbeat:
        bench.store.run(jobs.cancel("x-1", "ann"))
        stop = bench.compute_until_stopped(heartbeat)
        assert stop.cancelled
        time.sleep(2 * QUICK.stop)  # it has noticed, so nobody kills
    assert not bench.killed.is_set()


def test_a_computation_that_does_not_hear_is_killed_and_reported(bench: Bench) -> None:
    with bench.heartbeat():
        bench.store.run(jobs.cancel("x-1", "ann"))
        assert bench.killed.wait(10)
    assert bench.read().status is Status.cancelled


def test_a_cancel_that_is_taken_back_stops_nothing(bench: Bench) -> None:
    with bench.heartbeat(Patience(beat=0.05, stop=30.0)) as heartbeat:
        bench.store.run(jobs.cancel("x-1", "ann"))
        until(lambda: heartbeat.watches[0].stop is not None)
        bench.store.run(jobs.submit(JobRequest("x-1", {}), Submitter("bob")))
        until(lambda: heartbeat.watches[0].stop is None)
        heartbeat.watches[0].on_progress(Told())
    assert bench.read().status is Status.running


def test_a_lost_lease_stops_the_computation(bench: Bench) -> None:
    with bench.heartbeat() as heartbeat:
        bench.store.run(leases.hand_over("x-1", bench.claim.fence))
        stop = bench.compute_until_stopped(heartbeat)
    assert not stop.cancelled
    assert bench.read().status is Status.queued


def test_a_zombie_that_does_not_hear_is_killed_and_changes_nothing(bench: Bench) -> None:
    with bench.heartbeat():
        bench.store.run(leases.hand_over("x-1", bench.claim.fence))
        assert bench.killed.wait(10)
    assert bench.read().status is Status.queued


def test_the_deadline_holds_inside_one_call(bench: Bench) -> None:
    claim = Claim(bench.claim.id, bench.claim.fence, 1, {}, max_seconds=0.1)
    with Heartbeat(bench.store, [claim], Patience(beat=0.05, deadline=0.1), kill=bench.killed.set):
        assert bench.killed.wait(10)
    record = bench.read()
    assert record.status is Status.failed
    assert record.error is not None
    assert record.error.code == "deadline"


def test_the_delivery_has_no_deadline(bench: Bench) -> None:
    claim = Claim(bench.claim.id, bench.claim.fence, 1, {}, max_seconds=0.1)
    with Heartbeat(bench.store, [claim], Patience(beat=0.05, deadline=0.2), kill=bench.killed.set) as heartbeat:
        heartbeat.watches[0].computed()
        assert not bench.killed.wait(0.8)
    assert bench.read().status is Status.running


def test_silence_ends_the_process_and_leaves_the_job_to_the_reaper(bench: Bench) -> None:
    with bench.heartbeat(Patience(beat=0.05, life=0.3)):
        assert bench.killed.wait(10)
        expiry = bench.store.client.zscore("{initshape}:leases", "x-1")
        time.sleep(0.3)
        assert bench.store.client.zscore("{initshape}:leases", "x-1") == expiry  # no longer renewed
    assert bench.read().status is Status.running


class Away:
    """A store that cannot be reached until told otherwise."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.away = True
        self.refused = 0

    def run(self, operation: Any) -> Any:
        if self.away:
            from initshape.store import StoreUnavailableError

            operation.close()
            self.refused += 1
            raise StoreUnavailableError("away")
        return self.store.run(operation)


@pytest.fixture
def unreachable(bench: Bench) -> Away:
    """The way to the server is cut, the server lives."""
    return Away(bench.store)


def test_the_claim_is_held_while_redis_is_away(bench: Bench, unreachable: Away) -> None:
    with Heartbeat(unreachable, [bench.claim], QUICK, kill=bench.killed.set) as heartbeat:  # type: ignore[arg-type]
        until(lambda: unreachable.refused > 5)
        heartbeat.watches[0].on_progress(Told(fraction=0.7))  # goes on
        unreachable.away = False
        heartbeat.watches[0].on_progress(Told(fraction=0.8))
        until(lambda: (bench.read().progress or {}).get("fraction") == 0.8)
    assert not bench.killed.is_set()
