"""True races, from threads with connections of their own."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from initshape.spec.status import Status
from initshape.store import Store, StoreSettings, jobs, leases, results
from initshape.store.jobs import Answer, JobRequest, Submitter
from initshape.store.leases import Finish

ANN = Submitter("ann")


def test_fifty_equal_submissions_make_one_job(store: Store) -> None:
    def submit(k: int) -> Answer:
        return store.run(jobs.submit(JobRequest("x-1", {}), Submitter(f"user{k}"))).answer

    with ThreadPoolExecutor(10) as pool:
        answers = Counter(pool.map(submit, range(50)))
    assert answers == {Answer.queued: 1, Answer.joined: 49}
    assert len(store.run(leases.claim("w", "cpu"))) == 1
    assert store.run(leases.claim("w", "cpu")) == []


def test_no_job_is_claimed_twice(settings: StoreSettings, store: Store) -> None:
    ids = [f"x-{k}" for k in range(200)]
    store.run(jobs.submit_many([JobRequest(name, {}) for name in ids], ANN))

    def drain(worker: str) -> list[leases.Claim]:
        own = Store(settings)
        mine: list[leases.Claim] = []
        while claims := own.run(leases.claim(worker, "cpu")):
            mine += claims
        own.close()
        return mine

    with ThreadPoolExecutor(4) as pool:
        claims = [claim for share in pool.map(drain, ["w1", "w2", "w3", "w4"]) for claim in share]
    assert sorted(claim.id for claim in claims) == sorted(ids)
    assert len({claim.fence for claim in claims}) == len(ids)


@pytest.mark.parametrize("other", ["cancel", "reap", "second finish"])
def test_finish_racing_something_else_has_one_end(store: Store, other: str) -> None:
    seen: Counter[str] = Counter()
    for k in range(60):
        name = f"x-{k}"
        store.run(jobs.submit(JobRequest(name, {}), ANN))
        # an expired lease is what the reaper looks for
        (claim,) = store.run(leases.claim("w", "cpu", lease_seconds=-1.0 if other == "reap" else 5.0))
        store.run(results.upload(name, claim.fence, b"{}", {"w": np.ones(1)}))

        def finish(claim: leases.Claim = claim) -> Finish:
            return store.run(leases.finish(claim.id, claim.fence, "converged"))

        def interfere(claim: leases.Claim = claim) -> object:
            if other == "cancel":
                store.run(jobs.cancel(claim.id, "ann"))
                return store.run(leases.stopped(claim.id, claim.fence))
            if other == "reap":
                return store.run(leases.reap())
            return store.run(leases.finish(claim.id, claim.fence, "converged"))

        with ThreadPoolExecutor(2) as pool:
            first, second = pool.submit(finish), pool.submit(interfere)
            ended = first.result()
            second.result()
        record = store.run(jobs.read(name))
        assert record is not None
        seen[record.status] += 1
        hows = [attempt.how for attempt in record.attempts]
        if ended is Finish.accepted:
            assert record.status is Status.succeeded
            assert hows == ["finished"]
            assert record.has_result
        else:
            assert record.status in {Status.cancelled, Status.queued}
            assert hows == ["stopped" if other == "cancel" else "lost"]
            assert not record.has_result
            store.run(jobs.delete(name, "ann"))
    assert sum(seen.values()) == 60
