"""The parent keeps a lease for a child whose Python lock is held, and for no other; it stops what does not hear."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from initshape.spec.status import Status
from initshape.store import Store, jobs, leases
from initshape.store.jobs import JobRequest, Submitter
from initshape.store.leases import Claim
from initshape.store.records import JobRecord
from workers.backstop import Backstop, child_name, processor_seconds
from workers.patience import Patience

SHORT = 1.0
"""Seconds of a lease here: below half of a whole one, so that every look counts as late."""

BUSY = "print(flush=True)\nwhile True: pass"
IDLE = "print(flush=True)\nimport time; time.sleep(100)"


@dataclass
class Parent:
    """A backstop with one child process, which holds a lease."""

    store: Store
    child: subprocess.Popen[bytes]
    claim: Claim
    ended: list[int] = field(default_factory=list)

    def look(self, patience: Patience, seconds: float) -> None:
        backstop = Backstop(self.store, "w", patience, end=self.ended.append)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            backstop.tick()
            time.sleep(0.1)

    def record(self) -> JobRecord:
        record = self.store.run(jobs.read("x-1"))
        assert record is not None
        return record

    def left(self) -> float:
        (lease,) = self.store.run(leases.held_by("w"))
        return lease.left


@pytest.fixture(params=[BUSY])
def parent(store: Store, request: pytest.FixtureRequest) -> Iterator[Parent]:
    """The child works, or waits, and never renews."""
    child = subprocess.Popen([sys.executable, "-c", request.param], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    store.run(jobs.submit(JobRequest("x-1", {}, max_seconds=1000.0), Submitter("ann")))
    (claim,) = store.run(leases.claim(child_name("w", child.pid), "cpu", lease_seconds=SHORT))
    yield Parent(store, child, claim)
    child.kill()
    child.communicate()


def test_a_working_child_keeps_its_lease(parent: Parent) -> None:
    parent.look(Patience(), 0.8)
    assert parent.left() > SHORT
    assert parent.ended == []


@pytest.mark.parametrize("parent", [IDLE], indirect=True)
def test_an_idle_or_frozen_child_does_not(parent: Parent) -> None:
    parent.look(Patience(), 0.8)
    assert parent.left() < SHORT - 0.7


def test_a_dead_child_does_not(parent: Parent) -> None:
    parent.child.kill()
    parent.child.wait()
    parent.look(Patience(), 0.8)
    assert parent.left() < SHORT - 0.7
    assert processor_seconds(parent.child.pid) == 0.0


def test_other_workers_are_none_of_its_business(parent: Parent) -> None:
    backstop = Backstop(parent.store, "w2", Patience(parent=0.0), end=parent.ended.append)
    parent.store.run(jobs.cancel("x-1", "ann"))
    for _ in range(4):
        time.sleep(0.1)
        backstop.tick()
    assert parent.ended == []
    assert parent.left() < SHORT


def test_a_cancel_reaches_a_child_that_cannot_hear(parent: Parent) -> None:
    parent.store.run(jobs.cancel("x-1", "ann"))
    parent.look(Patience(parent=0.5), 0.3)
    assert parent.ended == []
    parent.look(Patience(parent=0.5), 0.6)
    assert parent.ended == [parent.child.pid]
    assert parent.record().status is Status.cancelled


def test_the_deadline_reaches_a_child_that_cannot_hear(parent: Parent) -> None:
    class Impatient(Patience):
        def until(self, max_seconds: float) -> float:
            return 0.0

    parent.look(Impatient(), 0.8)
    assert parent.ended == [parent.child.pid]
    record = parent.record()
    assert record.status is Status.failed
    assert record.error is not None
    assert record.error.code == "deadline"


@pytest.fixture
def others(parent: Parent) -> list[Claim]:
    """Two more jobs of the same child, that wait for their turn."""
    requests = [JobRequest(f"x-{k}", {}, batch="one", max_seconds=1000.0) for k in range(2, 8)]
    parent.store.run(jobs.submit_many(requests, Submitter("ann")))
    name = child_name("w", parent.child.pid)
    first, *waiting = parent.store.run(leases.claim(name, "cpu", limit=3, lease_seconds=SHORT))
    parent.store.run(leases.hand_over(first.id, first.fence))
    return waiting


def status_of(parent: Parent, claim: Claim) -> Status:
    record = parent.store.run(jobs.read(claim.id))
    assert record is not None
    return record.status


def test_all_leases_of_a_working_child_are_kept(parent: Parent, others: list[Claim]) -> None:
    parent.look(Patience(), 0.8)
    assert {lease.id for lease in parent.store.run(leases.held_by("w"))} == {"x-1", *(claim.id for claim in others)}
    assert all(lease.left > SHORT for lease in parent.store.run(leases.held_by("w")))


def test_a_cancel_of_what_waits_ends_no_child(parent: Parent, others: list[Claim]) -> None:
    parent.store.run(jobs.cancel(others[0].id, "ann"))
    parent.look(Patience(parent=0.2), 0.8)
    assert parent.ended == []
    assert status_of(parent, others[0]) is Status.cancelled
    assert status_of(parent, others[1]) is Status.running


def test_what_waits_goes_back_before_the_child_is_ended(parent: Parent, others: list[Claim]) -> None:
    parent.store.run(jobs.cancel("x-1", "ann"))
    parent.look(Patience(parent=0.2), 0.8)
    assert parent.ended == [parent.child.pid]
    assert [status_of(parent, claim) for claim in others] == [Status.queued, Status.queued]


def test_what_waits_has_no_deadline_yet(parent: Parent, others: list[Claim]) -> None:
    class Impatient(Patience):
        def until(self, max_seconds: float) -> float:
            return 0.0

    parent.store.run(leases.hand_over("x-1", parent.claim.fence))
    parent.look(Impatient(), 0.8)
    assert parent.ended == []
    assert [status_of(parent, claim) for claim in others] == [Status.running, Status.running]
