"""Results in chunks, shared data sets, consistency under a rerun, lifetimes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from initshape.store import ResultTooLargeError, jobs, keys, leases, listing, results
from initshape.store.arrays import CHUNK_BYTES, from_npy, to_npy
from initshape.store.leases import Claim, Finish
from tests.store.desk import Desk


def put(desk: Desk, claim: Claim, arrays: dict[str, Any], document: bytes = b"{}") -> str:
    etag = desk.store.run(results.upload(claim.id, claim.fence, document, arrays))
    assert desk.store.run(leases.finish(claim.id, claim.fence, "converged")) is Finish.accepted
    return etag


def claimed(desk: Desk, job_id: str = "x-1") -> Claim:
    desk.submit(job_id)
    return desk.claim_one()


ARRAYS = {
    "float": np.linspace(0.0, 1.0, 7),
    "matrix": np.arange(6, dtype=np.int64).reshape(2, 3),
    "transposed": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "empty": np.zeros((0, 3)),
    "scalar": np.array(2.5),
    "special": np.array([np.inf, -0.0, 5e-324]),
}


def test_arrays_come_back_to_the_bit(desk: Desk) -> None:
    put(desk, claimed(desk), ARRAYS)
    found = desk.store.run(results.read_arrays("x-1"))
    assert found is not None
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array, strict=True)
        assert found[name].tobytes() == array.tobytes()


def test_one_array_alone(desk: Desk) -> None:
    put(desk, claimed(desk), ARRAYS)
    assert list(desk.store.run(results.read_arrays("x-1", ["matrix", "unknown"])) or {}) == ["matrix"]
    stored = desk.store.run(results.read("x-1"))
    assert stored is not None
    assert (stored.manifest["matrix"].shape, stored.manifest["matrix"].dtype) == ((2, 3), "int64")


@pytest.mark.parametrize("size", [CHUNK_BYTES - 128, CHUNK_BYTES - 127, 3 * CHUNK_BYTES + 1])
def test_chunks_at_their_borders(desk: Desk, size: int) -> None:
    array = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    put(desk, claimed(desk), {"a": array})
    chunks = [desk.store.client.hstrlen(keys.key("result", "x-1"), f"a:a:{k}") for k in range(5)]
    assert max(chunks) <= CHUNK_BYTES
    assert sum(chunks) == size + 128  # the npy header
    found = desk.store.run(results.read_arrays("x-1"))
    assert found is not None
    np.testing.assert_array_equal(found["a"], array)


def test_the_cap(desk: Desk) -> None:
    claim = claimed(desk)
    with pytest.raises(ResultTooLargeError) as error:
        desk.store.run(results.upload(claim.id, claim.fence, b"{}", {"w": np.zeros(1000)}, limit=8000))
    assert error.value.limit == 8000
    assert error.value.size == 8000 + 128 + 2
    assert not desk.store.client.keys("*upload:*")


def test_python_objects_are_refused(desk: Desk) -> None:
    with pytest.raises(ValueError, match="objects"):
        to_npy(np.array([{}]))
    with pytest.raises(ValueError, match="allow_pickle"):
        from_npy(
            b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
        )


def test_a_data_set_is_stored_once_for_all_its_results(desk: Desk) -> None:
    X = np.random.default_rng(0).normal(size=(100, 200))
    for k in range(5):
        put(desk, claimed(desk, f"x-{k}"), {"X": X, "y": X[:, 0], "w_flow": np.full(200, float(k))})
    assert len(desk.store.client.keys("*dataset:*")) == 1
    for k in range(5):
        assert desk.store.client.memory_usage(keys.key("result", f"x-{k}")) < 10_000
        found = desk.store.run(results.read_arrays(f"x-{k}"))
        assert found is not None
        np.testing.assert_array_equal(found["X"], X)
        np.testing.assert_array_equal(found["w_flow"], np.full(200, float(k)))


def test_another_data_set_has_another_place(desk: Desk) -> None:
    for k in range(2):
        put(desk, claimed(desk, f"x-{k}"), {"X": np.full((2, 2), float(k))})
    assert len(desk.store.client.keys("*dataset:*")) == 2


def test_the_entity_tag_is_that_of_the_content(desk: Desk) -> None:
    tags = [
        put(desk, claimed(desk, f"x-{k}"), arrays, document)
        for k, (arrays, document) in enumerate([
            ({"a": np.zeros(2), "b": np.ones(2)}, b"{}"),
            ({"b": np.ones(2), "a": np.zeros(2)}, b"{}"),
            ({"a": np.zeros(2), "b": np.ones(2)}, b"{ }"),
            ({"b": np.zeros(2), "a": np.ones(2)}, b"{}"),
        ])
    ]  # fmt: skip
    assert tags[0] == tags[1]
    assert len(set(tags)) == 3


def test_a_reader_never_sees_two_attempts_mixed(desk: Desk) -> None:
    """A rerun finishes between the rounds of a reader: the reader starts again and has one attempt's arrays."""
    put(desk, claimed(desk), {"a": np.zeros(3), "b": np.zeros(3)})
    reader = results.read_npy("x-1")
    commands = next(reader)
    replaced = False
    try:
        while True:
            commands = reader.send(desk.store._replies(commands))
            if not replaced:
                desk.rerun("x-1")
                put(desk, desk.claim_one(), {"a": np.ones(3), "b": np.ones(3)})
                replaced = True
    except StopIteration as end:
        data = end.value
    assert replaced
    assert {name: float(from_npy(value)[0]) for name, value in data.items()} == {"a": 1.0, "b": 1.0}


def test_lifetimes(desk: Desk) -> None:
    def left(*family: str) -> int:
        return desk.store.client.ttl(keys.key(*family))

    claim = claimed(desk)
    assert left("job", "x-1") == -1
    desk.store.run(results.upload(claim.id, claim.fence, b"{}", {"X": np.ones((2, 2)), "w": np.ones(2)}))
    assert left("upload", "x-1", str(claim.fence)) == keys.UPLOAD_SECONDS
    desk.store.run(leases.finish(claim.id, claim.fence, "converged"))
    dataset = desk.store.client.keys("*dataset:*")[0].decode().rpartition(":")[2]
    assert left("result", "x-1") == keys.RESULT_SECONDS == 90 * 86_400
    assert left("dataset", dataset) == keys.RESULT_SECONDS
    assert left("job", "x-1") == left("submitters", "x-1") == keys.RESULT_SECONDS + 30 * 86_400

    # long unread: the next read prolongs the result, the record and the data set
    for family in (("result", "x-1"), ("job", "x-1"), ("dataset", dataset)):
        desk.store.client.expire(keys.key(*family), 100)
    assert desk.store.run(results.read_arrays("x-1")) is not None
    assert left("result", "x-1") == left("dataset", dataset) == keys.RESULT_SECONDS
    assert left("job", "x-1") == keys.RECORD_SECONDS


def test_reading_seldom_writes(desk: Desk) -> None:
    put(desk, claimed(desk), {"w": np.ones(2)})
    before = desk.store.client.info("persistence")["aof_current_size"]
    for _ in range(10):
        desk.store.run(results.read_arrays("x-1"))
    assert desk.store.client.info("persistence")["aof_current_size"] == before


def test_reading_the_old_result_does_not_let_a_running_job_expire(desk: Desk) -> None:
    put(desk, claimed(desk), {"w": np.ones(2)})
    desk.rerun("x-1")
    desk.claim_one()
    desk.store.client.expire(keys.key("result", "x-1"), 100)
    desk.store.run(results.read("x-1"))
    assert desk.store.client.ttl(keys.key("result", "x-1")) == keys.RESULT_SECONDS
    assert desk.store.client.ttl(keys.key("job", "x-1")) == -1


def test_an_expired_result_is_gone_but_not_forgotten_and_is_computed_again(desk: Desk) -> None:
    desk.compute("x-1")
    desk.store.client.delete(keys.key("result", "x-1"))  # as its expiry does
    assert desk.read("x-1").expired
    assert desk.store.run(results.read("x-1")) is None
    assert desk.submit("x-1").answer is jobs.Answer.queued
    assert not desk.read("x-1").expired


def test_expired_records_leave_the_indexes(desk: Desk) -> None:
    for k in range(5):
        desk.submit(f"x-{k}")
        desk.cancel(f"x-{k}")
    desk.store.client.delete(keys.key("job", "x-1"), keys.key("job", "x-3"))
    assert [r.id for r in desk.store.run(listing.page(10, owner="ann")).records] == ["x-4", "x-2", "x-0"]
    assert desk.store.run(leases.prune()) == 2
    assert desk.store.client.zcard(keys.INDEX) == 3
    assert desk.store.client.zcard(keys.key("status", "cancelled")) == 3
