"""Uploads are kept once, whoever sends them, and go when nobody wants them and no job needs them."""

from __future__ import annotations

import dataclasses

import numpy as np

from initshape.store import arrays, jobs, keys, uploads
from initshape.store.jobs import JobRequest, Submitter
from initshape.store.uploads import Kept, TakenBack
from initshape.uploads import dataset_upload, init_upload
from tests.store.desk import Desk

DATA = dataset_upload({"X": np.arange(6.0).reshape(2, 3), "y": np.array([1.0, -2.0])})
INIT = init_upload({"a": np.float64(2.0), "w": np.ones(3)})


def submit(desk: Desk, job_id: str) -> None:
    request = JobRequest(job_id, {"dataset": {"kind": "uploaded", "dataset_id": DATA.id}, "init": {"init_id": INIT.id}})
    desk.store.run(jobs.submit(request, Submitter("ann")))


def test_what_is_kept_is_read_back(desk: Desk) -> None:
    for upload in (DATA, INIT):
        assert desk.store.run(uploads.keep(upload, "ann")) is Kept.created
        found = desk.store.run(uploads.read_many([upload.id, "d-unknown"]))
        assert list(found) == [upload.id]
        given = found[upload.id]
        assert (given.owner, given.created.timestamp() * 1000) == ("ann", desk.clock.now)
        whole = desk.store.run(uploads.read_arrays(upload.id))
        assert whole is not None
        for one in (given.upload, whole):
            assert dataclasses.replace(one, arrays=None).facts == upload.facts
            assert one.labels == upload.labels
        assert whole.arrays is not None
        assert upload.arrays is not None
        for name, array in upload.arrays.items():
            np.testing.assert_array_equal(whole.arrays[name], array)
    assert desk.store.run(uploads.read_arrays("d-unknown")) is None


def test_large_content_lies_in_chunks(desk: Desk) -> None:
    large = dataset_upload({"X": np.random.default_rng(1).normal(size=(1, 1_200_000 // 2)), "y": np.ones(1)})
    assert desk.store.run(uploads.keep(large, "ann")) is Kept.created
    values = desk.store.client.hgetall(keys.key("given", large.id))
    assert len([name for name in values if name.startswith(b"a:X:")]) == 2
    assert max(len(value) for value in values.values()) == arrays.CHUNK_BYTES
    whole = desk.store.run(uploads.read_arrays(large.id))
    assert whole is not None
    assert whole.arrays is not None
    assert large.arrays is not None
    np.testing.assert_array_equal(whole.arrays["X"], large.arrays["X"])
    assert not desk.store.client.keys(keys.key("upload", "*"))


def test_equal_content_is_kept_once_and_until_the_last_has_taken_it_back(desk: Desk) -> None:
    assert desk.store.run(uploads.keep(DATA, "ann")) is Kept.created
    assert desk.store.run(uploads.keep(DATA, "ben")) is Kept.known
    assert desk.store.run(uploads.keep(DATA, "ann")) is Kept.known
    assert desk.store.run(uploads.take_back(DATA.id, "eve")) == (TakenBack.foreign, "")
    assert desk.store.run(uploads.take_back(DATA.id, "ann")) == (TakenBack.withdrawn, "")
    assert desk.store.run(uploads.take_back(DATA.id, "ann")) == (TakenBack.foreign, "")
    assert desk.store.run(uploads.take_back(DATA.id, "ben")) == (TakenBack.deleted, "")
    assert desk.store.run(uploads.take_back(DATA.id, "ben")) == (TakenBack.missing, "")
    assert desk.store.run(uploads.keep(DATA, "ann")) is Kept.created
    assert desk.store.run(uploads.take_back(DATA.id, "eve", force=True)) == (TakenBack.deleted, "")


def test_what_a_job_needs_is_not_deleted_under_it(desk: Desk) -> None:
    for upload in (DATA, INIT):
        desk.store.run(uploads.keep(upload, "ann"))
    submit(desk, "x-1")
    assert desk.store.run(uploads.take_back(DATA.id, "ann")) == (TakenBack.busy, "x-1")
    claim = desk.claim_one()
    assert desk.store.run(uploads.take_back(INIT.id, "ann", force=True)) == (TakenBack.busy, "x-1")
    desk.finish(claim)
    assert desk.store.run(uploads.take_back(DATA.id, "ann")) == (TakenBack.deleted, "")
    desk.store.run(jobs.rerun("x-1", Submitter("ann")))
    assert desk.store.run(uploads.take_back(INIT.id, "ann")) == (TakenBack.busy, "x-1")
    desk.store.run(jobs.delete("x-1", "ann"))
    assert desk.store.run(uploads.take_back(INIT.id, "ann")) == (TakenBack.deleted, "")
    assert desk.store.client.ttl(keys.key("uses", DATA.id)) > 0  # the rerun named it: nothing stays for ever


def test_uploads_outlive_the_experiments_that_name_them(desk: Desk) -> None:
    """Every use and every read begins the lifetime anew; it is longer than that of a record."""
    client = desk.store.client
    desk.store.run(uploads.keep(DATA, "ann"))
    given, uses = keys.key("given", DATA.id), keys.key("uses", DATA.id)
    submit(desk, "x-1")
    desk.finish(desk.claim_one())

    def age() -> None:
        for name in (given, uses):
            client.expire(name, 100)

    def renewed() -> bool:
        return all(client.ttl(name) > keys.RECORD_SECONDS for name in (given, uses))

    for use in (uploads.read_many([DATA.id]), uploads.read_arrays(DATA.id), uploads.keep(DATA, "ann"),
                jobs.rerun("x-1", Submitter("ann"))):  # fmt: skip
        age()
        desk.store.run(use)
        assert renewed()
    desk.finish(desk.claim_one())
    age()
    client.expire(keys.key("result", "x-1"), keys.RESULT_SECONDS // 2)
    desk.store.run(jobs.touch(["x-1"]))
    assert renewed()
