"""The checks of a chaos run can fail: an event log in which all is well, and one fault of the service at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from initshape.store import keys
from tests.faults.checks import CHECKS, answers, cancels, fences, idle, one_finish, outage_submits
from tests.faults.checks.finding import Finding
from tests.faults.checks.idle import lifetimes
from tests.faults.checks.results import same_results, settled
from tests.faults.checks.times import queued_again, restarts, running_again, waits
from tests.faults.history import History, quantile
from tests.faults.journal import Event

Check = Callable[[History], Finding]
Log = list[Event]

ONE, TWO, GONE, STOPPED, NEVER = "x-one", "x-two", "x-gone", "x-stopped", "x-never"
FIRST, SECOND = "w1@here:10/11", "w2@here:20/21"


def request(what: str, id: str, sent: float, status: int = 202, **more: Any) -> Event:
    accepted = {"accepted": True} if status in (200, 202) and what in ("submit", "rerun") else {}
    return {"kind": "request", "t": sent + 0.01, "what": what, "id": id, "sent": sent, "took": 0.01, "status": status,
            **accepted, **more}  # fmt: skip


def attempt(number: int, fence: int, worker: str, started: float, ended: float, how: str) -> Event:
    return {"attempt": number, "fence": fence, "worker": worker, "started": started, "ended": ended, "how": how}


def record(id: str, status: str, attempts: list[Event], error: str | None = None) -> Event:
    return {"kind": "record", "t": 900.0, "id": id, "status": status, "error": error, "created": 100.0,
            "attempts": attempts}  # fmt: skip


@pytest.fixture
def log() -> Log:
    """Two workers. The first one's child is killed at one job, which the second one finishes; then Redis is away."""
    return [
        {"kind": "warm", "t": 50.0, "worker": "w1", "parent": 10, "child": 11},
        {"kind": "warm", "t": 50.0, "worker": "w2", "parent": 20, "child": 21},
        request("submit", ONE, 100.0),
        request("submit", ONE, 20.0, 200, state="succeeded"),  # known then; the claim eighty seconds later is another's
        {"kind": "held", "t": 100.2, "id": ONE, "fence": 1, "attempt": 1, "worker": FIRST},
        {"kind": "fault", "t": 102.0, "what": "child", "target": "w1", "pids": [11]},
        {"kind": "held", "t": 107.2, "id": ONE, "fence": 2, "attempt": 2, "worker": SECOND},
        {"kind": "claimed", "t": 999.0, "at": 107.1, "id": ONE, "attempt": 1, "fence": 1, "log": "w1.log", "pid": 11},
        {"kind": "claimed", "t": 999.0, "at": 107.1, "id": ONE, "attempt": 2, "fence": 2, "log": "w2.log", "pid": 21},
        {"kind": "finish", "t": 999.0, "at": 109.0, "id": ONE, "attempt": 2, "answer": "accepted"},
        request("read", ONE, 120.0, 200, etag="e1", attempt=2, numbers="n"),
        request("submit", GONE, 130.0),
        request("delete", GONE, 131.0, 200),
        {"kind": "fault", "t": 200.0, "what": "redis", "target": "redis", "pids": [5]},
        request("submit", TWO, 201.0, 503, type="/problems/unavailable", retry_after="2"),
        {"kind": "mended", "t": 204.0, "what": "redis", "target": "redis", "began": 200.0},
        request("submit", TWO, 206.0),
        {"kind": "finish", "t": 999.0, "at": 109.0, "id": TWO, "attempt": 1, "answer": "accepted"},
        request("submit", STOPPED, 300.0),
        request("cancel", STOPPED, 301.0, 200),
        {"kind": "cancel", "t": 301.5, "id": STOPPED, "sent": 301.0, "took": 0.5, "before": "cancelling",
         "state": "cancelled"},
        request("submit", NEVER, 400.0),
        request("cancel", NEVER, 400.5, 200),
        record(NEVER, "cancelled", []),
        record(ONE, "succeeded", [attempt(1, 1, FIRST, 100.1, 106.9, "lost"),
                                  attempt(2, 2, SECOND, 107.1, 109.0, "finished")]),
        record(TWO, "succeeded", [attempt(1, 3, SECOND, 206.1, 207.0, "finished")]),
        record(STOPPED, "cancelled", [attempt(1, 4, SECOND, 300.1, 301.4, "stopped")]),
        {"kind": "record", "t": 900.0, "id": GONE, "status": None},
        {"kind": "compared", "t": 950.0, "id": ONE, "difference": 1e-13, "bits": False, "flow": "none"},
        {"kind": "compared", "t": 950.0, "id": TWO, "difference": 0.0, "bits": True, "flow": "none"},
        {"kind": "leftovers", "t": 901.0, "families": {"job": 3, "index": 1, "stream": 3, "stored": 2},
         "lasting": {"index": 1, "stored": 2},
         "waiting": 0, "unacked": 1, "bell": 0, "memory": 1 << 20},
    ]  # fmt: skip


def find(log: Log, kind: str, **values: Any) -> Event:
    """The first event that fits, to be spoilt."""
    return next(e for e in log if e["kind"] == kind and all(e.get(name) == value for name, value in values.items()))


def test_nothing_is_broken_where_all_is_well(log: Log) -> None:
    history = History(log)
    assert [finding.broken for finding in (check(history) for check in CHECKS)] == [[]] * len(CHECKS)
    assert "5 accepted: 2 cancelled, 1 deleted, 2 succeeded" in settled(history).measured
    assert "longest 4.90 s" in queued_again(history).measured
    assert "1 submits met an outage" in outage_submits(history).measured


def test_nothing_is_right_where_nothing_was_seen() -> None:
    """A run that recorded nothing must not pass."""
    assert idle(History([])).broken


def spoil_lost(log: Log) -> None:
    log[:] = [e for e in log if not (e["kind"] == "request" and e["what"] == "delete")]


def spoil_for_ever(log: Log) -> None:
    find(log, "record", id=TWO)["status"] = "running"


def spoil_failed(log: Log) -> None:
    find(log, "record", id=TWO).update(status="failed", error="internal")


def spoil_cancelled_by_nobody(log: Log) -> None:
    log.remove(find(log, "request", what="cancel", id=NEVER))


def spoil_read_of_the_lost(log: Log) -> None:
    log.append({**find(log, "request", what="read"), "etag": "e0", "attempt": 1})


def spoil_poison(log: Log) -> None:
    find(log, "record", id=ONE).update(status="failed", error="lost")


def spoil_accepted_twice(log: Log) -> None:
    log.append(dict(find(log, "finish", id=ONE)))


def spoil_finished_twice(log: Log) -> None:
    find(log, "record", id=TWO)["attempts"].append(attempt(2, 9, FIRST, 208.0, 209.0, "finished"))


def spoil_succeeded_without_finish(log: Log) -> None:
    find(log, "record", id=TWO)["attempts"] = []


def spoil_told_and_taken(log: Log) -> None:
    log.append({**find(log, "finish", id=ONE), "attempt": 1})


def spoil_two_results(log: Log) -> None:
    log.append({**find(log, "request", what="read"), "etag": "e2"})


def spoil_falling_fence(log: Log) -> None:
    find(log, "record", id=ONE)["attempts"][1]["fence"] = 1


def spoil_seen_falling_fence(log: Log) -> None:
    log.append({"kind": "held", "t": 110.0, "id": ONE, "fence": 1, "attempt": 1, "worker": FIRST})


def spoil_shared_fence(log: Log) -> None:
    find(log, "record", id=TWO)["attempts"][0]["fence"] = 2


def spoil_fence_claimed_twice(log: Log) -> None:
    find(log, "claimed", fence=2)["fence"] = 1


def spoil_silent_workers(log: Log) -> None:
    log[:] = [event for event in log if event["kind"] != "finish"]


def spoil_numbers(log: Log) -> None:
    find(log, "compared", id=ONE)["difference"] = 2e-10


def spoil_shape(log: Log) -> None:
    find(log, "compared", id=ONE)["difference"] = None


def spoil_never_compared(log: Log) -> None:
    log.remove(find(log, "compared", id=TWO))


def spoil_restart(log: Log) -> None:
    """Redis was away, the worker lived, and the job was taken from it nevertheless."""
    find(log, "record", id=TWO)["attempts"] = [attempt(1, 3, SECOND, 199.0, 206.0, "lost"),
                                               attempt(2, 5, SECOND, 206.1, 207.0, "finished")]  # fmt: skip


def spoil_late_queue(log: Log) -> None:
    find(log, "record", id=ONE)["attempts"][0]["ended"] = 109.1


def spoil_late_run(log: Log) -> None:
    find(log, "record", id=ONE)["attempts"][1].update(started=112.5, ended=114.0)


def spoil_wait(log: Log) -> None:
    find(log, "record", id=TWO)["attempts"][0].update(started=270.0, ended=271.0)


def spoil_cancel(log: Log) -> None:
    find(log, "cancel")["took"] = 2.1


def spoil_server_error(log: Log) -> None:
    log.append(request("look", ONE, 150.0, 500))


def spoil_silence(log: Log) -> None:
    log.append(request("look", ONE, 150.0, 0, error="ReadTimeout"))


def spoil_retry_after(log: Log) -> None:
    find(log, "request", status=503)["retry_after"] = None


def spoil_refusal(log: Log) -> None:
    log.append(request("submit", ONE, 150.0, 422))


def spoil_slow_refusal(log: Log) -> None:
    find(log, "request", status=503)["took"] = 2.4


def spoil_lease(log: Log) -> None:
    find(log, "leftovers")["families"]["leases"] = 1


def spoil_lifetime(log: Log) -> None:
    find(log, "leftovers")["lasting"]["stream"] = 1


def spoil_orphans(log: Log) -> None:
    find(log, "leftovers")["families"]["result"] = 7


def spoil_messages(log: Log) -> None:
    find(log, "leftovers")["unacked"] = 50


SPOILT: list[tuple[Check, Callable[[Log], None]]] = [
    (settled, spoil_lost), (settled, spoil_for_ever), (settled, spoil_failed), (settled, spoil_poison),
    (settled, spoil_cancelled_by_nobody), (one_finish, spoil_read_of_the_lost),
    (one_finish, spoil_accepted_twice), (one_finish, spoil_finished_twice), (one_finish, spoil_told_and_taken),
    (one_finish, spoil_succeeded_without_finish), (one_finish, spoil_two_results),
    (one_finish, spoil_silent_workers), (fences, spoil_fence_claimed_twice),
    (fences, spoil_falling_fence), (fences, spoil_seen_falling_fence), (fences, spoil_shared_fence),
    (same_results, spoil_numbers), (same_results, spoil_shape), (same_results, spoil_never_compared),
    (restarts, spoil_restart), (queued_again, spoil_late_queue), (running_again, spoil_late_run), (waits, spoil_wait),
    (cancels, spoil_cancel), (answers, spoil_server_error), (answers, spoil_silence), (answers, spoil_retry_after),
    (answers, spoil_refusal), (outage_submits, spoil_slow_refusal),
    (idle, spoil_lease), (idle, spoil_lifetime), (idle, spoil_orphans), (idle, spoil_messages),
]  # fmt: skip


@pytest.mark.parametrize(("check", "spoil"), SPOILT, ids=[spoil.__name__ for _, spoil in SPOILT])
def test_what_is_broken_is_found(log: Log, check: Check, spoil: Callable[[Log], None]) -> None:
    spoil(log)
    finding = check(History(log))
    assert finding.broken
    assert finding.verdict.startswith("BROKEN")


def test_every_check_has_been_seen_to_fail() -> None:
    assert {check for check, _ in SPOILT} == set(CHECKS)


def test_a_late_run_is_excused_where_no_warm_worker_was_free(log: Log) -> None:
    """The second worker is at another job for all of the ten seconds."""
    spoil_late_run(log)
    log.append(record("x-other", "cancelled", [attempt(1, 6, SECOND, 101.0, 112.4, "stopped")]))
    finding = running_again(History(log))
    assert not finding.broken
    assert "1 later, no warm worker was free" in finding.measured


def test_what_the_machine_stood_still_is_taken_off(log: Log) -> None:
    spoil_slow_refusal(log)
    spoilt = copy.deepcopy(log)
    assert outage_submits(History(spoilt)).broken
    assert not outage_submits(History([*spoilt, {"kind": "stall", "t": 202.0, "seconds": 0.5}])).broken


def test_a_submit_that_an_outage_overtakes_is_counted_from_then(log: Log) -> None:
    event = find(log, "request", status=503)
    event.update(sent=199.7, took=2.2)
    assert not outage_submits(History(log)).broken
    event.update(took=2.4)
    assert outage_submits(History(log)).broken


def test_a_cancelled_job_waits_for_nothing(log: Log) -> None:
    spoil_wait(log)
    log.append(request("cancel", TWO, 210.0, 200))
    assert not waits(History(log)).broken


def test_a_job_that_was_cancelled_before_its_worker_died_need_not_run_again(log: Log) -> None:
    find(log, "record", id=ONE)["attempts"][1].update(started=200.5, ended=202.0)
    assert waits(History(log)).broken
    log.append(request("cancel", ONE, 101.0, 200))
    assert not waits(History(log)).broken
    assert "0 within" in running_again(History(log)).measured


def test_quantile() -> None:
    values = list(range(1, 101))
    assert (quantile(values, 0.99), quantile(values, 0.5), quantile([], 0.5), quantile([3.0], 0.99)) == (99, 50, 0.0, 3)


def test_the_lifetimes_are_those_of_the_declared_keys() -> None:
    assert lifetimes().keys() >= {*keys.FAMILIES, *keys.SINGLES} - {"events"}
    assert lifetimes()["leases"] == "none, empties"
    assert lifetimes()["job"].startswith("active")
    assert lifetimes()["owner"] == lifetimes()["tag"] == "pruned when read"
