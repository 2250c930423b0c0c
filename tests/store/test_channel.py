"""The shared connection: replies reach who asked, whatever the others do, and a lost one is made again."""

from __future__ import annotations

import asyncio

import pytest

from initshape.store import AsyncStore, StoreSettings, StoreUnavailableError, jobs
from initshape.store.jobs import JobRequest, Submitter
from initshape.store.operation import Operation
from initshape.store.server import RedisServer


def echo(text: str, times: int = 1) -> Operation[list[bytes]]:
    return (yield [("ECHO", text)] * times)


def test_each_caller_gets_its_own_replies(settings: StoreSettings) -> None:
    async def scenario() -> None:
        store = AsyncStore(settings)
        long = "x" * 300_000
        asked = [(f"{k}" if k % 7 else long, 1 + k % 5) for k in range(300)]
        tasks = [asyncio.create_task(store.run(echo(*each))) for each in asked]
        await asyncio.sleep(0)
        for task in tasks[::11]:
            task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        for k, ((text, times), replies) in enumerate(zip(asked, found, strict=True)):
            assert isinstance(replies, asyncio.CancelledError) if k % 11 == 0 else replies == [text.encode()] * times
        assert await store.run(echo("after")) == [b"after"]
        await store.aclose()

    asyncio.run(scenario())


def test_a_round_of_nothing_waits_for_nothing(settings: StoreSettings) -> None:
    async def scenario() -> None:
        store = AsyncStore(settings)
        assert await store.run(echo("a", 0)) == []
        assert await store.run(echo("b")) == [b"b"]
        await store.aclose()

    asyncio.run(scenario())


def test_a_cut_connection_is_made_again(settings: StoreSettings) -> None:
    async def scenario() -> None:
        store = AsyncStore(settings)
        await store.run(echo("a"))
        for _ in range(3):
            await store.client.client_kill_filter(_type="normal", skipme=True)
            assert await store.run(echo("b")) == [b"b"]
        await store.aclose()

    asyncio.run(scenario())


def test_a_restarted_server_is_found_again(own_server: RedisServer) -> None:
    async def scenario() -> None:
        store = AsyncStore(own_server.settings)
        await store.client.script_flush()
        submitted = await store.run(jobs.submit(JobRequest("x-1", {}), Submitter("ann")))
        assert submitted.answer == "queued"
        own_server.close()
        with pytest.raises(StoreUnavailableError):
            await store.run(echo("a"))
        await store.aclose()

    asyncio.run(scenario())


def test_a_wrong_password_is_an_outage(own_server: RedisServer) -> None:
    async def scenario() -> None:
        store = AsyncStore(StoreSettings(own_server.settings.url, "wrong"))
        with pytest.raises(StoreUnavailableError):
            await store.run(echo("a"))
        await store.aclose()

    asyncio.run(scenario())
