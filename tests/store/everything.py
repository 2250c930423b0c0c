"""A small database with a bit of everything: jobs in every state, results, a sweep, an upload, tokens.

This is what the committed data set of a format holds. To make that of a new format: fill an empty server, and write
`dump` of it, with what stands beside it, to `tests/store/formats/<number>.json`.
"""

from __future__ import annotations

import numpy as np

from initshape.spec.problem import JobError
from initshape.store import Store, idempotency, jobs, leases, results, sweeps, tokens, uploads
from initshape.store.jobs import JobRequest, Submitter
from initshape.store.leases import Claim
from initshape.store.tokens import Role
from initshape.uploads import dataset_upload

ANN = Submitter("ann", name="a name", tags=("paper",), notes="Umlaute: äöü", priority=2)
BOB = Submitter("bob")
ARRAYS = {"X": np.arange(6.0).reshape(2, 3), "y": np.array([1.0, -1.0]), "w_flow": np.linspace(0.0, 1.0, 3)}
DOCUMENT = b'{"outcome":"converged","value":0.1}'


def name(letter: str) -> str:
    """A valid id."""
    return "x-" + letter * 26


SUCCEEDED, FAILED, CANCELLED, RUNNING, CANCELLING, QUEUED, CELL = map(name, "abcdefg")
SWEEP = "s-" + "a" * 26


def fill(store: Store) -> str:
    """Answers an admin's token, which works."""
    token = store.run(tokens.create("ann", Role.admin, "of the data set"))
    store.run(tokens.create("bob", Role.reader))
    given = dataset_upload({"X": np.eye(2), "y": np.ones(2)})
    store.run(uploads.keep(given, "ann"))
    named = {"dataset": {"kind": "uploaded", "dataset_id": given.id}}
    large = {"dataset": {"kind": "explicit", "X": [[0.5, 0.25]] * 2000}}

    _submit(store, SUCCEEDED, named)
    claim = _claim(store)
    store.run(leases.renew(claim.id, claim.fence, {"stage": "flow", "fraction": 0.5}))
    store.run(results.upload(claim.id, claim.fence, DOCUMENT, ARRAYS))
    store.run(leases.finish(claim.id, claim.fence, "converged"))

    _submit(store, FAILED)
    claim = _claim(store)
    store.run(leases.hand_over(claim.id, claim.fence))
    claim = _claim(store)
    store.run(leases.fail(claim.id, claim.fence, JobError(code="internal", detail="It broke.", advice="Report it.")))

    _submit(store, CANCELLED)
    store.run(jobs.cancel(CANCELLED, "ann"))
    _submit(store, RUNNING)
    _claim(store)
    _submit(store, CANCELLING)
    _claim(store)
    store.run(jobs.cancel(CANCELLING, "ann"))
    _submit(store, QUEUED, large)
    store.run(jobs.submit(JobRequest(QUEUED, large, batch="b", seconds=0.5), BOB))
    cells = [JobRequest(SUCCEEDED, named), JobRequest(CELL, {"model": {"kind": "diagonal"}})]
    store.run(sweeps.submit(SWEEP, {"sweep": {"base": {}}}, cells, ANN))
    store.run(idempotency.remember("ann", "a key", b"a body", QUEUED))
    return token


def _submit(store: Store, job_id: str, document: dict[str, object] | None = None) -> None:
    request = JobRequest(job_id, document or {"model": {"kind": "diagonal"}}, batch="b", seconds=0.5)
    store.run(jobs.submit(request, ANN))


def _claim(store: Store) -> Claim:
    (claim,) = store.run(leases.claim("machine:1/2", "cpu"))
    return claim
