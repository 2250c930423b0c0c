"""Rates, quotas and what is counted: by the scripts, on the clock that the test moves."""

from __future__ import annotations

import pytest

from initshape.store import admission, audit, jobs, tokens, uploads
from initshape.store.admission import Admission, Allowance, Entry, Excess
from initshape.store.jobs import Answer, JobRequest, Submitted, Submitter
from initshape.store.keys import AUDIT, key
from initshape.store.tokens import Role
from initshape.uploads import dataset_upload
from tests.store.desk import Desk

ANN, BEN = Submitter("ann"), Submitter("ben")


def send(desk: Desk, job_id: str, who: Submitter = ANN, entry: Entry = admission.OPEN) -> Submitted:
    return desk.store.run(jobs.submit(JobRequest(job_id, {"marker": job_id}), who, entry))


def held(desk: Desk, user: str = "ann") -> admission.Usage:
    return desk.store.run(admission.usage(user))


def knock(desk: Desk, token: str, **rates: float) -> Admission:
    found = desk.store.run(admission.admit(token, "read", Allowance(**rates)))
    assert found is not None
    return found


def test_a_bucket_empties_and_fills_again(desk: Desk) -> None:
    token = desk.store.run(tokens.create("ann", Role.member))
    assert [knock(desk, token, reads=2.0).wait for _ in range(20)] == [0.0] * 20  # ten seconds' worth
    assert knock(desk, token, reads=2.0).wait == 0.5
    desk.clock.pass_seconds(0.5)
    assert knock(desk, token, reads=2.0).wait == 0.0
    assert knock(desk, token, reads=2.0).wait > 0.0
    other = desk.store.run(tokens.create("ben", Role.member))
    assert knock(desk, other, reads=2.0).wait == 0.0
    assert knock(desk, token, reads=0.0).wait == 0.0  # no limit


@pytest.mark.parametrize("rate", [1e9, 1e-3])
def test_any_rate_is_possible(desk: Desk, rate: float) -> None:
    token = desk.store.run(tokens.create("ann", Role.member))
    assert knock(desk, token, reads=rate).wait == 0.0
    assert (knock(desk, token, reads=rate).wait > 0.0) == (rate < 1)


def test_the_last_use_is_written_once_a_minute(desk: Desk) -> None:
    token = desk.store.run(tokens.create("ann", Role.member))
    seen = []
    for seconds in (0, 30, 29, 2):
        desk.clock.pass_seconds(seconds)
        knock(desk, token)
        seen.append(desk.store.client.hget(key("token", tokens.digest(token)), "used"))
    assert seen[0] == seen[1] == seen[2] != seen[3]


def test_a_submission_looks_at_the_token_and_the_rate(desk: Desk) -> None:
    token = desk.store.run(tokens.create("ann", Role.member))
    entry = Entry(tokens.digest(token), Allowance(writes=0.1))
    assert send(desk, "x-1", ANN, entry).answer is Answer.queued
    slow = send(desk, "x-2", ANN, entry)
    assert (slow.answer, slow.number) == (Answer.slow, 10_000)
    desk.store.run(tokens.revoke(tokens.digest(token)))
    assert send(desk, "x-3", ANN, entry).answer is Answer.unknown
    assert [desk.store.run(jobs.read(name)) is None for name in ("x-1", "x-2", "x-3")] == [False, True, True]


def test_active_jobs_are_counted_through_the_life_cycle(desk: Desk) -> None:
    for name in ("x-1", "x-2", "x-3", "x-4"):
        send(desk, name)
    desk.finish(desk.claim_one())
    desk.fail(desk.claim_one())
    assert held(desk).active == 2
    send(desk, "x-4", BEN)
    assert (held(desk).active, held(desk, "ben").active) == (2, 1)
    desk.cancel("x-4")  # ben still wants it
    assert (held(desk).active, held(desk, "ben").active) == (1, 1)
    desk.cancel("x-3")
    assert held(desk).active == 0
    send(desk, "x-3")
    desk.rerun("x-1")
    assert held(desk).active == 2
    desk.delete("x-3")
    assert held(desk).active == 1


def test_a_full_quota_changes_nothing(desk: Desk) -> None:
    entry = Entry(allowance=Allowance(active=1))
    assert send(desk, "x-1", ANN, entry).answer is Answer.queued
    refused = send(desk, "x-2", ANN, entry)
    assert (refused.answer, refused.number) == (Answer.crowded, 1)
    assert desk.store.run(jobs.read("x-2")) is None
    assert send(desk, "x-1", ANN, entry).answer is Answer.joined
    assert send(desk, "x-2", BEN, entry).answer is Answer.queued


def test_joining_stores_nothing_and_needs_no_room(desk: Desk) -> None:
    desk.compute("x-1")
    send(desk, "x-2", BEN)
    full = Entry(allowance=Allowance(stored=1))
    assert send(desk, "x-2", ANN, full).answer is Answer.joined
    assert send(desk, "x-1", ANN, full).answer is Answer.known
    assert send(desk, "x-3", ANN, full).answer is Answer.stuffed


def test_a_reservation_is_all_or_nothing(desk: Desk) -> None:
    entry = Entry(allowance=Allowance(active=3))
    send(desk, "x-1")
    many = desk.store.run(admission.reserve("ann", ["x-1", "x-2", "x-3", "x-4"], entry, "submit", "a", "s-1"))
    assert many == admission.Reservation(Excess.crowded, 1, 3)
    assert held(desk).active == 1
    few = desk.store.run(admission.reserve("ann", ["x-1", "x-2", "x-3"], entry, "submit", "a", "s-1"))
    assert (few.excess, few.new) == (None, 2)
    assert send(desk, "x-5", ANN, entry).answer is Answer.crowded
    desk.store.client.delete(key("tidied", "ann"))  # ten seconds later
    assert send(desk, "x-5", ANN, entry).answer is Answer.queued  # what was reserved and never came is forgotten


def test_known_results_need_no_room(desk: Desk) -> None:
    desk.compute("x-1")
    one = Entry(allowance=Allowance(active=1))
    both = ["x-1", "x-2"]
    assert desk.store.run(admission.reserve("ann", both, one, "submit", "a", "s-1")) == admission.Reservation(
        None, 0, 1
    )
    again = desk.store.run(admission.reserve("ben", both, one, "rerun", "a", "s-1"))  # computes both
    assert again == admission.Reservation(Excess.crowded, 0, 2)


def test_stored_bytes_follow_the_result(desk: Desk) -> None:
    desk.compute("x-1")
    first = held(desk).stored
    assert first > 24
    send(desk, "x-1", BEN)
    desk.delete("x-1")
    assert (held(desk).stored, held(desk, "ben").stored) == (0, first)
    desk.rerun("x-1", "ben")
    desk.finish(desk.claim_one(), b"{}" * 50)
    assert held(desk, "ben").stored == first + 98
    desk.delete("x-1", "ben")
    assert held(desk, "ben").stored == 0


def counted(desk: Desk, user: str) -> tuple[int, int]:
    """Active jobs and stored bytes as they are written down: asking for the usage would tidy up first."""
    stored = desk.store.client.hget(key("stored", user), "total")
    return desk.store.client.scard(key("active", user)), int(stored or 0)


def test_what_is_to_stop_is_not_active(desk: Desk) -> None:
    send(desk, "x-1")
    desk.claim_one()
    desk.cancel("x-1")
    assert counted(desk, "ann") == (0, 0)


def test_nobody_pays_for_what_was_deleted_after_it_changed_hands(desk: Desk) -> None:
    desk.compute("x-1")
    send(desk, "x-1", BEN)
    desk.delete("x-1")
    assert counted(desk, "ben")[1] > 0
    desk.delete("x-1", "ben")
    assert (counted(desk, "ann"), counted(desk, "ben")) == ((0, 0), (0, 0))


def test_the_next_result_is_paid_once_though_its_payer_changes(desk: Desk) -> None:
    """The owner has withdrawn, the heir pays; the owner wants it again and pays for what is computed now."""
    desk.compute("x-1")
    send(desk, "x-1", BEN)
    desk.delete("x-1")
    desk.rerun("x-1")
    desk.finish(desk.claim_one())
    assert counted(desk, "ann")[1] > 0
    assert counted(desk, "ben")[1] == 0


def test_what_has_expired_is_not_counted_for_long(desk: Desk) -> None:
    desk.compute("x-1")
    desk.store.client.delete(key("result", "x-1"))
    entry = Entry(allowance=Allowance(stored=10))
    assert send(desk, "x-2", ANN, entry).answer is Answer.queued


def test_uploads_count_for_who_keeps_them(desk: Desk) -> None:
    data = dataset_upload({"X": [[1.0, 2.0]], "y": [1.0]})
    for user in ("ann", "ben"):
        desk.store.run(uploads.keep(data, user))
    assert (held(desk).stored, held(desk, "ben").stored) == (data.size, 0)
    desk.store.run(uploads.take_back(data.id, "ann"))
    assert (held(desk).stored, held(desk, "ben").stored) == (0, data.size)
    desk.store.run(uploads.take_back(data.id, "ben"))
    assert held(desk, "ben").stored == 0
    tight = Entry(allowance=Allowance(stored=data.size))
    assert desk.store.run(uploads.keep(data, "ann", tight)) is uploads.Kept.stuffed


def test_what_expired_and_is_sent_again_is_paid_once(desk: Desk) -> None:
    data = dataset_upload({"X": [[1.0, 2.0]], "y": [1.0]})
    for _ in range(3):
        desk.store.run(uploads.keep(data, "ann"))
        assert counted(desk, "ann") == (0, data.size)
        desk.store.client.delete(key("given", data.id))


def test_the_audit_says_what_was_refused(desk: Desk) -> None:
    entry = Entry(allowance=Allowance(active=1), actor=audit.actor(100, "ann", "t", "r"))
    for name in ("x-1", "x-2"):
        send(desk, name, ANN, entry)
    told = [(line.action, line.subject, line.outcome) for line in desk.store.run(audit.page(10)).entries]
    assert told == [("submit", "x-2", "crowded"), ("submit", "x-1", "queued")]


def test_the_audit_says_who_withdrew_who_stopped_and_who_forced(desk: Desk) -> None:
    who = audit.actor(100, "ann", "t", "r")
    for user in ("ann", "ben"):
        desk.submit("x-1", user)
    desk.store.run(jobs.cancel("x-1", "ann", False, who))
    desk.store.run(jobs.cancel("x-1", "root", True, who))
    desk.store.run(jobs.delete("x-1", "root", True, who))
    told = [(line.action, line.subject, line.outcome) for line in desk.store.run(audit.page(10)).entries]
    assert told == [
        ("force_delete", "x-1", "deleted"),
        ("force_cancel", "x-1", "stopped"),
        ("cancel", "x-1", "withdrawn"),
    ]


def test_the_audit_says_what_became_of_tokens_and_uploads(desk: Desk) -> None:
    who = audit.actor(100, "root", "t", "r")
    data = dataset_upload({"X": [[1.0, 2.0]], "y": [1.0]})
    name = tokens.digest(desk.store.run(tokens.create("ann", Role.member, actor=who)))
    desk.store.run(tokens.revoke(name, who))
    for user in ("ann", "ben"):
        desk.store.run(uploads.keep(data, user, Entry(actor=who)))
    for user in ("ann", "ben"):
        desk.store.run(uploads.take_back(data.id, user, actor=who))
    told = [(line.action, line.outcome) for line in reversed(desk.store.run(audit.page(10)).entries)]
    assert told == [
        ("create_token", "created"), ("revoke_token", "revoked"), ("upload", "created"), ("upload", "known"),
        ("delete_upload", "withdrawn"), ("delete_upload", "deleted"),
    ]  # fmt: skip


def test_the_first_token_is_made_once_and_others_end_when_they_are_to(desk: Desk) -> None:
    assert desk.store.run(tokens.create_admin()) is not None
    assert desk.store.run(tokens.create_admin()) is None
    name = tokens.digest(desk.store.run(tokens.create("ann", Role.member, expires_seconds=60)))
    assert 0 < desk.store.client.ttl(key("token", name)) <= 60


def test_the_audit_is_bounded(desk: Desk) -> None:
    who = audit.actor(100, "ann", "t", "r")
    for k in range(1000):
        desk.store.run(audit.record(who, "cancel", f"x-{k}", "stopped"))
    assert 100 <= desk.store.client.xlen(AUDIT) < 300  # Redis trims whole nodes
    assert desk.store.run(audit.page(1)).entries[0].subject == "x-999"
    assert audit.actor(0, "ann", "t", "r") == ""
