"""A real worker computes with uploaded data what it computes with the same numbers inline."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from initshape.spec.identity import experiment_id, resolved
from initshape.spec.parse import parse_submission
from initshape.spec.status import Status
from initshape.spec.uploaded import Upload
from initshape.store import jobs, results, uploads
from initshape.store.jobs import JobRequest, Submitter
from initshape.uploads import dataset_upload, init_upload
from tests.sameness import assert_same_arrays, assert_same_document
from tests.workers.factory import Factory

X = np.random.default_rng(5).normal(size=(4, 9))
W = np.arange(9.0)
DATA = dataset_upload({"X": X, "y": X @ W, "X_test": X + 1.0, "y_test": (X + 1.0) @ W, "w_true": W})
INIT = init_upload({name: np.linspace(0.1, 0.2, 9) for name in ("u_plus", "v_plus", "u_minus", "v_minus")})


def request(*given: Upload, **parts: Any) -> JobRequest:
    document = {
        "dataset": {"kind": "uploaded", "dataset_id": DATA.id},
        "model": {"kind": "diagonal"},
        "init": {"kind": "uploaded", "init_id": INIT.id},
        "regularizers": ["implicit", "l2"],
    } | parts  # fmt: skip
    known = {upload.id: upload for upload in given}
    experiment = parse_submission({"experiment": document}, known).experiment
    return JobRequest(experiment_id(experiment), resolved(experiment), max_seconds=600.0)


def inline(upload: Upload) -> dict[str, Any]:
    assert upload.arrays is not None
    return {"kind": "explicit", **{name: array.tolist() for name, array in upload.arrays.items()}}


def outcome(factory: Factory, asked: JobRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    """The result document without what names the job, and the arrays."""
    record = factory.ended(factory.submit(asked))
    assert record.status is Status.succeeded, record.error
    stored, arrays = factory.store.run(results.read(asked.id)), factory.store.run(results.read_arrays(asked.id))
    assert stored is not None
    assert arrays is not None
    document = json.loads(stored.document)
    assert document.pop("id") == asked.id
    return document, arrays


def test_uploaded_numbers_are_computed_with_like_inline_ones(factory: Factory) -> None:
    for upload in (DATA, INIT):
        factory.store.run(uploads.keep(upload, "ann"))
    ours = outcome(factory, request(DATA, INIT))
    theirs = outcome(factory, request(dataset=inline(DATA), init=inline(INIT)))
    assert ours[0]["outcome"] == "converged"
    assert ours[0]["flow"]["test_error"] is not None
    assert_same_document(ours[0], theirs[0])
    assert_same_arrays(ours[1], theirs[1])


def test_jobs_of_one_batch_share_an_upload(factory: Factory) -> None:
    factory.store.run(uploads.keep(DATA, "ann"))
    asked = [
        request(DATA, init={"kind": "scale_shape", "scale": scale, "shape": 0.5}, flow={"kind": "none"})
        for scale in (0.01, 0.02, 0.03, 0.04)
    ]
    factory.store.run(jobs.submit_many(asked, Submitter("ann")))
    assert all(factory.ended(one.id).status is Status.succeeded for one in asked)


def test_a_job_whose_upload_is_gone_says_what_to_do(factory: Factory) -> None:
    """Deleted between the answer of the API and the claim: never an endless retry, and sending it again mends it."""
    lost = dataset_upload({"X": X, "y": X @ W + 1.0})
    dataset = {"kind": "uploaded", "dataset_id": lost.id}
    scale = {"kind": "scale_shape", "scale": 0.01, "shape": 0.5}
    asked = request(lost, dataset=dataset, init=scale, flow={"kind": "none"})
    record = factory.ended(factory.submit(asked))
    assert record.status is Status.failed
    assert record.error is not None
    assert record.error.code == "upload_gone"
    assert lost.id in record.error.detail
    assert "Upload the same content again" in (record.error.advice or "")
    factory.store.run(uploads.keep(lost, "ann"))
    factory.store.run(jobs.rerun(asked.id, Submitter("ann")))
    assert factory.ended(asked.id).status is Status.succeeded
