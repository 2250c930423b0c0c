"""A result and its finish in one round trip: still all or nothing, by the fence, and never without its data set."""

from __future__ import annotations

import numpy as np
import pytest

from initshape.spec.status import Status
from initshape.store import ResultTooLargeError, leases, results
from initshape.store.keys import key
from initshape.store.leases import Finish
from initshape.store.publish import publish
from tests.store.desk import Desk

X = np.arange(12.0).reshape(3, 4)
ARRAYS = {"X": X, "y": np.arange(3.0), "w_flow": np.linspace(0.0, 1.0, 4)}


def datasets(desk: Desk) -> list[bytes]:
    return desk.store.client.keys(key("dataset", "*"))


def rounds(desk: Desk, name: str, arrays: dict[str, np.ndarray] = ARRAYS) -> tuple[Finish, int]:
    """Claims, publishes, and counts the round trips."""
    desk.submit(name)
    claim = desk.claim_one()
    count = 0

    def counted():  # type: ignore[no-untyped-def]
        nonlocal count
        operation = publish(claim.id, claim.fence, b"{}", arrays, "converged")
        replies = None
        while True:
            try:
                commands = operation.send(replies)
            except StopIteration as end:
                return end.value.end
            count += 1
            replies = yield commands

    return desk.store.run(counted()), count


LARGE = {**ARRAYS, "X": np.arange(12_000.0).reshape(300, 40)}


def test_the_first_result_of_a_small_data_set_takes_one_round_trip(desk: Desk) -> None:
    assert rounds(desk, "x-1") == (Finish.accepted, 1)
    (place,) = datasets(desk)
    assert desk.store.client.hget(place, "complete") == b"1"
    assert desk.store.client.ttl(place) > 0
    stored = desk.store.run(results.read_arrays("x-1"))
    assert stored is not None
    np.testing.assert_array_equal(stored["X"], X)


def test_the_second_result_of_a_large_data_set_takes_one_round_trip(desk: Desk) -> None:
    end, count = rounds(desk, "x-1", LARGE)
    assert end is Finish.accepted
    assert count > 1
    assert rounds(desk, "x-2", LARGE) == (Finish.accepted, 1)
    assert len(datasets(desk)) == 1
    for name in ("x-1", "x-2"):
        assert desk.status(name) is Status.succeeded
        stored = desk.store.run(results.read_arrays(name))
        assert stored is not None
        for array in LARGE:
            np.testing.assert_array_equal(stored[array], LARGE[array])


def test_without_a_data_set_it_takes_one_from_the_start(desk: Desk) -> None:
    assert rounds(desk, "x-1", {"w": np.ones(3)}) == (Finish.accepted, 1)


@pytest.mark.parametrize("arrays", [ARRAYS, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("incomplete", [False, True])
def test_a_data_set_that_is_gone_is_stored_again(desk: Desk, incomplete: bool, arrays: dict[str, np.ndarray]) -> None:
    rounds(desk, "x-1", arrays)
    (place,) = datasets(desk)
    if incomplete:
        desk.store.client.hdel(place, "complete")
    else:
        desk.store.client.delete(place)
    assert rounds(desk, "x-2", arrays)[0] is Finish.accepted
    stored = desk.store.run(results.read_arrays("x-2"))
    assert stored is not None
    np.testing.assert_array_equal(stored["X"], arrays["X"])


def test_the_fence_decides(desk: Desk) -> None:
    desk.submit("x-1")
    zombie = desk.claim_one()
    desk.wait_and_reap(6)
    fresh = desk.claim_one()
    assert desk.store.run(publish("x-1", zombie.fence, b"zombie", ARRAYS, "converged")).end is Finish.stale
    assert not desk.read("x-1").has_result
    assert desk.store.run(publish("x-1", fresh.fence, b"fresh", ARRAYS, "converged")).end is Finish.accepted
    stored = desk.store.run(results.read("x-1"))
    assert stored is not None
    assert stored.document == b"fresh"
    assert not desk.store.client.keys(key("upload", "*"))


@pytest.mark.parametrize("lose", [False, True])
def test_the_next_job_begins_in_the_same_round_trip(desk: Desk, lose: bool) -> None:
    for k in range(8):
        desk.submit(f"x-{k}", batch="one")
    first, second, *_ = desk.claim(limit=4)
    if lose:
        desk.store.run(leases.hand_over(second.id, second.fence))
    following = leases.beginning(second.id, second.fence, rest=2)
    done = desk.store.run(publish(first.id, first.fence, b"{}", ARRAYS, "converged", following=following))
    assert done.end is Finish.accepted
    assert done.turn is not None
    assert done.turn.held is not lose
    assert desk.status(second.id) is (Status.queued if lose else Status.running)
    assert desk.read(second.id).progress is None


def test_the_entity_tag_is_that_of_an_upload(desk: Desk) -> None:
    rounds(desk, "x-1")
    desk.submit("x-2")
    claim = desk.claim_one()
    etag = desk.store.run(results.upload(claim.id, claim.fence, b"{}", ARRAYS))
    stored = desk.store.run(results.read("x-1"))
    assert stored is not None
    assert stored.etag == etag


def test_a_changed_array_is_never_taken_for_the_old_one(desk: Desk) -> None:
    """Bytes are remembered for read-only arrays, which nobody can change, and for no others."""
    array = np.zeros(3)
    rounds(desk, "x-1", {"w": array})
    array[:] = 1.0
    rounds(desk, "x-2", {"w": array})
    frozen = np.full(3, 2.0)
    frozen.setflags(write=False)
    for name in ("x-3", "x-4"):
        rounds(desk, name, {"w": frozen})
    expected = {"x-1": 0.0, "x-2": 1.0, "x-3": 2.0, "x-4": 2.0}
    for name, value in expected.items():
        stored = desk.store.run(results.read_arrays(name))
        assert stored is not None
        np.testing.assert_array_equal(stored["w"], np.full(3, value))


def test_the_cap_holds(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results.pack, "__defaults__", (results.SHARED, 100))
    with pytest.raises(ResultTooLargeError):
        rounds(desk, "x-1")
