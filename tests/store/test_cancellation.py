"""Submitters of one id form a set: cancel and delete withdraw the caller."""

from __future__ import annotations

import pytest

from initshape.spec.status import Status
from initshape.store import jobs, leases, listing
from initshape.store.jobs import Answer, Stop
from initshape.store.keys import RECORD_SECONDS, key
from initshape.store.leases import Finish, Renewal
from tests.store.desk import Desk


def stop(desk: Desk, claim: leases.Claim) -> Finish:
    return desk.store.run(leases.stopped(claim.id, claim.fence))


def test_the_job_goes_on_while_somebody_wants_it(desk: Desk) -> None:
    desk.submit("x-1", "ann")
    desk.submit("x-1", "bob")
    assert desk.cancel("x-1", "ann").answer is Stop.withdrawn
    assert [s.user for s in desk.read("x-1").submitters] == ["bob"]
    assert desk.cancel("x-1", "ann").answer is Stop.foreign  # no longer hers
    assert desk.claim_one().id == "x-1"  # from bob's line
    assert desk.cancel("x-1", "bob").status is Status.cancelling


def test_who_withdraws_leaves_his_line(desk: Desk) -> None:
    """Else the job would be run on the share of somebody who no longer wants it."""
    desk.submit("x-1", "ann")
    desk.submit("x-1", "bob")
    desk.cancel("x-1", "ann")
    assert desk.store.client.zrange(key("lines", "cpu"), 0, -1) == [b"0:bob"]
    assert not desk.store.client.exists(key("line", "cpu:0:ann"))


def test_a_running_job_is_asked_to_stop(desk: Desk) -> None:
    desk.submit("x-1")
    claim = desk.claim_one()
    assert desk.cancel("x-1").status is Status.cancelling
    assert desk.renew(claim) == Renewal(held=True, cancel=True)
    assert desk.cancel("x-1").answer is Stop.unchanged
    assert stop(desk, claim) is Finish.accepted
    assert desk.status("x-1") is Status.cancelled
    assert desk.cancel("x-1").answer is Stop.unchanged


def test_finishing_first_wins_over_cancelling(desk: Desk) -> None:
    desk.submit("x-1")
    claim = desk.claim_one()
    desk.cancel("x-1")
    assert desk.finish(claim) is Finish.accepted
    assert desk.status("x-1") is Status.succeeded
    assert stop(desk, claim) is Finish.stale


def test_who_submits_what_was_finished_against_a_cancel_is_forgotten_with_the_record(desk: Desk) -> None:
    """The cancel took the set of submitters away; a later submitter of the known result makes it anew."""
    desk.submit("x-1")
    claim = desk.claim_one()
    desk.cancel("x-1")
    assert desk.finish(claim) is Finish.accepted
    assert desk.submit("x-1", "bob").answer is Answer.known
    lifetimes = [desk.store.client.ttl(key(family, "x-1")) for family in ("job", "submitters")]
    assert lifetimes == [RECORD_SECONDS, RECORD_SECONDS]


def test_cancel_never_undoes_a_finished_job(desk: Desk) -> None:
    desk.compute("x-1")
    assert desk.cancel("x-1", force=True).answer is Stop.unchanged
    assert desk.status("x-1") is Status.succeeded


def test_submitted_again_before_the_worker_stopped(desk: Desk) -> None:
    desk.submit("x-1")
    claim = desk.claim_one()
    desk.cancel("x-1")
    again = desk.submit("x-1", "bob")
    assert (again.answer, again.status) == (Answer.joined, Status.running)
    assert desk.renew(claim) == Renewal(held=True, cancel=False)


def test_submitted_again_after_the_worker_noticed(desk: Desk) -> None:
    """The computation has stopped already, so the job returns to the queue instead of being cancelled."""
    desk.submit("x-1")
    claim = desk.claim_one()
    desk.cancel("x-1")
    desk.submit("x-1", "bob")
    assert stop(desk, claim) is Finish.accepted
    assert desk.status("x-1") is Status.queued
    assert desk.claim_one().attempt == 2


def test_a_stranger_cannot_cancel_and_an_admin_can(desk: Desk) -> None:
    desk.submit("x-1", "ann")
    desk.submit("x-1", "bob")
    assert desk.cancel("x-1", "eve").answer is Stop.foreign
    assert desk.delete("x-1", "eve").answer is Stop.foreign
    assert desk.status("x-1") is Status.queued
    assert desk.cancel("x-1", "root", force=True).status is Status.cancelled
    assert desk.read("x-1").submitters == ()


def test_who_wanted_it_once_is_the_only_one_to_delete_what_nobody_wants(desk: Desk) -> None:
    """A cancel empties the set of submitters; the record is still its owner's."""
    desk.submit("x-1", "ann")
    desk.cancel("x-1", "ann")
    assert desk.read("x-1").submitters == ()
    assert desk.delete("x-1", "eve").answer is Stop.foreign
    assert desk.status("x-1") is Status.cancelled
    assert desk.delete("x-1", "ann").answer is Stop.deleted


def test_an_old_wish_to_stop_does_not_hit_the_next_attempt(desk: Desk) -> None:
    """The parent of a worker kills the child of whom somebody has wanted for long that it stops."""
    desk.submit("x-1")
    claim = desk.claim_one()
    desk.cancel("x-1")
    stop(desk, claim)
    desk.submit("x-1")
    desk.claim_one("w2")
    (held,) = desk.store.run(leases.held_by("w2"))
    assert held.stopping == 0.0


def test_wanted_again_the_wish_to_stop_is_forgotten(desk: Desk) -> None:
    desk.submit("x-1")
    desk.claim_one("w")
    desk.cancel("x-1")
    (held,) = desk.store.run(leases.held_by("w"))
    assert held.stopping != 0.0
    desk.submit("x-1")
    (held,) = desk.store.run(leases.held_by("w"))
    assert held.stopping == 0.0


def test_a_lost_worker_of_a_cancelled_job_ends_it(desk: Desk) -> None:
    desk.submit("x-1")
    desk.claim_one()
    desk.cancel("x-1")
    assert desk.wait_and_reap(leases.LEASE_SECONDS + 1) == 1
    assert desk.status("x-1") is Status.cancelled


@pytest.mark.parametrize("state", ["queued", "failed", "succeeded", "cancelled"])
def test_delete_takes_everything_away(desk: Desk, state: str) -> None:
    keys_before = set(desk.store.client.keys("*"))
    desk.submit("x-1", tags=("t",))
    if state == "failed":
        desk.fail(desk.claim_one())
    elif state == "succeeded":
        desk.finish(desk.claim_one())
    elif state == "cancelled":
        desk.cancel("x-1")
    assert desk.delete("x-1").answer is Stop.deleted
    assert desk.store.run(jobs.read("x-1")) is None
    assert desk.store.run(listing.page(10)).records == ()
    assert desk.store.run(listing.page(10, owner="ann")).records == ()
    assert desk.store.run(listing.page(10, tag="t")).records == ()
    left = {k.decode().removeprefix("{initshape}:") for k in set(desk.store.client.keys("*")) - keys_before}
    assert left <= {
        "numbers",
        "tallies",
        "shares:cpu",
        "owner:ann",
        "pace:cpu:",
    }  # how long a job took says nothing of which
    assert desk.delete("x-1").answer is Stop.missing


def test_delete_of_a_running_job_waits_for_its_worker(desk: Desk) -> None:
    desk.submit("x-1")
    claim = desk.claim_one()
    assert desk.delete("x-1").answer is Stop.deleted
    assert desk.status("x-1") is Status.cancelling
    assert desk.delete("x-1").answer is Stop.deleted
    assert stop(desk, claim) is Finish.accepted
    assert desk.store.run(jobs.read("x-1")) is None


def test_what_is_wanted_again_after_a_delete_is_kept(desk: Desk) -> None:
    """It was deleted while it ran, and accepted again before its worker had stopped."""
    desk.submit("x-1")
    claim = desk.claim_one()
    assert desk.delete("x-1").answer is Stop.deleted
    assert desk.submit("x-1", "bob").answer is Answer.joined
    assert desk.status("x-1") is Status.running
    assert desk.finish(claim) is Finish.accepted
    assert desk.status("x-1") is Status.succeeded


def test_a_deleted_and_new_job_ignores_the_old_worker(desk: Desk) -> None:
    """Fences never start again, so a worker of the former life of an id cannot speak for the new one."""
    desk.submit("x-1")
    old = desk.claim_one()
    desk.delete("x-1")
    desk.wait_and_reap(leases.LEASE_SECONDS + 1)
    desk.submit("x-1")
    new = desk.claim_one()
    assert new.fence > old.fence
    assert new.attempt == old.attempt == 1
    assert desk.finish(old, b"old") is Finish.stale
    assert desk.finish(new, b"new") is Finish.accepted


def test_delete_withdraws_only_the_caller(desk: Desk) -> None:
    desk.compute("x-1")
    desk.submit("x-1", "bob")
    assert desk.delete("x-1", "ann").answer is Stop.withdrawn
    assert desk.read("x-1").has_result
    assert desk.delete("x-1", "bob").answer is Stop.deleted
