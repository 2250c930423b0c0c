"""What is pinned outlives every lifetime, with all that it needs; what is let go of gets its lifetimes back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from initshape.store import jobs, keys, labels, leases, listing, results, sweep_listing, sweeps, uploads
from initshape.store.jobs import JobRequest, Submitter
from initshape.store.labels import Edited
from initshape.uploads import dataset_upload
from tests.store.desk import Desk

LARGE = {"dataset": {"kind": "explicit", "X": [0.5] * 20_000}}
FOR_EVER = -1


@pytest.fixture
def left(desk: Desk) -> Callable[..., int]:
    """Seconds that a key has left; -1 for ever, -2 gone."""

    def seconds(*family: str) -> int:
        return desk.store.client.ttl(keys.key(*family))

    return seconds


def put(desk: Desk) -> str:
    """Finishes the next job; answers the digest of its data set."""
    claim = desk.claim_one()
    arrays = {"X": np.ones((2, 2)), "w": np.ones(2)}
    desk.store.run(results.upload(claim.id, claim.fence, b"{}", arrays))
    desk.store.run(leases.finish(claim.id, claim.fence, "converged"))
    return str(desk.store.client.hget(keys.key("result", claim.id), "dataset").decode())


def submit(desk: Desk, job_id: str, user: str = "ann", document: object = LARGE) -> None:
    desk.store.run(jobs.submit(JobRequest(job_id, document), Submitter(user)))  # type: ignore[arg-type]


def pin(desk: Desk, job_id: str, user: str = "ann", on: bool = True, force: bool = False) -> Edited:
    return desk.store.run(labels.edit(job_id, user, {"pinned": on}, force))


def part(desk: Desk) -> str:
    (name,) = desk.store.client.keys(keys.key("part", "*"))
    return str(name.decode().rpartition(":")[2])


@pytest.mark.parametrize("early", [True, False])
def test_a_pinned_result_and_all_it_needs_stay(desk: Desk, left: Callable[..., int], early: bool) -> None:
    submit(desk, "x-1")
    if early:
        assert pin(desk, "x-1") is Edited.edited
        assert pin(desk, "x-1", on=False) is Edited.edited
        assert pin(desk, "x-1") is Edited.edited
    dataset = put(desk)
    if not early:
        assert left("result", "x-1") == keys.RESULT_SECONDS
        pin(desk, "x-1")
    places = (("result", "x-1"), ("job", "x-1"), ("submitters", "x-1"), ("attempts", "x-1"), ("dataset", dataset),
              ("part", part(desk)))  # fmt: skip
    assert {left(*place) for place in places} == {FOR_EVER}
    assert desk.read("x-1").pins == ("user:ann",)
    assert desk.read("x-1").pinned

    # reading it, sending it again, and a neighbour with the same data bring no lifetime back
    desk.store.run(results.read("x-1"))
    submit(desk, "x-1", "bob")
    submit(desk, "x-2")
    assert put(desk) == dataset
    desk.store.run(results.read("x-2"))
    assert {left(*place) for place in places} == {FOR_EVER}
    assert left("result", "x-2") == keys.RESULT_SECONDS

    pin(desk, "x-1", on=False)
    assert left("result", "x-1") == left("dataset", dataset) == keys.RESULT_SECONDS
    assert left("job", "x-1") == keys.RECORD_SECONDS
    assert left("part", part(desk)) == keys.PART_SECONDS
    assert not desk.read("x-1").pinned
    assert not desk.store.client.keys("*holders:*")


def test_a_result_stays_until_the_last_lets_go(desk: Desk, left: Callable[..., int]) -> None:
    submit(desk, "x-1")
    submit(desk, "x-1", "bob")
    put(desk)
    pin(desk, "x-1")
    pin(desk, "x-1", "bob")
    pin(desk, "x-1", on=False)
    assert left("result", "x-1") == FOR_EVER
    desk.delete("x-1", "bob")  # withdraws, and with it the pin
    assert left("result", "x-1") == keys.RESULT_SECONDS


def test_a_pinned_result_survives_its_rerun(desk: Desk, left: Callable[..., int]) -> None:
    submit(desk, "x-1")
    put(desk)
    pin(desk, "x-1")
    desk.rerun("x-1")
    dataset = put(desk)
    assert left("result", "x-1") == left("job", "x-1") == left("dataset", dataset) == FOR_EVER
    desk.delete("x-1")
    assert left("result", "x-1") == -2
    assert left("dataset", dataset) == keys.RESULT_SECONDS
    assert not desk.store.client.keys("*pins:*") + desk.store.client.keys("*holders:*")


def test_an_upload_stays_with_the_result_that_needs_it(desk: Desk, left: Callable[..., int]) -> None:
    given = dataset_upload({"X": np.eye(2), "y": np.ones(2)})
    desk.store.run(uploads.keep(given, "ann"))
    submit(desk, "x-1", document={"dataset": {"kind": "uploaded", "dataset_id": given.id}})
    pin(desk, "x-1")
    put(desk)
    desk.store.run(uploads.keep(given, "bob"))
    desk.store.run(uploads.read_many([given.id]))
    assert left("given", given.id) == left("uses", given.id) == FOR_EVER
    pin(desk, "x-1", on=False)
    assert left("given", given.id) == left("uses", given.id) == keys.PART_SECONDS


def test_only_submitters_pin_but_for_admins_by_force(desk: Desk) -> None:
    submit(desk, "x-1")
    assert pin(desk, "x-1", "bob") is Edited.foreign
    assert pin(desk, "x-2") is Edited.missing
    assert desk.store.run(labels.edit("x-1", "root", {"name": "mine"}, force=True)) is Edited.foreign
    assert pin(desk, "x-1", "root", force=True) is Edited.edited
    pin(desk, "x-1")
    assert desk.read("x-1").pins == ("user:ann", "user:root")
    assert pin(desk, "x-1", "root", on=False, force=True) is Edited.edited
    assert desk.read("x-1").pins == ()


def test_labels_and_their_indexes_follow(desk: Desk) -> None:
    desk.submit("x-1", "ann", name="first", tags=("a", "b"), priority=3)
    desk.submit("x-1", "bob", tags=("b",))

    def tagged(tag: str) -> list[str]:
        return [record.id for record in desk.store.run(listing.page(9, tag=tag)).records]

    assert desk.store.run(labels.edit("x-1", "ann", {"tags": ["c", "ü/\\"], "notes": 'a "note"'})) is Edited.edited
    (ann, bob) = sorted(desk.read("x-1").submitters, key=lambda one: one.user)
    assert ann == Submitter("ann", "first", ("c", "ü/\\"), 'a "note"', 3)
    assert bob == Submitter("bob", None, ("b",))
    assert (tagged("a"), tagged("b"), tagged("c")) == ([], ["x-1"], ["x-1"])
    assert desk.store.client.zscore(keys.key("tag", "a"), "x-1") is None
    desk.store.run(labels.edit("x-1", "bob", {"tags": []}))
    desk.store.run(labels.edit("x-1", "ann", {"name": None, "notes": None, "tags": []}))
    assert sorted(desk.read("x-1").submitters, key=lambda one: one.user)[0] == Submitter("ann", priority=3)
    assert tagged("b") == tagged("c") == []
    assert desk.read("x-1").position == 0  # the place in the line is untouched
    assert desk.claim_one().id == "x-1"


def test_a_kept_sweep_keeps_its_cells(desk: Desk, left: Callable[..., int]) -> None:
    requests = [JobRequest(f"x-{k}", {"k": k}) for k in range(3)]
    desk.store.run(sweeps.submit("s-1", {}, requests, Submitter("ann", name="n")))
    desk.store.run(sweeps.submit("s-2", {}, requests[:2], Submitter("ann")))
    put(desk)
    assert desk.store.run(labels.edit_sweep("s-1", "bob", {"kept": True})) is Edited.foreign
    assert desk.store.run(labels.edit_sweep("s-9", "ann", {"kept": True})) is Edited.missing
    desk.store.run(labels.edit_sweep("s-1", "ann", {"kept": True, "notes": "why", "tags": ["t"]}))
    desk.store.run(labels.edit_sweep("s-2", "ann", {"kept": True}))
    for _ in range(2):
        put(desk)
    record = desk.store.run(sweeps.read("s-1"))
    assert record is not None
    assert (record.kept, record.notes, record.tags, record.name) == (True, "why", ("t",), "n")
    assert left("sweep", "s-1") == FOR_EVER
    assert [left("result", f"x-{k}") for k in range(3)] == [FOR_EVER] * 3

    # a cell that was deleted and is computed again with the sweep is kept again
    desk.delete("x-2")
    desk.store.run(sweeps.submit("s-1", {}, requests, Submitter("ann", name="n")))
    put(desk)
    assert left("result", "x-2") == left("sweep", "s-1") == FOR_EVER

    desk.store.run(labels.edit_sweep("s-1", "ann", {"kept": False}))
    assert left("sweep", "s-1") == keys.SWEEP_SECONDS
    assert [left("result", f"x-{k}") for k in range(3)] == [FOR_EVER, FOR_EVER, keys.RESULT_SECONDS]


def test_a_deleted_sweep_leaves_what_others_want(desk: Desk, left: Callable[..., int]) -> None:
    requests = [JobRequest(f"x-{k}", {"k": k}) for k in range(4)]
    desk.store.run(sweeps.submit("s-1", {}, requests, Submitter("ann")))
    desk.store.run(sweeps.submit("s-2", {}, requests[:1], Submitter("ann")))
    desk.submit("x-1", "bob")
    pin(desk, "x-2")
    desk.store.run(labels.edit_sweep("s-1", "ann", {"kept": True}))
    desk.store.run(labels.edit_sweep("s-2", "ann", {"kept": True}))
    assert desk.store.run(labels.delete_sweep("s-1", "bob")) is Edited.foreign
    assert desk.store.run(labels.delete_sweep("s-1", "ann")) is Edited.edited
    assert desk.store.run(labels.delete_sweep("s-1", "ann")) is Edited.missing
    assert [record.id for record, _ in desk.store.run(sweep_listing.page(9)).sweeps] == ["s-2"]
    assert [desk.store.run(jobs.read(f"x-{k}")) is not None for k in range(4)] == [True, True, True, False]


def test_prune_gets_past_what_lives_for_ever(desk: Desk) -> None:
    for k in range(7):
        desk.submit(f"x-{k}")
    desk.store.client.delete(keys.key("job", "x-4"), keys.key("job", "x-6"))
    gone = 0
    for _ in range(8):
        gone += desk.store.run(leases.prune(2))
        desk.clock.pass_seconds(0.5)
    assert gone == 2


def test_a_cancelled_rerun_takes_the_pin_of_who_wanted_it_along(desk: Desk, left: Callable[..., int]) -> None:
    """Nobody wants the job any more, so nobody keeps its earlier result for ever."""
    submit(desk, "x-1")
    put(desk)
    pin(desk, "x-1")
    desk.rerun("x-1")
    desk.cancel("x-1")
    assert not desk.read("x-1").pinned
    assert left("result", "x-1") == keys.RESULT_SECONDS
