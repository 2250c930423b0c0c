"""Data of older releases are brought up, data of newer ones are left alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from initshape.spec.status import Status
from initshape.store import Store, StoreFormatError, condition, jobs, leases, results, sweeps, tallies, tokens, uploads
from initshape.store import format as store_format
from initshape.store.jobs import JobRequest, Submitter
from initshape.store.keys import FORMAT, FORMAT_NUMBER
from tests.store.everything import (
    ARRAYS,
    CANCELLED,
    CANCELLING,
    CELL,
    DOCUMENT,
    FAILED,
    QUEUED,
    RUNNING,
    SUCCEEDED,
    SWEEP,
    fill,
)
from tests.store.keyspace import Dump, dump, load

FOLDER = Path(__file__).parent / "formats"


def old(number: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{number}.json").read_text())
    return found


def test_every_older_format_is_kept() -> None:
    assert sorted(int(path.stem) for path in FOLDER.iterdir()) == list(range(1, FORMAT_NUMBER))


def test_an_empty_database_gets_the_number(store: Store) -> None:
    assert store.run(store_format.opening()) == 0
    assert store.client.get(FORMAT) == str(FORMAT_NUMBER).encode()
    assert store.run(store_format.opening()) == FORMAT_NUMBER


@pytest.mark.parametrize("number", range(1, FORMAT_NUMBER))
def test_old_data_are_whole_and_go_on(store: Store, number: int) -> None:
    data = old(number)
    load(store.client, data["keys"])
    assert store.run(store_format.opening()) == number
    assert _without_new(dump(store.client)) == _without_new(data["keys"])
    assert store.run(store_format.opening()) == FORMAT_NUMBER

    records = {job_id: store.run(jobs.read(job_id)) for job_id in (SUCCEEDED, FAILED, CANCELLED, RUNNING, CANCELLING,
                                                                   QUEUED, CELL)}  # fmt: skip
    statuses = ["succeeded", "failed", "cancelled", "running", "cancelling", "queued", "queued"]
    assert [record and record.status for record in records.values()] == list(map(Status, statuses))
    assert [attempt.how for attempt in records[FAILED].attempts] == ["handed_over", "failed"]  # type: ignore[union-attr]
    found = store.run(results.read(SUCCEEDED))
    assert found is not None
    assert found.document == DOCUMENT
    arrays = store.run(results.read_arrays(SUCCEEDED))
    assert arrays is not None
    assert all(np.array_equal(arrays[name], value) for name, value in ARRAYS.items())
    assert store.run(jobs.submit(JobRequest(SUCCEEDED, {}), Submitter("bob"))).answer == "known"
    assert (record := store.run(sweeps.read(SWEEP))) is not None
    assert record.cells == (SUCCEEDED, CELL)
    assert (who := store.run(tokens.verify(data["token"]))) is not None
    assert (who.user, who.role) == ("ann", "admin")
    given = json.loads(data["keys"]["{initshape}:job:" + SUCCEEDED]["value"]["document"])["dataset"]["dataset_id"]
    assert store.run(uploads.read_many([given]))

    # the past is counted once, and everything that waited or ran comes to an end
    counters = store.run(tallies.read()).counters
    assert {name: counters[name] for name in ("attempt finished", "attempt failed", "outcome converged")} == {
        "attempt finished": 1, "attempt failed": 1, "outcome converged": 1,
    }  # fmt: skip
    clock = int(store.client.time()[0]) * 1000 + 60_000
    later = Store(store.settings, lambda: clock)
    for _ in range(14):  # a reaper at work: the grace time passes, then the leases of a year ago are taken
        clock += 500
        later.run(leases.reap())
    ended = []
    while claims := later.run(leases.claim("w", "cpu")):
        later.run(results.upload(claims[0].id, claims[0].fence, b"{}", {}))
        assert later.run(leases.finish(claims[0].id, claims[0].fence, "converged")) == "accepted"
        ended.append(claims[0].id)
    later.close()
    assert sorted(ended) == sorted([RUNNING, QUEUED, CELL])


def _without_new(found: Dump) -> dict[str, Any]:
    """What may not change: all but the marker and the counters, which are new, and the seconds left."""
    return {name: entry["value"] for name, entry in found.items() if name.split(":")[1] not in ("format", "tallies")}


def test_an_upgrade_that_was_interrupted_is_done_again(store: Store) -> None:
    """The first one has read and not yet written when the second one does all of it."""
    load(store.client, old(1)["keys"])
    slow, steps = store_format.opening(), []
    commands = next(slow)
    while not any(getattr(command, "name", "") == "upgrade" for command in commands):
        steps.append(commands)
        with store.client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            commands = slow.send(pipeline.execute())
    assert len(steps) > 2
    store.run(store_format.opening())
    (answer,) = store._replies(commands)
    assert answer == 0
    assert store.run(tallies.read()).counters["attempt finished"] == 1


def test_newer_data_are_left_alone(store: Store) -> None:
    fill(store)
    store.client.set(FORMAT, FORMAT_NUMBER + 1)
    before = dump(store.client)
    for refused in (
        store_format.opening(),
        jobs.submit(JobRequest("x-new", {}), Submitter("ann")),
        leases.claim("w", "cpu"),
        leases.reap(),
        jobs.cancel(RUNNING, "ann"),
    ):
        with pytest.raises(StoreFormatError, match=f"format {FORMAT_NUMBER + 1}; this release knows {FORMAT_NUMBER}"):
            store.run(refused)
    after = dump(store.client)
    assert {name: entry["value"] for name, entry in after.items()} == {n: e["value"] for n, e in before.items()}
    assert "format" in " ".join(store.run(condition.read()).problems)


def test_condition(store: Store) -> None:
    assert store.run(condition.read()).problems == []
