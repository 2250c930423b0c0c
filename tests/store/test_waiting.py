"""Waiting for an end wakes at once, many waiters share one subscription, and an outage ends no wait for good."""

from __future__ import annotations

import asyncio
import os
import signal
import time

from initshape.spec.status import Status
from initshape.store import AsyncStore, Store, StoreSettings, jobs, leases
from initshape.store.events import Events, Followed, follow, wait_until
from initshape.store.records import JobRecord
from initshape.store.server import RedisServer
from tests.store.desk import Desk


def over(record: JobRecord | None) -> bool:
    return record is not None and record.status.terminal


async def wait(store: AsyncStore, events: Events, job_id: str, seconds: float) -> JobRecord | None:
    return await wait_until(store, events, [job_id], lambda: jobs.read(job_id), over, seconds)


def test_a_waiter_wakes_when_the_job_ends(desk: Desk, settings: StoreSettings) -> None:
    desk.submit("x-1")
    claim = desk.claim_one()

    async def scenario() -> float:
        store = AsyncStore(settings)
        async with Events(settings) as events:
            waiting = [asyncio.create_task(wait(store, events, "x-1", 10)) for _ in range(20)]
            await asyncio.sleep(0.3)
            assert not any(task.done() for task in waiting)
            await asyncio.to_thread(desk.finish, claim)
            ended = time.perf_counter()
            records = await asyncio.gather(*waiting)
            assert {r.status for r in records if r} == {Status.succeeded}
            late = time.perf_counter() - ended
            clients = await asyncio.to_thread(desk.store.client.client_list, "pubsub")
            assert len(clients) == 1
        await store.aclose()
        return late

    assert asyncio.run(scenario()) < 1.0


def test_a_wait_is_over_in_time(desk: Desk, settings: StoreSettings) -> None:
    desk.submit("x-1")

    async def scenario() -> None:
        store = AsyncStore(settings)
        async with Events(settings) as events:
            began = time.perf_counter()
            record = await wait(store, events, "x-1", 0.4)
            assert 0.4 <= time.perf_counter() - began < 2.0
            assert record is not None
            assert record.status is Status.queued
        await store.aclose()

    asyncio.run(scenario())


def test_progress_arrives_in_order_and_can_be_resumed(desk: Desk) -> None:
    desk.submit("x-1")
    claim = desk.claim_one()
    for k in range(3):
        desk.renew(claim, {"fraction": k / 4})
    desk.finish(claim)
    events = desk.store.run(follow("x-1")).entries
    assert [(entry.kind, entry.data.get("status", entry.data.get("fraction"))) for entry in events] == [
        ("status", "running"), ("progress", 0.0), ("progress", 0.25), ("progress", 0.5), ("status", "succeeded"),
    ]  # fmt: skip
    rest = desk.store.run(follow("x-1", after=events[2].id))
    assert (rest.entries, rest.first) == (events[3:], events[0].id)
    assert rest.record is not None
    assert rest.record.status is Status.succeeded


def test_an_attempt_that_ends_without_a_result_leaves_a_line_in_the_log(desk: Desk) -> None:
    desk.submit("x-1")
    desk.store.run(leases.hand_over("x-1", desk.claim_one().fence))
    logged = [entry.data for entry in desk.store.run(follow("x-1")).entries if entry.kind == "log"]
    assert [(line["message"], line["how"], line["attempt"]) for line in logged] == [
        ("attempt 1 ended without a result: handed over", "handed_over", 1)
    ]
    assert desk.store.run(follow("x-2")) == Followed(None, (), None)


def test_waiters_survive_a_frozen_server(own_server: RedisServer) -> None:
    """The subscription is cut meanwhile; on its return everybody looks again."""
    store = Store(own_server.settings)
    desk = Desk(store)
    desk.store = store
    desk.submit("x-1")
    claim = desk.claim_one()

    async def scenario() -> None:
        reader = AsyncStore(own_server.settings)
        async with Events(own_server.settings) as events:
            async with events.listen(["x-1"]) as changed:
                await asyncio.sleep(0.2)
                changed.clear()
                await asyncio.to_thread(store.client.client_kill_filter, _type="pubsub")
                await asyncio.wait_for(changed.wait(), 5)  # woken because something may have been missed
            os.kill(own_server.pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(0.5)
            finally:
                os.kill(own_server.pid, signal.SIGCONT)
            waiting = asyncio.create_task(wait(reader, events, "x-1", 10))
            await asyncio.sleep(0.1)
            await asyncio.to_thread(store.run, leases.fail("x-1", claim.fence, leases.LOST))
            record = await waiting
            assert record is not None
            assert record.status is Status.failed
        await reader.aclose()

    asyncio.run(scenario())
    store.close()
