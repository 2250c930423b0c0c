"""Several jobs in one claim: nobody hoards, nobody is poisoned by a neighbour, nobody waits for more than one job."""

from __future__ import annotations

import json

import pytest

from initshape.spec.status import Status
from initshape.store import Queue, jobs, leases, presence
from initshape.store.jobs import JobRequest, Submitter
from initshape.store.keys import key
from initshape.store.leases import Claim, Finish, Turn
from tests.store.desk import Desk

LEASE = leases.LEASE_SECONDS
GO = Turn(held=True, cancel=False, yields=False, spare=0)


def send(desk: Desk, count: int, user: str = "ann", start: int = 0, seconds: float = 0.0, priority: int = 0) -> None:
    requests = [
        JobRequest(f"x-{user}{k}", {"marker": k}, batch="one", seconds=seconds) for k in range(start, start + count)
    ]
    desk.store.run(jobs.submit_many(requests, Submitter(user, priority=priority)))


def workers(desk: Desk, count: int) -> None:
    """So many child processes are alive."""
    members = {f"w{k}/0": desk.clock.now + 10**9 for k in range(count)}
    desk.store.client.zadd(key("workers", Queue.cpu.value), members)


def batch(desk: Desk, worker: str = "w", limit: int = 32, seconds: float = 1e9) -> list[Claim]:
    return desk.store.run(leases.claim(worker, "cpu", limit, seconds))


def begin(desk: Desk, claim: Claim, rest: int = 0) -> Turn:
    return desk.store.run(leases.begin(claim.id, claim.fence, rest))


def give_back(desk: Desk, claims: list[Claim]) -> list[Finish]:
    return desk.store.run(leases.hand_over_many([(claim.id, claim.fence) for claim in claims]))


def test_one_claim_takes_half_of_its_share(desk: Desk) -> None:
    workers(desk, 2)
    send(desk, 40)
    sizes = []
    while claims := batch(desk):
        sizes.append(len(claims))
    assert sizes == [10, 7, 5, 4, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1]
    assert sum(sizes) == 40


def test_a_claim_is_bounded_by_the_expected_time(desk: Desk) -> None:
    send(desk, 40, seconds=0.3)
    assert len(batch(desk, seconds=1.0)) == 3
    assert len(batch(desk, seconds=0.1)) == 1  # the first one in any case
    send(desk, 3, "bob", seconds=50.0)


def test_other_shapes_stay_where_they_are(desk: Desk) -> None:
    for k in range(12):
        desk.submit(f"x-{k}", batch="even" if k % 2 == 0 else "odd")
    claims = batch(desk, limit=4)
    assert [claim.id for claim in claims] == ["x-0", "x-2", "x-4", "x-6"]
    assert [claim.begun for claim in claims] == [True, False, False, False]


def test_nothing_is_taken_in_advance_while_another_user_waits(desk: Desk) -> None:
    send(desk, 20)
    send(desk, 20, "bob")
    assert len(batch(desk)) == 1


def test_a_user_of_lower_priority_does_not_count(desk: Desk) -> None:
    send(desk, 20)
    send(desk, 20, "bob", priority=-1)
    assert len(batch(desk)) == 20


@pytest.mark.parametrize("priority", [0, 1])
def test_another_users_first_job_waits_for_one_job_a_worker(desk: Desk, priority: int) -> None:
    """It comes in the middle of a batch: the next cell is not begun, and the next claim serves the newcomer."""
    send(desk, 40)
    first, second, *rest = batch(desk)
    desk.finish(first)
    assert begin(desk, second, rest=len(rest)) == GO
    send(desk, 1, "bob", priority=priority)
    desk.finish(second)
    turn = begin(desk, rest[0], rest=len(rest) - 1)
    assert turn.yields
    assert desk.read(rest[0].id).progress == {"stage": "waiting in a batch", "fraction": 0}  # has not begun
    assert give_back(desk, rest) == [Finish.accepted] * len(rest)
    assert [claim.id for claim in batch(desk)] == ["x-bob0"]
    # and the first user is neither charged for what was given back, nor has lost a place
    assert [claim.id for claim in batch(desk, limit=1)] == [rest[0].id]
    assert desk.store.client.hget(key("shares", "cpu"), "0:ann") == b"3"


def test_fair_shares_of_two_users_with_many_jobs(desk: Desk) -> None:
    send(desk, 40)
    served = [claim.id[2:5] for claim in batch(desk, limit=8)]
    assert len(served) == 8
    send(desk, 40, "bob")
    served += [batch(desk)[0].id[2:5] for _ in range(40)]
    assert abs(served.count("ann") - served.count("bob")) <= 2


def test_what_waits_for_its_turn_shows_it(desk: Desk) -> None:
    send(desk, 8)
    first, second, *_ = batch(desk, limit=4)
    for claim, progress in ((first, None), (second, {"stage": "waiting in a batch", "fraction": 0})):
        record = desk.read(claim.id)
        assert (record.status, record.attempt, record.progress) == (Status.running, 1, progress)
    desk.clock.pass_seconds(3)
    assert begin(desk, second) == GO
    record = desk.read(second.id)
    assert record.progress is None
    assert record.started is not None
    assert record.started.timestamp() * 1000 == desk.clock.now  # its time runs from here
    (held,) = [lease for lease in desk.store.run(leases.held_by("w")) if lease.id == second.id]
    assert held.begun
    assert held.ran == pytest.approx(0.0, abs=1e9)


def test_a_dead_worker_poisons_only_what_it_was_at(desk: Desk) -> None:
    send(desk, 8)
    for _ in range(leases.POISON_LIMIT):
        claims = batch(desk, limit=4)
        assert claims[0].id == "x-ann0"
        assert desk.wait_and_reap(LEASE + 1) == 4
    assert desk.status("x-ann0") is Status.failed
    for k in (1, 2, 3):
        record = desk.read(f"x-ann{k}")
        assert record.status is Status.queued
        assert [attempt.how for attempt in record.attempts] == ["returned"] * leases.POISON_LIMIT
    for _ in range(leases.POISON_LIMIT - 1):  # not one of them is counted so far
        batch(desk, limit=1)
        desk.wait_and_reap(LEASE + 1)
        assert desk.status("x-ann1") is Status.queued


def test_one_that_has_begun_is_counted(desk: Desk) -> None:
    send(desk, 8)
    for _ in range(leases.POISON_LIMIT):
        first, second, *_ = batch(desk, limit=4)
        desk.finish(first)
        begin(desk, second)
        desk.wait_and_reap(LEASE + 1)
        assert desk.rerun(first.id).status is Status.queued
    assert [attempt.how for attempt in desk.read("x-ann1").attempts].count("lost") >= 1
    assert desk.read("x-ann2").status is Status.queued


def test_each_is_renewed_cancelled_and_lost_by_itself(desk: Desk) -> None:
    send(desk, 8)
    claims = batch(desk, limit=4)
    desk.cancel(claims[1].id)
    desk.store.run(leases.hand_over(claims[2].id, claims[2].fence))
    replies = desk.store.run(leases.renew_many([(c.id, c.fence, {"stage": "flow", "fraction": 0.5}) for c in claims]))
    assert [(reply.held, reply.cancel) for reply in replies] == [
        (True, False), (True, True), (False, False), (True, False),
    ]  # fmt: skip
    assert begin(desk, claims[1]) == Turn(held=True, cancel=True, yields=False, spare=0)
    assert begin(desk, claims[2]) == Turn(held=False, cancel=False, yields=False, spare=0)
    assert desk.store.run(leases.stopped(claims[1].id, claims[1].fence)) is Finish.accepted
    assert desk.status(claims[1].id) is Status.cancelled
    assert desk.finish(claims[2]) is Finish.stale
    assert desk.finish(claims[0]) is Finish.accepted
    assert desk.finish(claims[3]) is Finish.accepted


def test_a_turn_begins_with_a_whole_lease(desk: Desk) -> None:
    send(desk, 4)
    claims = batch(desk, limit=2)
    desk.wait_and_reap(LEASE - 1)
    begin(desk, claims[1])
    assert desk.wait_and_reap(LEASE - 1) == 1  # the first one, which nobody has renewed
    assert desk.finish(claims[1]) is Finish.accepted


@pytest.mark.parametrize(("slots", "spare"), [(1, 0), (2, 3), (4, 5)])
def test_the_last_cells_do_not_wait_behind_one_worker(desk: Desk, slots: int, spare: int) -> None:
    """Nothing else waits, and other workers are idle: they get their part of what has not begun."""
    send(desk, 16)
    _, second, *_ = batch(desk, "w0/1", limit=8)
    others = batch(desk, "w0/1", limit=8) + batch(desk, "w0/1") + batch(desk, "w0/1") + batch(desk, "w0/1")
    assert len(others) == 8
    workers(desk, slots)
    assert begin(desk, second, rest=6) == Turn(held=True, cancel=False, yields=False, spare=spare)


def test_nothing_is_spare_while_something_waits(desk: Desk) -> None:
    send(desk, 16)
    _, second, *rest = batch(desk, limit=8)
    workers(desk, 4)
    assert begin(desk, second, rest=len(rest)) == GO


def test_the_stream_tells_of_the_turn(desk: Desk) -> None:
    send(desk, 8)
    _, second, *_ = batch(desk, limit=4)
    begin(desk, second)
    rows = desk.store.client.xrange(key("stream", second.id))
    assert json.loads(rows[-1][1][b"data"]) == {"stage": "begun", "fraction": 0}


def test_presence_makes_the_share(desk: Desk) -> None:
    send(desk, 40)
    desk.store.run(presence.announce("w1", Queue.cpu, 4, {}))
    desk.store.client.zadd(key("workers", "cpu"), {f"w1/{k}": desk.clock.now + 5000 for k in range(4)})
    assert len(batch(desk)) == 5
