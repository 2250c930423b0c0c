"""Every life-cycle script in random order, against the real server, a model in Python, and the table of states.

After each step the indexes, the queue and the leases must say the same as the records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from initshape.spec.status import TRANSITIONS, Status
from initshape.store import Store, StoreSettings, leases
from initshape.store.jobs import Answer, Stop
from initshape.store.keys import INDEX, LEASES, key
from initshape.store.leases import Claim, Finish
from initshape.store.operation import Command, Operation
from tests.store.desk import Clock, Desk

NAMES = ("x-1", "x-2", "x-3", "x-4")
IDS = st.sampled_from(NAMES)
USERS = st.sampled_from(["ann", "bob"])
RARELY = st.sampled_from([False, False, False, True])
ACTIVE = {Status.running, Status.cancelling}
LEASE_MS = round(leases.LEASE_SECONDS * 1000)


@dataclass
class Job:
    """What the model knows about one job."""

    status: Status
    submitters: dict[str, int]  # user -> priority
    owner: str
    attempt: int = 0
    fence: int = 0
    lost: int = 0
    expiry: int = 0
    known: bool = False
    result: bool = False
    doomed: bool = False
    unbegun: bool = False
    line: str = ""
    checkpoint: bytes | None = None

    def move(self, status: Status) -> None:
        assert status in TRANSITIONS[self.status], f"{self.status} -> {status} is not in the table"
        self.status = status
        if status.terminal:
            self.checkpoint = None


class LifeCycle(RuleBasedStateMachine):
    """The model and the store side by side."""

    address: StoreSettings

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.store = Store(self.address, self.clock)
        self.desk = Desk(self.store, self.clock)
        self.jobs: dict[str, Job] = {}
        self.claims: list[Claim] = []
        self.highest_fence = 0
        self.last_reap: int | None = None
        self.grace = 0

    @initialize()
    def empty(self) -> None:
        self.store.client.flushdb()

    def teardown(self) -> None:
        self.store.close()

    def _end(self, name: str, job: Job, status: Status) -> None:
        job.move(status)
        job.unbegun = False
        if job.doomed:
            del self.jobs[name]

    def _holds(self, claim: Claim) -> Job | None:
        job = self.jobs.get(claim.id)
        return job if job is not None and job.status in ACTIVE and job.fence == claim.fence else None

    def _some_claim(self, data: st.DataObject) -> Claim:
        """A recent one more often than not: old ones are all fenced off alike."""
        return data.draw(st.sampled_from([*self.claims, *self.claims[-2:], *self.claims[-2:]]))

    @rule(name=IDS, user=USERS, priority=st.integers(-1, 1))
    def submit(self, name: str, user: str, priority: int) -> None:
        reply = self.desk.submit(name, user, priority=priority, batch="one")
        job = self.jobs.get(name)
        if job is None:
            self.jobs[name] = Job(Status.queued, {user: priority}, user)
            assert reply.answer is Answer.queued
            return
        job.submitters[user] = priority
        if job.status is Status.succeeded and job.known:
            assert reply.answer is Answer.known
        elif job.status.terminal:
            assert reply.answer is Answer.queued
            job.move(Status.queued)
            job.lost = 0
        else:
            assert reply.answer is Answer.joined
            job.doomed = False
            if job.status is Status.cancelling:
                job.move(Status.running)
        assert (reply.status, reply.attempt) == (job.status, job.attempt)

    @rule(name=IDS, user=USERS)
    def rerun(self, name: str, user: str) -> None:
        reply = self.desk.rerun(name, user)
        job = self.jobs.get(name)
        if job is None:
            assert reply.answer is Answer.missing
            return
        job.submitters[user] = 0
        job.doomed = False
        if job.status.terminal:
            job.move(Status.queued)
            job.lost = 0
        elif job.status is Status.cancelling:
            job.move(Status.running)
        assert reply.status is job.status

    def _lines(self) -> set[str]:
        """Where the queued jobs stand."""
        return {
            f"{priority}:{user}"
            for job in self.jobs.values()
            if job.status is Status.queued
            for user, priority in (job.submitters or {job.owner: 0}).items()
        }

    def _crowded(self, line: str) -> bool:
        return any(other != line and priority(other) >= priority(line) for other in self._lines())

    @rule(worker=st.sampled_from(["w1", "w2"]), limit=st.integers(1, 3))
    def claim(self, worker: str, limit: int) -> None:
        queued = {name for name, job in self.jobs.items() if job.status is Status.queued}
        first = {name for name in queued if self.desk.read(name).position == 0}
        before = {line: self._crowded(line) for line in self._lines()}
        claims = self.desk.claim(worker, limit=limit)
        assert len(claims) >= min(1, len(queued))
        assert len(claims) <= min(limit, max(1, len(queued) // 2))  # no more than half of a share
        for place, claim in enumerate(claims):
            assert claim.id in (first if place == 0 else queued)
            assert claim.begun == (place == 0)
            assert claim.fence > self.highest_fence
            self.highest_fence = claim.fence
            job = self.jobs[claim.id]
            job.line = self.store.client.hget(key("job", claim.id), "line").decode()  # type: ignore[union-attr]
            job.unbegun = place > 0
            job.move(Status.running)
            job.attempt += 1
            job.fence = claim.fence
            job.expiry = self.clock.now + LEASE_MS
            assert claim.attempt == job.attempt
            self.claims.append(claim)
        if len(claims) > 1:
            (line,) = {self.jobs[claim.id].line for claim in claims}
            assert not before[line]  # nobody else waited

    @rule(user=USERS, delete=st.booleans())
    def send_a_sweep_and_claim_a_batch(self, user: str, delete: bool) -> None:
        """Too rare if left to chance."""
        for name in NAMES:
            if delete:
                self.stop(name=name, user=user, force=True, delete=True)
            self.submit(name=name, user=user, priority=0)
        self.claim(worker="w1", limit=2)

    @precondition(lambda self: any(job.unbegun for job in self.jobs.values()))
    @rule(data=st.data(), give_back=st.booleans())
    def begin(self, data: st.DataObject, give_back: bool) -> None:
        waiting = [claim for claim in self.claims if (job := self._holds(claim)) is not None and job.unbegun]
        claim = data.draw(st.sampled_from(waiting))
        job = self.jobs[claim.id]
        turn = self.store.run(leases.begin(claim.id, claim.fence))
        assert turn.held
        assert turn.cancel == (job.status is Status.cancelling)
        if turn.cancel:
            return
        assert turn.yields == self._crowded(job.line)
        if not turn.yields:
            job.unbegun = False
            job.expiry = self.clock.now + LEASE_MS
        elif give_back:
            self.store.run(leases.hand_over_many([(claim.id, claim.fence)]))
            job.unbegun = False
            job.move(Status.queued)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def begin_what_is_begun_or_lost(self, data: st.DataObject) -> None:
        """Nothing happens, but that the lease is prolonged."""
        claim = self._some_claim(data)
        job = self._holds(claim)
        if job is not None and job.unbegun:
            return
        turn = self.store.run(leases.begin(claim.id, claim.fence))
        assert turn.held == (job is not None)
        assert not turn.yields
        if job is not None and job.status is Status.running:
            job.expiry = self.clock.now + LEASE_MS

    @precondition(lambda self: any(job.status is Status.queued for job in self.jobs.values()))
    @rule(worker=st.sampled_from(["w1", "w2"]))
    def claim_what_waits(self, worker: str) -> None:
        self.claim(worker=worker, limit=1)

    @precondition(lambda self: any(job.status is Status.queued for job in self.jobs.values()))
    @rule(times=st.integers(1, leases.POISON_LIMIT))
    def kill_whoever_claims(self, times: int) -> None:
        for _ in range(times):
            self.claim(worker="w1", limit=1)
            self.workers_die(really=True)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        claim = self._some_claim(data)
        renewal = self.desk.renew(claim)
        job = self._holds(claim)
        assert renewal.held == (job is not None)
        if job is not None:
            assert renewal.cancel == (job.status is Status.cancelling)
            job.expiry = self.clock.now + LEASE_MS

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def save_a_checkpoint(self, data: st.DataObject) -> None:
        claim = self._some_claim(data)
        state = f"{claim.fence} at {self.clock.now}".encode()
        reply = self.desk.save(claim, state)
        job = self._holds(claim)
        assert reply is (Finish.stale if job is None else Finish.accepted)
        if job is not None:
            job.checkpoint = state

    @precondition(lambda self: any(job.checkpoint and job.status is Status.queued for job in self.jobs.values()))
    @rule()
    def go_on_from_a_checkpoint(self) -> None:
        """What waits with a checkpoint keeps it for whoever claims next."""
        name, job = next((n, j) for n, j in self.jobs.items() if j.checkpoint and j.status is Status.queued)
        found = self.desk.saved(name)
        assert found is not None
        assert found.data == job.checkpoint
        self.claim(worker="w2", limit=1)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), known=st.booleans())
    def finish(self, data: st.DataObject, known: bool) -> None:
        claim = self._some_claim(data)
        reply = self.desk.finish(claim, known=known)
        job = self._holds(claim)
        if job is None:
            other = self.jobs.get(claim.id)
            repeated = other is not None and other.status is Status.succeeded and other.fence == claim.fence
            assert reply is (Finish.accepted if repeated else Finish.stale)
            return
        assert reply is Finish.accepted
        job.known, job.result = known, True
        self._end(claim.id, job, Status.succeeded)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), how=st.sampled_from(["fail", "stop", "hand over"]))
    def release(self, data: st.DataObject, how: str) -> None:
        claim = self._some_claim(data)
        job = self._holds(claim)
        if how == "fail":
            reply = self.desk.fail(claim)
        else:
            say = leases.stopped if how == "stop" else leases.hand_over
            reply = self.store.run(say(claim.id, claim.fence))
        assert reply is (Finish.stale if job is None else Finish.accepted)
        if job is None:
            return
        if how == "fail":
            self._end(claim.id, job, Status.failed)
        elif job.status is Status.cancelling:
            self._end(claim.id, job, Status.cancelled)
        else:
            job.unbegun = False
            job.move(Status.queued)

    @rule(name=IDS, user=USERS, force=RARELY, delete=RARELY)
    def stop(self, name: str, user: str, force: bool, delete: bool) -> None:
        reply = (self.desk.delete if delete else self.desk.cancel)(name, user, force)
        job = self.jobs.get(name)
        if job is None:
            assert reply.answer is Stop.missing
            return
        if job.doomed:
            assert reply.answer is (Stop.deleted if delete else Stop.unchanged)
            return
        if not delete and job.status not in {Status.queued, Status.running}:
            assert reply.answer is Stop.unchanged
            return
        others = job.submitters.keys() - {user}
        if not force:
            if user not in job.submitters and (others or job.owner != user):
                assert reply.answer is Stop.foreign
                return
            if others:
                assert reply.answer is Stop.withdrawn
                job.submitters.pop(user, None)
                return
        job.submitters.clear()
        if job.status is Status.queued:
            job.move(Status.cancelled)
        elif job.status is Status.running:
            job.move(Status.cancelling)
        assert reply.status is job.status
        assert reply.answer is (Stop.deleted if delete else Stop.stopped)
        if delete and job.status is Status.cancelling:
            job.doomed = True
        elif delete:
            del self.jobs[name]

    @rule(seconds=st.sampled_from([0.3, 0.9, 1.9, 2.1, 6.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.pass_seconds(seconds)

    @precondition(lambda self: any(job.status is Status.running for job in self.jobs.values()))
    @rule(delete=RARELY)
    def everybody_withdraws(self, delete: bool) -> None:
        """The only way to `cancelling`, too rare if left to chance."""
        name, job = next((n, j) for n, j in self.jobs.items() if j.status is Status.running)
        for user in sorted(job.submitters) or [job.owner]:
            self.stop(name=name, user=user, force=False, delete=delete)

    @precondition(lambda self: any(job.status in ACTIVE for job in self.jobs.values()))
    @rule(really=RARELY)
    def workers_die(self, really: bool) -> None:
        """Nobody renews for more than a lease, while a reaper is at work."""
        if not really:
            return
        for _ in range(7):
            self.clock.pass_seconds(1.0)
            self.reap()

    @rule()
    def reap(self) -> None:
        now = self.clock.now
        if self.last_reap is None or now - self.last_reap > leases.GAP_SECONDS * 1000:
            self.grace = now + LEASE_MS
        self.last_reap = now
        taken = self.desk.reap()
        if now < self.grace:
            assert taken == 0
            return
        expired = [name for name, job in self.jobs.items() if job.status in ACTIVE and job.expiry < now]
        assert taken == len(expired)
        for name in expired:
            job = self.jobs[name]
            if job.status is Status.cancelling:
                self._end(name, job, Status.cancelled)
                continue
            job.lost += not job.unbegun
            poisoned = not job.unbegun and job.lost >= leases.POISON_LIMIT
            job.unbegun = False
            job.move(Status.failed if poisoned else Status.queued)

    @invariant()
    def everything_agrees(self) -> None:
        """All reads in one round trip, for thousands of steps."""
        statuses, lines = list(Status), [f"{p}:{u}" for p in (-1, 0, 1) for u in ("ann", "bob")]
        found = iter(self.store.run(_read(statuses, lines)))
        names = lambda: {name.decode() for name in next(found)}  # noqa: E731
        by_status = {s: {n for n, j in self.jobs.items() if j.status is s} for s in statuses}
        for name in NAMES:
            status, attempt, fence, users, result, ttl, unbegun, checkpoint, life = (next(found) for _ in range(9))
            job = self.jobs.get(name)
            if job is None:
                assert status is None
                assert checkpoint is None
                continue
            assert checkpoint == job.checkpoint
            assert life == (-2 if checkpoint is None else -1)  # lives as long as the job is active
            assert (status.decode(), int(attempt), int(fence)) == (job.status, job.attempt, job.fence)
            assert {user.decode() for user in users} == job.submitters.keys()
            assert bool(unbegun) == job.unbegun
            assert bool(result) == job.result
            assert (ttl >= 0) == job.status.terminal  # an active job never expires
        for status_ in statuses:
            assert names() == by_status[status_]
        assert names() == set(self.jobs)
        assert names() == by_status[Status.running] | by_status[Status.cancelling]
        assert names() == by_status[Status.queued]
        # every queued job stands in the line of each of its submitters, and only there; empty lines are closed
        standing: dict[str, set[str]] = {}
        open_lines = names()
        filled = set()
        for line in lines:
            for name in names():
                filled.add(line)
                standing.setdefault(name, set()).add(line.partition(":")[2])
        assert open_lines == filled
        assert standing == {name: set(self.jobs[name].submitters) for name in by_status[Status.queued]}


def priority(line: str) -> int:
    return int(line.partition(":")[0])


def _read(statuses: list[Status], lines: list[str]) -> Operation[list[Any]]:
    commands: list[Command] = []
    for name in NAMES:
        job = key("job", name)
        commands += [("HGET", job, "status"), ("HGET", job, "attempt"), ("HGET", job, "fence")]
        commands += [("HKEYS", key("submitters", name)), ("EXISTS", key("result", name)), ("TTL", job)]
        commands.append(("HEXISTS", job, "unbegun"))
        commands += [("HGET", key("checkpoint", name), "c:0"), ("TTL", key("checkpoint", name))]
    commands += [("ZRANGE", key("status", status.value), 0, -1) for status in statuses]
    commands += [("ZRANGE", name, 0, -1) for name in (INDEX, LEASES, key("waiting", "cpu"), key("lines", "cpu"))]
    commands += [("ZRANGE", key("line", "cpu", line), 0, -1) for line in lines]
    return (yield commands)


def test_the_scripts_keep_to_the_table_of_states(settings: StoreSettings) -> None:
    _run(settings, examples=80, steps=60)


@pytest.mark.long
def test_the_scripts_keep_to_the_table_of_states_for_long(settings: StoreSettings) -> None:
    _run(settings, examples=2000, steps=80)


def _run(address: StoreSettings, examples: int, steps: int) -> None:
    machine = type("Machine", (LifeCycle,), {"address": address})
    chosen = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck),
        derandomize=True, database=None, report_multiple_bugs=False,
    )  # fmt: skip
    run_state_machine_as_test(machine, settings=chosen)
