"""Lists, sweeps, tokens and idempotency keys."""

from __future__ import annotations

from typing import Any

import pytest

from initshape.spec.status import Status
from initshape.store import idempotency, jobs, keys, listing, sweep_listing, sweeps, tokens
from initshape.store.jobs import JobRequest, Submitter
from initshape.store.sweep_listing import SweepPage
from initshape.store.tokens import Role
from tests.store.desk import Desk


def test_pages_are_newest_first_and_stable_under_inserts(desk: Desk) -> None:
    for k in range(10):
        desk.submit(f"x-{k}")
    first = desk.store.run(listing.page(4))
    assert [r.id for r in first.records] == ["x-9", "x-8", "x-7", "x-6"]
    desk.submit("x-new")
    second = desk.store.run(listing.page(4, first.before))
    assert [r.id for r in second.records] == ["x-5", "x-4", "x-3", "x-2"]
    third = desk.store.run(listing.page(4, second.before))
    assert ([r.id for r in third.records], third.before) == (["x-1", "x-0"], None)


def test_an_exact_page_ends_with_an_empty_one(desk: Desk) -> None:
    for k in range(3):
        desk.submit(f"x-{k}")
    page = desk.store.run(listing.page(3))
    assert len(page.records) == 3
    assert desk.store.run(listing.page(3, page.before)) == listing.Page((), None)


def test_filters_combine(desk: Desk) -> None:
    for k in range(30):
        desk.submit(f"x-{k}", "ann" if k % 2 else "bob", tags=("even",) if k % 2 == 0 else ("odd", "every"))
    for k in range(0, 30, 3):
        desk.cancel(f"x-{k}", force=True, user="root")
    desk.submit("x-3", "ann", tags=("odd",))

    def ids(**filters: object) -> list[str]:
        found, before = [], None
        while True:
            page = desk.store.run(listing.page(4, before, **filters))  # type: ignore[arg-type]
            found += [r.id for r in page.records]
            if page.before is None:
                return found
            before = page.before

    assert ids(status=Status.cancelled) == [f"x-{k}" for k in range(27, -1, -3) if k != 3]
    assert ids(owner="ann") == [f"x-{k}" for k in range(29, 0, -2)]
    assert ids(owner="ann", status=Status.queued) == [f"x-{k}" for k in range(29, 0, -2) if k % 3 or k == 3]
    assert ids(tag="odd", status=Status.queued) == [f"x-{k}" for k in range(29, 0, -2) if k % 3 or k == 3]
    assert ids(tag="none") == []


def test_sweep_counts(desk: Desk) -> None:
    desk.compute("x-0")
    requests = [JobRequest(f"x-{k}", {"k": k}) for k in range(6)]
    answers = desk.store.run(sweeps.submit("s-1", {"axes": []}, requests, Submitter("ann", name="n", tags=("t",))))
    assert [a.answer for a in answers] == ["known"] + ["queued"] * 5

    def counts() -> sweeps.SweepCounts:
        found = desk.store.run(sweeps.counts("s-1"))
        assert found is not None
        return found

    assert counts() == sweeps.SweepCounts(6, 1, 5, 0, 1, 0, 0, 0)
    assert counts().status is Status.queued
    claims = [desk.claim_one() for _ in range(4)]
    desk.finish(claims[0])
    desk.fail(claims[1])
    desk.cancel(claims[2].id)  # cancelling still runs
    assert counts() == sweeps.SweepCounts(6, 1, 1, 2, 2, 1, 0, 0)
    assert counts().status is Status.running
    desk.delete("x-5")
    desk.finish(claims[2])
    desk.finish(claims[3])
    assert counts() == sweeps.SweepCounts(6, 1, 0, 0, 4, 1, 0, 1)
    assert counts().status is Status.failed


def test_a_sweep_sent_again_goes_on_and_counts_what_it_found(desk: Desk) -> None:
    requests = [JobRequest(f"x-{k}", {"k": k}) for k in range(3)]
    desk.store.run(sweeps.submit("s-1", {"a": 1}, requests, Submitter("ann")))
    for _ in range(2):
        desk.finish(desk.claim_one())
    desk.store.run(sweeps.submit("s-1", {"a": 1}, requests, Submitter("ann")))
    counts = desk.store.run(sweeps.counts("s-1"))
    assert counts == sweeps.SweepCounts(3, 2, 1, 0, 2, 0, 0, 0)
    record = desk.store.run(sweeps.read("s-1"))
    assert record is not None
    assert (record.document, record.cells, record.owner) == ({"a": 1}, ("x-0", "x-1", "x-2"), "ann")
    assert desk.claim_one().attempt == 1


def test_sweep_pages(desk: Desk) -> None:
    for k in range(5):
        desk.store.run(sweeps.submit(f"s-{k}", {}, [JobRequest("x-1", {})], Submitter("ann")))
    desk.store.client.delete(keys.key("sweep", "s-3"))
    first = desk.store.run(sweep_listing.page(2))
    assert [s.id for s, _ in first.sweeps] == ["s-4", "s-2"]
    second = desk.store.run(sweep_listing.page(2, first.before))
    assert [s.id for s, _ in second.sweeps] == ["s-1", "s-0"]
    assert desk.store.run(sweep_listing.page(2, second.before)) == SweepPage((), None)
    assert desk.store.run(sweeps.counts("s-unknown")) is None
    assert desk.store.run(sweeps.read("s-unknown")) is None


def test_sweeps_are_found_by_labels_and_state(desk: Desk) -> None:
    for k in range(12):
        who = Submitter(("ann", "bob")[k % 2], name=f"n{k % 3}", tags=(f"t{k % 4}", "all"))
        desk.store.run(sweeps.submit(f"s-{k}", {}, [JobRequest(f"x-{k}-{c}", {}) for c in range(3)], who))
    for k in range(0, 12, 4):
        desk.cancel(f"x-{k}-0", force=True, user="root")
        desk.cancel(f"x-{k}-1", force=True, user="root")
        desk.cancel(f"x-{k}-2", force=True, user="root")
    desk.store.client.delete(keys.key("sweep", "s-7"))

    def ids(limit: int = 50, **filters: Any) -> tuple[list[str], int]:
        found, before, pages = [], None, 0
        while True:
            page = desk.store.run(sweep_listing.page(limit, before, **filters))
            assert len(page.sweeps) <= limit
            found += [record.id for record, _ in page.sweeps]
            before, pages = page.before, pages + 1
            if before is None:
                return found, pages

    for bound in ({}, {"scanned": 5}, {"scanned": 1}, {"limit": 1}, {"limit": 2, "scanned": 3}, {"counted": 1}):
        assert ids(owner="bob", **bound)[0] == ["s-11", "s-9", "s-5", "s-3", "s-1"]
        assert ids(tag="t2", **bound)[0] == ["s-10", "s-6", "s-2"]
        assert ids(name="n1", tag="all", **bound)[0] == ["s-10", "s-4", "s-1"]
        assert ids(status=Status.cancelled, **bound)[0] == ["s-8", "s-4", "s-0"]
        assert ids(status=Status.cancelled, name="n1", owner="ann", **bound)[0] == ["s-4"]
        assert ids(name="n", **bound)[0] == ids(tag="t", **bound)[0] == ids(owner="an", **bound)[0] == []
    assert ids(owner="eve", scanned=4)[1] == 3  # 11 sweeps are left
    assert ids(status=Status.failed, counted=6)[1] == 6  # two sweeps of three cells a page


def test_experiments_are_found_by_name(desk: Desk) -> None:
    for k in range(6):
        desk.store.run(jobs.submit(JobRequest(f"x-{k}", {}), Submitter("ann", name=("nightly", "night", None)[k % 3])))
    desk.store.run(jobs.submit(JobRequest("x-2", {}), Submitter("bob", name="nightly")))
    page = desk.store.run(listing.page(10, name="nightly"))
    assert [r.id for r in page.records] == ["x-3", "x-2", "x-0"]
    assert [r.id for r in desk.store.run(listing.page(10, name="nightly", owner="bob")).records] == ["x-2"]
    assert desk.store.run(listing.page(10, name="Nightly")).records == ()


def test_tokens(desk: Desk) -> None:
    first = desk.store.run(tokens.create_admin())
    assert first is not None
    assert desk.store.run(tokens.create_admin()) is None  # only at the first start
    who = desk.store.run(tokens.verify(first))
    assert who is not None
    assert (who.user, who.role) == ("admin", Role.admin)
    member = desk.store.run(tokens.create("ann", Role.member, "laptop"))
    assert {(t.user, t.role, t.label) for t in desk.store.run(tokens.listing())} == {
        ("admin", Role.admin, "first start"), ("ann", Role.member, "laptop"),
    }  # fmt: skip
    for wrong in ("", "initshape_", member[:-1], member + "x", tokens.digest(member)):
        assert desk.store.run(tokens.verify(wrong)) is None
    assert desk.store.run(tokens.revoke(tokens.digest(member)))
    assert desk.store.run(tokens.verify(member)) is None
    assert not desk.store.run(tokens.revoke(tokens.digest(member)))


def test_the_database_never_holds_a_token(desk: Desk) -> None:
    token = desk.store.run(tokens.create("ann", Role.member))
    client = desk.store.client
    for name in client.keys("*"):
        held = client.hgetall(name) if client.type(name) == b"hash" else {name: b""}
        if client.type(name) == b"set":
            held = dict.fromkeys(client.smembers(name), b"")
        assert token.encode() not in b" ".join([name, *held.keys(), *held.values()])


def test_idempotency_keys(desk: Desk) -> None:
    def remember(user: str, name: str, body: bytes) -> idempotency.Earlier | None:
        return desk.store.run(idempotency.remember(user, name, body, "x-1"))

    assert remember("ann", "k", b"body") is None
    assert remember("ann", "k", b"body") == idempotency.Earlier(same=True, id="x-1")
    assert remember("ann", "k", b"other") == idempotency.Earlier(same=False, id="x-1")
    assert remember("bob", "k", b"other") is None
    (place, _) = desk.store.client.keys("*idempotency:*")
    assert 0 < desk.store.client.ttl(place) <= keys.IDEMPOTENCY_SECONDS


@pytest.mark.parametrize("user", ["a:b", "1:x", "-3:y", "ü ", "*"])
def test_users_with_awkward_names(desk: Desk, user: str) -> None:
    desk.submit("x-1", user, priority=-3, tags=("t:u",))
    desk.submit("x-2", user)
    assert desk.read("x-1").position == 1
    assert [r.id for r in desk.store.run(listing.page(5, owner=user, tag="t:u")).records] == ["x-1"]
    assert [desk.claim_one().id for _ in range(2)] == ["x-2", "x-1"]
