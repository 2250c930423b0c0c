"""Who is served next: FIFO within a user, fair between users, priorities first; the announced place is the true one."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest

from initshape.store import jobs, leases
from initshape.store.jobs import JobRequest, Submitter
from tests.store.desk import Desk


def order(desk: Desk, count: int | None = None) -> list[str]:
    """Ids in the order in which they are claimed."""
    ids: list[str] = []
    while count is None or len(ids) < count:
        claims = desk.claim()
        if not claims:
            break
        ids.append(claims[0].id)
    return ids


def test_fifo_for_one_user(desk: Desk) -> None:
    ids = [f"x-{k}" for k in range(20)]
    for name in reversed(ids):  # names sort the other way round
        desk.submit(name)
    assert order(desk) == list(reversed(ids))


def test_a_user_with_many_jobs_delays_another_by_at_most_one(desk: Desk) -> None:
    for k in range(300):
        desk.submit(f"x-a{k}", "ann")
    order(desk, 100)
    desk.submit("x-b", "bob")
    assert "x-b" in order(desk, 2)


@pytest.mark.parametrize("workers", [1, 4])
def test_ten_thousand_jobs_delay_another_by_one_job_a_worker(desk: Desk, workers: int) -> None:
    """In batches as in single claims, at one priority; a higher one comes before all of them."""
    for start in range(0, 10_000, 1000):
        requests = [JobRequest(f"x-a{k}", {}, batch="one") for k in range(start, start + 1000)]
        desk.store.run(jobs.submit_many(requests, Submitter("ann")))
    running = [desk.claim(f"w{k}", limit=8) for k in range(workers)]
    assert all(claims for claims in running)
    desk.submit("x-b", "bob")
    served = [[claim.id for claim in desk.claim(f"w{k}", limit=8)] for k in range(workers)]
    assert all(len(claimed) == 1 for claimed in served[: served.index(["x-b"])])  # nobody begins a batch before it
    assert ["x-b"] in served[:2]
    assert desk.store.run(leases.begin(running[0][0].id, running[0][0].fence)).held
    desk.submit("x-b2", "bob", priority=1)
    assert order(desk, 1) == ["x-b2"]


def test_users_alternate(desk: Desk) -> None:
    for user in ("ann", "bob", "cem"):
        for k in range(4):
            desk.submit(f"x-{user}-{k}", user)
    served = [name.split("-")[1] for name in order(desk)]
    for k in range(0, 12, 3):
        assert sorted(served[k : k + 3]) == ["ann", "bob", "cem"]


def test_absence_saves_nothing_up(desk: Desk) -> None:
    desk.submit("x-early", "bob")
    order(desk)
    for k in range(100):
        desk.submit(f"x-a{k}", "ann")
    order(desk, 50)
    for k in range(10):
        desk.submit(f"x-b{k}", "bob")
    served = [name[2] for name in order(desk, 12)]
    assert 5 <= served.count("b") <= 7


def test_leaving_and_coming_back_is_no_short_cut(desk: Desk) -> None:
    """A user who always has one job waiting gets as much as one who has many waiting, not more."""
    for k in range(100):
        desk.submit(f"x-a{k}", "ann")
    served: list[str] = []
    for k in range(40):
        if not served or served[-1].startswith("x-b"):
            desk.submit(f"x-b{k}", "bob")
        served += order(desk, 1)
    assert 18 <= sum(name.startswith("x-b") for name in served) <= 22


def test_priority_comes_first(desk: Desk) -> None:
    for k, priority in enumerate([0, -10, 10, 3, -1, 3]):
        desk.submit(f"x-{k}", f"user{k % 2}", priority=priority)
    assert order(desk) == ["x-2", "x-3", "x-5", "x-0", "x-4", "x-1"]


def test_a_second_submission_may_change_the_priority(desk: Desk) -> None:
    desk.submit("x-1")
    desk.submit("x-2")
    desk.submit("x-2", priority=5)
    assert order(desk) == ["x-2", "x-1"]


def test_a_second_submission_may_lower_the_priority(desk: Desk) -> None:
    """It leaves the line in which it waited: in both of them, it would still be served first."""
    desk.submit("x-1", "bob", priority=1)
    desk.submit("x-2", priority=5)
    desk.submit("x-2", priority=0)
    assert order(desk) == ["x-1", "x-2"]


def test_a_joined_job_waits_in_both_lines_and_runs_once(desk: Desk) -> None:
    for k in range(10):
        desk.submit(f"x-{k}", "ann")
    desk.submit("x-9", "bob")
    served = order(desk)
    assert "x-9" in served[:2]
    assert sorted(served) == [f"x-{k}" for k in range(10)]


@pytest.mark.parametrize("seed", range(6))
def test_the_announced_position_is_the_true_one(desk: Desk, seed: int) -> None:
    """Brute force: claim everything and compare."""
    rng = random.Random(seed)
    names: list[str] = []
    for k in range(40):
        name = f"x-{k}"
        desk.submit(name, rng.choice(["ann", "bob", "cem", "dia"]), priority=rng.choice([0, 0, 0, 1]))
        names.append(name)
        if rng.random() < 0.3:
            order(desk, 1)
    announced = {name: desk.read(name).position for name in names}
    for place, name in enumerate(order(desk)):
        assert announced[name] == place


def test_a_batch_is_charged_in_full(desk: Desk) -> None:
    for user in ("ann", "bob"):
        for k in range(30):
            desk.submit(f"x-{user}{k}", user, batch="one")
    share: dict[str, int] = defaultdict(int)
    for limit in [4, 1, 1, 1, 1, 4, 1, 1, 1, 1]:
        for claim in desk.claim(limit=limit):
            share[claim.id[2:5]] += 1
    assert abs(share["ann"] - share["bob"]) <= 4


def test_order_survives_a_lost_worker(desk: Desk) -> None:
    for k in range(4):
        desk.submit(f"x-{k}")
    order(desk, 2)
    desk.wait_and_reap(leases.LEASE_SECONDS + 1)
    assert order(desk) == ["x-0", "x-1", "x-2", "x-3"]
