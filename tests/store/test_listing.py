"""Lists by fields: found through pages that each look at a bounded number of jobs."""

from __future__ import annotations

from typing import Any

from initshape.spec.status import Status
from initshape.store import jobs, listing
from initshape.store.jobs import JobRequest, Submitter
from initshape.store.operation import Operation, Round
from tests.store.desk import Desk


def fill(desk: Desk, count: int) -> None:
    """Jobs x-0, x-1, ...; shape k % 4, tag `even` for every other."""
    wanted = [
        (
            JobRequest(f"x-{k}", {"init": {"shape": k % 4 / 4, "scale": 1.0}, "model": {"kind": "diagonal"}}),
            Submitter("ann", tags=("even",) if k % 2 == 0 else ()),
        )
        for k in range(count)
    ]
    desk.store.run(jobs.submit_each(wanted))


def ids(desk: Desk, limit: int, scanned: int, between: Any = None, **filters: Any) -> tuple[list[str], int]:
    """All that is found, page after page, and how many pages it took."""
    found: list[str] = []
    before, pages = None, 0
    while True:
        page = desk.store.run(listing.page(limit, before, scanned=scanned, **filters))
        assert len(page.records) <= limit
        found += [record.id for record in page.records]
        before, pages = page.before, pages + 1
        if before is None:
            return found, pages
        if between:
            between(pages)


def test_fields_are_found_page_by_page(desk: Desk) -> None:
    fill(desk, 40)
    wanted = [f"x-{k}" for k in range(39, -1, -1) if k % 4 == 2]
    for limit, scanned in ((3, 1000), (50, 7), (1, 1), (50, 1000)):
        assert ids(desk, limit, scanned, fields={"init.shape": 0.5, "model.kind": "diagonal"})[0] == wanted
    assert ids(desk, 50, 10, fields={"init.shape": 0.9}) == ([], 5)


def test_filters_combine_with_the_other_conditions(desk: Desk) -> None:
    fill(desk, 40)
    for k in range(20):
        desk.cancel(f"x-{k}")
    even = [f"x-{k}" for k in range(38, 19, -2) if k % 4 == 0]
    assert ids(desk, 2, 6, fields={"init.shape": 0}, tag="even", status=Status.queued)[0] == even
    assert ids(desk, 2, 6, fields={"init.shape": 0.25}, tag="even")[0] == []
    assert ids(desk, 9, 3, owner="ann", status=Status.cancelled)[0] == [f"x-{k}" for k in range(19, -1, -1)]


def test_pages_are_stable_while_jobs_come_and_go(desk: Desk) -> None:
    fill(desk, 40)

    def disturb(page: int) -> None:
        desk.store.run(jobs.submit(JobRequest(f"x-new-{page}", {"init": {"shape": 0.5}}), Submitter("bob")))
        desk.delete(f"x-{2 * page + 1}")

    found, _ = ids(desk, 2, 5, disturb, fields={"init.shape": 0.5})
    assert found == [f"x-{k}" for k in range(39, -1, -1) if k % 4 == 2]


def test_a_page_costs_the_same_however_much_is_stored(desk: Desk) -> None:
    def commands(count: int, **filters: Any) -> int:
        sent = 0

        def counted(operation: Operation[Any]) -> Any:
            nonlocal sent
            replies: Any = None
            try:
                while True:
                    commands: Round = operation.send(replies)
                    sent += len(commands)
                    replies = desk.store._replies(commands)
            except StopIteration:
                return None

        fill(desk, count)
        counted(listing.page(5, scanned=50, **filters))
        return sent

    nothing = {"fields": {"init.shape": 0.9}}
    assert commands(60, **nothing) == commands(600, **nothing) == 51
    assert commands(60) == commands(600) == 16
    # the shortest index is the one that is read: no job has failed
    assert commands(60, tag="even", status=Status.failed) == commands(600, tag="even", status=Status.failed) == 3


def test_large_sections_are_filtered_by_too(desk: Desk) -> None:
    large = {"dataset": {"kind": "explicit", "X": [[0.5] * 20_000], "y": [1.0]}}
    desk.store.run(jobs.submit(JobRequest("x-1", large), Submitter("ann")))
    assert ids(desk, 5, 5, fields={"dataset.kind": "explicit"})[0] == ["x-1"]
    assert desk.store.run(jobs.document("x-1")) == large
