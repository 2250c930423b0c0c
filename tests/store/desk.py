"""A clock that the test moves, and short names for what tests of the store do all the time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from initshape.spec.problem import JobError
from initshape.spec.status import Status
from initshape.store import Store, checkpoints, jobs, leases, results
from initshape.store.checkpoints import Checkpoint
from initshape.store.jobs import JobRequest, Stopped, Submitted, Submitter
from initshape.store.leases import Claim, Finish
from initshape.store.records import JobRecord

BROKEN = JobError(code="internal", detail="broke", advice="report it")


@dataclass
class Clock:
    """Milliseconds since the epoch, as the scripts see them."""

    now: int = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += round(seconds * 1000)


@dataclass
class Desk:
    """The store as a test uses it."""

    store: Store
    clock: Clock = field(default_factory=Clock)

    def submit(self, job_id: str, user: str = "ann", **request: Any) -> Submitted:
        who = {name: request.pop(name) for name in ("priority", "tags", "name") if name in request}
        asked = JobRequest(job_id, {"marker": job_id}, **request)
        return self.store.run(jobs.submit(asked, Submitter(user, **who)))

    def claim(self, worker: str = "w", queue: str = "cpu", limit: int = 1) -> list[Claim]:
        return self.store.run(leases.claim(worker, queue, limit))

    def claim_one(self, worker: str = "w") -> Claim:
        (claim,) = self.claim(worker)
        return claim

    def finish(self, claim: Claim, document: bytes = b"{}", known: bool = True) -> Finish:
        self.store.run(results.upload(claim.id, claim.fence, document, {"w": np.arange(3.0)}))
        return self.store.run(leases.finish(claim.id, claim.fence, "converged", known))

    def compute(self, job_id: str, document: bytes = b"{}") -> None:
        """Submits and finishes a job."""
        self.submit(job_id)
        claim = self.claim_one()
        assert claim.id == job_id
        assert self.finish(claim, document) is Finish.accepted

    def renew(self, claim: Claim, progress: dict[str, Any] | None = None) -> leases.Renewal:
        return self.store.run(leases.renew(claim.id, claim.fence, progress))

    def save(self, claim: Claim, data: bytes = b"state") -> Finish:
        checkpoint = Checkpoint(data, {"experiment": claim.id}, claim.attempt)
        return self.store.run(checkpoints.save(claim.id, claim.fence, checkpoint))

    def saved(self, job_id: str) -> Checkpoint | None:
        return self.store.run(checkpoints.read(job_id, {"experiment": job_id}))

    def fail(self, claim: Claim) -> Finish:
        return self.store.run(leases.fail(claim.id, claim.fence, BROKEN))

    def cancel(self, job_id: str, user: str = "ann", force: bool = False) -> Stopped:
        return self.store.run(jobs.cancel(job_id, user, force))

    def delete(self, job_id: str, user: str = "ann", force: bool = False) -> Stopped:
        return self.store.run(jobs.delete(job_id, user, force))

    def rerun(self, job_id: str, user: str = "ann") -> Submitted:
        return self.store.run(jobs.rerun(job_id, Submitter(user)))

    def reap(self, times: int = 1) -> int:
        """Reaps without a gap, so that no grace time begins; answers how many leases were taken."""
        return sum(self.store.run(leases.reap()).taken for _ in range(times))

    def wait_and_reap(self, seconds: float) -> int:
        """Lets time pass while a reaper is at work, as it always is."""
        taken = 0
        for _ in range(round(seconds / leases.REAP_SECONDS)):
            self.clock.pass_seconds(leases.REAP_SECONDS)
            taken += self.reap()
        return taken

    def read(self, job_id: str) -> JobRecord:
        record = self.store.run(jobs.read(job_id))
        assert record is not None
        return record

    def status(self, job_id: str) -> Status:
        return self.read(job_id).status
