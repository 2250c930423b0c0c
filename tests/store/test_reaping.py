"""Leases that expire, workers that come back, outages, rings."""

from __future__ import annotations

import pytest

from initshape.spec.status import Status
from initshape.store import Queue, leases, presence
from initshape.store.keys import key
from initshape.store.leases import Finish
from initshape.store.reaper import tick
from tests.store.desk import Desk

LEASE = leases.LEASE_SECONDS


def test_a_lost_job_is_queued_again_at_its_old_place(desk: Desk) -> None:
    desk.submit("x-1")
    desk.submit("x-2")
    lost = desk.claim_one("w1")
    assert desk.wait_and_reap(LEASE) == 0
    assert desk.wait_and_reap(1) == 1
    assert desk.status("x-1") is Status.queued
    again = desk.claim_one("w2")
    assert (again.id, again.attempt) == ("x-1", 2)
    assert again.fence > lost.fence


def test_a_renewed_lease_is_left_alone(desk: Desk) -> None:
    desk.submit("x-1")
    claim = desk.claim_one()
    for _ in range(5):
        assert desk.wait_and_reap(LEASE - 1) == 0
        assert desk.renew(claim).held


@pytest.mark.parametrize("rerun_claimed", [False, True])
def test_the_zombie_is_fenced_off(desk: Desk, rerun_claimed: bool) -> None:
    desk.submit("x-1")
    zombie = desk.claim_one("w1")
    desk.wait_and_reap(LEASE + 1)
    fresh = desk.claim_one("w2") if rerun_claimed else None
    assert not desk.renew(zombie).held
    assert desk.fail(zombie) is Finish.stale
    assert desk.store.run(leases.hand_over("x-1", zombie.fence)) is Finish.stale
    assert desk.finish(zombie, b"zombie") is Finish.stale
    assert not desk.read("x-1").has_result
    if fresh is not None:
        assert desk.finish(fresh, b"fresh") is Finish.accepted
        assert desk.finish(zombie, b"zombie") is Finish.stale
    assert not desk.store.client.keys("*upload:*")


def test_the_poison_limit(desk: Desk) -> None:
    desk.submit("x-1")
    for _ in range(leases.POISON_LIMIT):
        assert desk.status("x-1") is Status.queued
        desk.claim_one()
        desk.wait_and_reap(LEASE + 1)
    record = desk.read("x-1")
    assert record.status is Status.failed
    assert record.error == leases.LOST
    assert [a.how for a in record.attempts] == ["lost"] * leases.POISON_LIMIT
    desk.submit("x-1")  # asked for again: counted anew
    desk.claim_one()
    desk.wait_and_reap(LEASE + 1)
    assert desk.status("x-1") is Status.queued


@pytest.mark.parametrize("outage", [2.5, 20.0])
def test_after_an_outage_the_holders_get_one_lease_of_time(desk: Desk, outage: float) -> None:
    desk.submit("x-1")
    claim = desk.claim_one()
    desk.wait_and_reap(3)
    desk.clock.pass_seconds(outage)  # nobody reaps, nobody renews
    assert desk.reap() == 0
    assert desk.wait_and_reap(LEASE - 1) == 0
    assert desk.renew(claim).held
    assert desk.wait_and_reap(LEASE) == 0


def test_after_an_outage_who_does_not_renew_is_reaped(desk: Desk) -> None:
    desk.submit("x-1")
    desk.claim_one()
    desk.clock.pass_seconds(20)
    assert desk.reap() == 0
    assert desk.wait_and_reap(LEASE) == 1


def test_rings_are_as_many_as_can_be_used(desk: Desk) -> None:
    def due(period: float = 0.0) -> int:
        return desk.store.run(leases.rings_due(Queue.cpu, period))

    assert due() == 0
    for k in range(10):
        desk.submit(f"x-{k}")
    assert due() == 1  # no worker is known: one ring waits for the first
    workers = key("workers", "cpu")
    desk.store.client.zadd(workers, {f"w/{k}": desk.clock.now + 5000 for k in range(4)})
    assert due() == 4
    desk.store.client.rpush(Queue.cpu.celery, "ring", "ring", "ring")
    assert due() == 1
    desk.store.client.rpush(Queue.cpu.celery, "ring", "ring")
    assert due() == 0
    desk.clock.pass_seconds(6)  # the workers have gone
    desk.store.client.delete(Queue.cpu.celery)
    assert due() == 1
    assert desk.store.client.zcard(workers) == 0


def test_a_submission_rings_unless_enough_has_been_rung(desk: Desk) -> None:
    assert desk.submit("x-1").ring
    assert not desk.submit("x-1").ring  # it waits already
    desk.store.client.rpush(Queue.cpu.celery, "ring")
    assert not desk.submit("x-2").ring  # one worker comes, and claims until nothing waits
    desk.store.client.zadd(key("workers", "cpu"), {f"w/{k}": desk.clock.now + 5000 for k in range(2)})
    assert desk.submit("x-3").ring
    desk.store.client.rpush(Queue.cpu.celery, "ring")
    assert not desk.submit("x-4").ring


def test_only_one_reaper_rings_in_a_period(desk: Desk) -> None:
    desk.submit("x-1")
    rings = [desk.store.run(tick()).rings for _ in range(3)]
    assert rings == [{Queue.cpu: 1}, {}, {}]


def test_what_is_taken_back_is_rung_for_at_once(desk: Desk) -> None:
    desk.submit("x-1")
    desk.claim_one()
    desk.submit("x-2")
    assert desk.store.run(tick()).rings == {Queue.cpu: 1}
    for _ in range(9):
        desk.clock.pass_seconds(0.5)
        desk.store.run(leases.reap())
    desk.clock.pass_seconds(0.6)
    turn = desk.store.run(tick())
    assert (turn.taken, turn.rings) == (1, {Queue.cpu: 1})


def test_presence(desk: Desk) -> None:
    desk.store.run(presence.announce("w1", Queue.gpu, 2, {"host": "h"}))
    desk.store.run(presence.announce("w0", Queue.cpu, 1, {"host": "h"}))
    assert desk.store.run(presence.slots_alive(Queue.gpu)) == 2
    assert [(w.name, w.queue, w.slots, w.info["host"]) for w in desk.store.run(presence.workers())] == [
        ("w0", Queue.cpu, 1, "h"), ("w1", Queue.gpu, 2, "h"),
    ]  # fmt: skip
    desk.store.run(presence.withdraw("w1", Queue.gpu, 2))
    assert desk.store.run(presence.slots_alive(Queue.gpu)) == 0
    assert [w.name for w in desk.store.run(presence.workers())] == ["w0"]
