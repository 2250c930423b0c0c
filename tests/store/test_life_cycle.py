"""One job from submission to its end, by every road."""

from __future__ import annotations

import pytest

from initshape.spec.status import Status
from initshape.store import jobs, leases, listing, results
from initshape.store.jobs import Answer, Stop
from initshape.store.keys import key
from initshape.store.leases import Finish
from tests.store.desk import BROKEN, Desk


def test_submit_claim_finish(desk: Desk) -> None:
    submitted = desk.submit("x-1", tags=("t",), name="mine")
    assert (submitted.answer, submitted.status, submitted.attempt) == (Answer.queued, Status.queued, 0)
    assert desk.read("x-1").position == 0

    claim = desk.claim_one("w1")
    assert (claim.id, claim.attempt, claim.document, claim.max_seconds) == ("x-1", 1, {"marker": "x-1"}, 3600.0)
    running = desk.read("x-1")
    assert (running.status, running.worker, running.position) == (Status.running, "w1", None)
    assert running.started is not None
    assert running.started.timestamp() * 1000 == desk.clock.now

    assert desk.renew(claim, {"fraction": 0.5}) == leases.Renewal(held=True, cancel=False)
    assert desk.read("x-1").progress == {"fraction": 0.5}

    desk.clock.pass_seconds(3)
    assert desk.finish(claim, b'{"a": 1}') is Finish.accepted
    done = desk.read("x-1")
    assert (done.status, done.outcome, done.has_result, done.attempt) == (Status.succeeded, "converged", True, 1)
    assert done.submitters[0].tags == ("t",)
    assert [a.how for a in done.attempts] == ["finished"]
    assert done.attempts[0].ended is not None
    assert done.attempts[0].started is not None
    assert (done.attempts[0].ended - done.attempts[0].started).total_seconds() == 3
    stored = desk.store.run(results.read("x-1"))
    assert stored is not None
    assert stored.document == b'{"a": 1}'
    assert desk.claim() == []


def test_a_stored_result_is_answered_without_a_new_attempt(desk: Desk) -> None:
    desk.compute("x-1")
    again = desk.submit("x-1", "bob")
    assert (again.answer, again.status, again.attempt) == (Answer.known, Status.succeeded, 1)
    assert desk.claim() == []
    assert {s.user for s in desk.read("x-1").submitters} == {"ann", "bob"}


def test_a_result_that_ran_out_of_time_is_never_served_as_known(desk: Desk) -> None:
    desk.submit("x-1", max_seconds=1.0)
    assert desk.finish(desk.claim_one(), known=False) is Finish.accepted
    assert desk.submit("x-1", max_seconds=100.0).answer is Answer.queued
    assert desk.claim_one().max_seconds == 100.0


def test_equal_submissions_join(desk: Desk) -> None:
    desk.submit("x-1", "ann", max_seconds=5.0)
    joined = desk.submit("x-1", "bob", max_seconds=50.0)
    assert (joined.answer, joined.status) == (Answer.joined, Status.queued)
    claim = desk.claim_one()
    assert claim.max_seconds == 50.0  # the most patient submitter decides
    assert desk.submit("x-1", "cem").answer is Answer.joined
    assert desk.claim() == []


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_a_failed_or_cancelled_job_is_queued_again(desk: Desk, end: str) -> None:
    desk.submit("x-1")
    if end == "failed":
        assert desk.fail(desk.claim_one()) is Finish.accepted
        assert desk.read("x-1").error == BROKEN
    else:
        desk.cancel("x-1")
    assert desk.status("x-1") == end
    assert desk.submit("x-1").answer is Answer.queued
    assert desk.read("x-1").error is None
    assert desk.claim_one().attempt == (2 if end == "failed" else 1)


def test_rerun_serves_the_old_result_until_the_new_one_is_there(desk: Desk) -> None:
    desk.compute("x-1", b"old")
    assert desk.rerun("x-1").answer is Answer.queued
    claim = desk.claim_one()
    assert claim.attempt == 2
    assert claim.document == {"marker": "x-1"}
    assert _document(desk) == b"old"
    assert desk.finish(claim, b"new") is Finish.accepted
    assert _document(desk) == b"new"


def test_a_failed_rerun_leaves_the_old_result(desk: Desk) -> None:
    desk.compute("x-1", b"old")
    desk.rerun("x-1")
    desk.fail(desk.claim_one())
    assert desk.status("x-1") is Status.failed
    assert desk.read("x-1").has_result
    assert _document(desk) == b"old"


def test_rerun_of_an_unknown_id(desk: Desk) -> None:
    assert desk.rerun("x-unknown").answer is Answer.missing
    assert desk.store.run(jobs.read("x-unknown")) is None


def test_finish_without_an_upload_says_so(desk: Desk) -> None:
    desk.submit("x-1")
    claim = desk.claim_one()
    assert desk.store.run(leases.finish(claim.id, claim.fence, "converged")) is Finish.missing
    assert desk.status("x-1") is Status.running


def test_finish_said_twice_is_accepted_twice_and_counts_once(desk: Desk) -> None:
    """The answer to the first may be lost on the way."""
    desk.submit("x-1")
    claim = desk.claim_one()
    desk.finish(claim, b"first")
    assert desk.finish(claim, b"second") is Finish.accepted
    assert _document(desk) == b"first"
    assert len(desk.read("x-1").attempts) == 1


def test_hand_over_keeps_the_place_and_counts_as_no_loss(desk: Desk) -> None:
    for name in ("x-1", "x-2"):
        desk.submit(name)
    for _ in range(leases.POISON_LIMIT + 1):
        claim = desk.claim_one("w1")
        assert claim.id == "x-1"
        assert desk.store.run(leases.hand_over_all("w1")) == 1
        assert desk.status("x-1") is Status.queued
    assert [a.how for a in desk.read("x-1").attempts] == ["handed_over"] * (leases.POISON_LIMIT + 1)


def test_the_history_keeps_the_last_fifty_attempts(desk: Desk) -> None:
    desk.submit("x-1")
    for _ in range(60):
        desk.claim_one("w1")
        desk.store.run(leases.hand_over_all("w1"))
    assert [a.attempt for a in desk.read("x-1").attempts] == list(range(11, 61))


def test_what_is_no_longer_queued_is_never_claimed(desk: Desk) -> None:
    """Whatever a line may hold: one job runs once."""
    desk.submit("x-1")
    claim = desk.claim_one()
    line, place = key("line", "cpu:0:ann"), {"x-1": 1}
    desk.store.client.zadd(line, place)
    desk.store.client.zadd(key("lines", "cpu"), {"0:ann": 10 * 2**44})
    assert desk.claim() == []
    assert desk.read("x-1").attempt == claim.attempt
    assert desk.finish(claim) is Finish.accepted


def test_hand_over_leaves_other_workers_alone(desk: Desk) -> None:
    desk.submit("x-1")
    desk.claim_one("w2")
    assert desk.store.run(leases.hand_over_all("w1")) == 0
    assert desk.status("x-1") is Status.running


def test_jobs_of_one_shape_are_claimed_together(desk: Desk) -> None:
    for k, batch in enumerate(["a", "b", "a", "", "a", "a"]):
        desk.submit(f"x-{k}", batch=batch)
    assert [c.id for c in desk.claim(limit=3)] == ["x-0", "x-2", "x-4"]
    assert [c.id for c in desk.claim(limit=3)] == ["x-1"]
    assert [c.id for c in desk.claim(limit=3)] == ["x-3"]  # no batch key: alone
    assert [c.id for c in desk.claim(limit=3)] == ["x-5"]


def test_queues_are_apart(desk: Desk) -> None:
    desk.submit("x-1", queue="gpu")
    assert desk.claim(queue="cpu") == []
    assert [c.id for c in desk.claim(queue="gpu")] == ["x-1"]


def test_a_large_section_is_stored_once_and_comes_back_whole(desk: Desk) -> None:
    data = {"kind": "explicit", "X": [[float(k) for k in range(3000)]]}
    requests = [jobs.JobRequest(f"x-{k}", {"dataset": data, "init": {"scale": k}}) for k in range(3)]
    desk.store.run(jobs.submit_many(requests, jobs.Submitter("ann")))
    assert len(desk.store.client.keys("*part:*")) == 1
    assert desk.claim_one().document == {"dataset": data, "init": {"scale": 0}}
    assert desk.store.run(jobs.document("x-2")) == {"dataset": data, "init": {"scale": 2}}


def test_ten_thousand_cells_in_seconds(desk: Desk) -> None:
    document = {"dataset": {"kind": "sparse_regression", "dimension": 1000}, "padding": "x" * 600}
    requests = [jobs.JobRequest(f"x-{k}", {**document, "k": k}) for k in range(10_000)]
    answers = desk.store.run(jobs.submit_many(requests, jobs.Submitter("ann")))
    assert {a.answer for a in answers} == {Answer.queued}
    assert desk.store.run(listing.status_counts())[Status.queued] == 10_000
    assert desk.claim_one().id == "x-0"


def test_cancel_before_the_start_is_immediate(desk: Desk) -> None:
    desk.submit("x-1")
    stopped = desk.cancel("x-1")
    assert (stopped.answer, stopped.status) == (Stop.stopped, Status.cancelled)
    assert desk.claim() == []


def _document(desk: Desk) -> bytes:
    stored = desk.store.run(results.read("x-1"))
    assert stored is not None
    return stored.document
