"""When jobs are expected to end: by hand on a clock that the test moves, and null where nobody can know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from initshape.store import Queue, leases, presence
from initshape.store.forecast import expected_end
from initshape.store.keys import PACE_SECONDS, key
from tests.store.desk import Desk


def left(desk: Desk, job_id: str) -> float | None:
    """Seconds from now to the expected end."""
    end = expected_end(desk.read(job_id))
    now = datetime.fromtimestamp(desk.clock.now / 1000, UTC)
    return None if end is None else (end - now) / timedelta(seconds=1)


def workers(desk: Desk, slots: int) -> None:
    """So many processes that stay for as long as the test lasts."""
    far = {f"w/{k}": desk.clock.now + 10**9 for k in range(slots)}
    desk.store.client.zadd(key("workers", "cpu"), far)


def took(desk: Desk, job_id: str, seconds: float, batch: str = "shape") -> None:
    desk.submit(job_id, batch=batch)
    claim = desk.claim_one()
    assert claim.id == job_id
    desk.clock.pass_seconds(seconds)
    desk.finish(claim)


def test_nothing_is_known_at_first(desk: Desk) -> None:
    desk.submit("x-1", batch="shape")
    assert left(desk, "x-1") is None
    workers(desk, 1)
    assert left(desk, "x-1") is None
    desk.claim_one()
    assert left(desk, "x-1") is None


def test_a_free_worker_takes_it_at_once(desk: Desk) -> None:
    took(desk, "x-0", 8.0)
    desk.submit("x-1", batch="shape")
    assert left(desk, "x-1") is None, "no worker is there"
    workers(desk, 1)
    assert left(desk, "x-1") == pytest.approx(8.0)
    desk.submit("x-2", batch="another shape")
    assert left(desk, "x-2") is None, "nothing like it has been computed"


def test_the_queue_before_it(desk: Desk) -> None:
    """Two workers, two that run (half of 8 s each), one ahead: (1 + 1) * 8 / 2 s, then 8 s of its own."""
    took(desk, "x-0", 8.0)
    workers(desk, 2)
    for k in range(1, 5):
        desk.submit(f"x-{k}", batch="shape")
    desk.claim_one()
    desk.claim_one()
    assert left(desk, "x-3") == pytest.approx(4.0 + 8.0)
    assert left(desk, "x-4") == pytest.approx(8.0 + 8.0)


def test_a_running_job(desk: Desk) -> None:
    took(desk, "x-0", 8.0)
    desk.submit("x-1", batch="shape")
    claim = desk.claim_one()
    desk.clock.pass_seconds(2.0)
    assert left(desk, "x-1") == pytest.approx(6.0)
    desk.renew(claim, {"fraction": 0.1})
    assert left(desk, "x-1") == pytest.approx(18.0), "its own pace tells more"
    desk.clock.pass_seconds(19.0)
    assert left(desk, "x-1") is None, "later than expected: nobody knows"
    desk.cancel("x-1")
    assert left(desk, "x-1") is None
    desk.store.run(leases.stopped("x-1", claim.fence))
    assert left(desk, "x-1") is None


def test_a_job_that_failed_has_no_end_to_come(desk: Desk) -> None:
    desk.submit("x-1")
    claim = desk.claim_one()
    desk.clock.pass_seconds(1.0)
    desk.renew(claim, {"fraction": 0.5})
    desk.fail(claim)
    assert left(desk, "x-1") is None


def test_one_that_waits_in_a_batch(desk: Desk) -> None:
    took(desk, "x-0", 8.0)
    workers(desk, 1)
    for k in range(1, 7):
        desk.submit(f"x-{k}", batch="shape", seconds=0.1)
    first, second, *_ = desk.claim(limit=8)
    assert left(desk, first.id) == pytest.approx(8.0)
    assert left(desk, second.id) is None, "its turn in the batch has not come"


def test_recent_durations_count_most_and_are_forgotten(desk: Desk) -> None:
    took(desk, "x-0", 8.0)
    took(desk, "x-1", 4.0)
    desk.submit("x-2", batch="shape")
    workers(desk, 1)
    assert left(desk, "x-2") == pytest.approx(7.0)
    for place in (key("pace", "cpu", ""), key("pace", "cpu", "shape")):
        assert 0 < desk.store.client.ttl(place) <= PACE_SECONDS


def test_a_withdrawn_worker_is_no_ground(desk: Desk) -> None:
    took(desk, "x-0", 8.0)
    desk.submit("x-1", batch="shape")
    desk.store.run(presence.announce("w", Queue.cpu, 1, {}))
    desk.store.run(presence.withdraw("w", Queue.cpu, 1))
    assert left(desk, "x-1") is None
