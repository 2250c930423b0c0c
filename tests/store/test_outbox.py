"""The outbox: every end of a submission with a webhook is told once, and again until it is reported."""

from __future__ import annotations

import pytest

from initshape.store import jobs, keys, labels, sweeps, webhooks
from initshape.store.jobs import JobRequest
from initshape.store.records import Hook, Submitter
from initshape.store.webhooks import PAUSES, Delivery
from tests.store.desk import Desk

URL = "https://lab.example.org/hook"


def ann(url: str = URL, user: str = "ann") -> Submitter:
    return Submitter(user, hook=Hook(f"user:{user}", url))


def submit(desk: Desk, job_id: str, who: Submitter) -> None:
    desk.store.run(jobs.submit(JobRequest(job_id, {}), who))


def take(desk: Desk, limit: int = 10) -> list[Delivery]:
    return desk.store.run(webhooks.take(limit))


def report(desk: Desk, delivery: Delivery, answer: int | None = 200, over: bool = True) -> bool:
    return desk.store.run(webhooks.report(delivery, target="https://lab.example.org", now=desk.clock.now, answer=answer,
                                          error=None, over=over))  # fmt: skip


def told(desk: Desk) -> list[tuple[str, str, str]]:
    found = take(desk)
    assert all(report(desk, one) for one in found)
    return [(one.subject, one.user, one.status) for one in found]


def test_every_end_is_told_to_each_who_asked(desk: Desk) -> None:
    submit(desk, "x-1", ann())
    submit(desk, "x-1", ann(user="a:b ü"))
    desk.submit("x-1", "quiet")
    assert take(desk) == []
    desk.finish(desk.claim_one())
    (first, second) = take(desk)
    assert {first.user, second.user} == {"ann", "a:b ü"}
    assert (first.subject, first.url, first.status, first.attempt, first.outcome, first.tries) == (
        "x-1", URL, "succeeded", 1, "converged", 1)  # fmt: skip
    assert report(desk, first)
    assert report(desk, second)
    desk.rerun("x-1")
    desk.finish(desk.claim_one())
    assert take(desk) == []  # once a submission
    submit(desk, "x-1", ann())  # what has ended is told at once
    assert told(desk) == [("x-1", "ann", "succeeded")]
    assert not desk.store.client.keys("*hooks:*") + desk.store.client.keys("*delivery:*")


def test_failed_cancelled_and_deleted_ones_are_told_too(desk: Desk) -> None:
    submit(desk, "x-1", ann())
    desk.fail(desk.claim_one())
    submit(desk, "x-2", ann())
    desk.cancel("x-2")
    submit(desk, "x-3", ann())
    desk.delete("x-3")
    submit(desk, "x-4", ann())
    claim = desk.claim_one()
    desk.cancel("x-4", "root", force=True)
    desk.finish(claim)  # it finished first
    submit(desk, "x-5", ann())
    desk.submit("x-5", "bob")
    desk.cancel("x-5")  # withdrawn: no longer asks
    desk.finish(desk.claim_one())
    assert told(desk) == [("x-1", "ann", "failed"), ("x-2", "ann", "cancelled"), ("x-3", "ann", "cancelled"),
                          ("x-4", "ann", "succeeded")]  # fmt: skip


def test_a_lost_job_is_told_of_when_it_ends_and_not_before(desk: Desk) -> None:
    submit(desk, "x-1", ann())
    desk.claim_one()
    desk.wait_and_reap(7)
    assert take(desk) == []
    desk.finish(desk.claim_one())
    assert told(desk) == [("x-1", "ann", "succeeded")]


def test_what_is_not_reported_is_due_again(desk: Desk) -> None:
    submit(desk, "x-1", ann())
    desk.finish(desk.claim_one())
    (lost,) = take(desk)
    assert take(desk) == []
    desk.clock.pass_seconds(webhooks.LEASE_SECONDS)
    (again,) = take(desk)
    assert (again.number, again.tries) == (lost.number, 2)
    assert not report(desk, lost)  # too late: another has it
    assert report(desk, again)


def test_attempts_are_bounded_and_spaced(desk: Desk) -> None:
    submit(desk, "x-1", ann())
    desk.finish(desk.claim_one())
    for k, pause in enumerate(PAUSES, 1):
        (one,) = take(desk)
        assert one.tries == k
        report(desk, one, answer=500, over=False)
        desk.clock.pass_seconds(pause - 0.1)
        assert take(desk) == []
        desk.clock.pass_seconds(0.2)
    (last,) = take(desk)
    report(desk, last, answer=None, over=False)
    desk.clock.pass_seconds(86_400)
    assert take(desk) == []
    log = desk.read("x-1").told
    assert [(entry.tries, entry.answer, entry.left) for entry in log] == [
        *((k, 500, True) for k in range(1, len(PAUSES) + 1)), (len(PAUSES) + 1, None, False),
    ]  # fmt: skip
    assert 0 < desk.store.client.ttl(keys.key("deliveries", "x-1")) <= keys.RECORD_SECONDS


@pytest.mark.parametrize("again", [False, True])
def test_a_sweep_is_told_of_when_its_last_cell_has_ended(desk: Desk, again: bool) -> None:
    desk.compute("x-0")
    requests = [JobRequest(f"x-{k}", {"k": k}) for k in range(4)]
    for _ in range(1 + again):  # sent twice it is one
        desk.store.run(sweeps.submit("s-1", {}, requests, ann()))
    claims = [desk.claim_one() for _ in range(2)]
    desk.finish(claims[0])
    desk.fail(claims[1])
    assert take(desk) == []
    desk.cancel("x-3")
    assert [(subject, user) for subject, user, _ in told(desk)] == [("s-1", "ann")]
    record = desk.store.run(sweeps.read("s-1"))
    assert record is not None
    assert [entry.answer for entry in record.told] == [200]
    desk.store.run(sweeps.submit("s-1", {}, requests[2:], ann()))
    assert take(desk) == []  # what failed and what was cancelled runs again
    for _ in range(2):
        assert take(desk) == []
        desk.finish(desk.claim_one())
    assert len(told(desk)) == 1


def test_a_sweep_of_known_cells_and_one_that_is_deleted(desk: Desk) -> None:
    desk.compute("x-0")
    desk.store.run(sweeps.submit("s-1", {}, [JobRequest("x-0", {})], ann()))
    (one,) = take(desk)
    assert one.subject == "s-1"
    assert desk.store.run(webhooks.postpone(one, 5.0))
    desk.clock.pass_seconds(5)
    (same,) = take(desk)
    assert (same.number, same.tries) == (one.number, 1)  # no attempt was made
    report(desk, same)
    desk.store.run(sweeps.submit("s-2", {}, [JobRequest("x-1", {})], ann()))
    desk.store.run(labels.delete_sweep("s-2", "ann"))
    assert told(desk) == [("s-2", "ann", "")]
    assert not desk.store.client.keys("*unsettled:*") + desk.store.client.keys("*hooks:*")
