"""A frozen, dead, loading or full Redis: every call answers within the promised time, and says what is the matter."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator

import pytest

from initshape.store import AsyncStore, Store, StoreFullError, StoreSettings, StoreUnavailableError, jobs
from initshape.store.jobs import JobRequest, Submitter
from initshape.store.server import RedisServer

ANN = Submitter("ann")
ALLOWED = 2.0
"""Seconds within which a submission must be answered with 503."""


@pytest.fixture
def frozen(own_server: RedisServer) -> Iterator[RedisServer]:
    """A server that accepts connections and answers nothing."""
    os.kill(own_server.pid, signal.SIGSTOP)
    yield own_server
    os.kill(own_server.pid, signal.SIGCONT)


@pytest.mark.parametrize("warm", [True, False])
def test_frozen_for_threads(own_server: RedisServer, warm: bool) -> None:
    store = Store(own_server.settings)
    if warm:  # a connection is open already
        store.run(jobs.submit(JobRequest("x-1", {}), ANN))
    os.kill(own_server.pid, signal.SIGSTOP)
    try:
        began = time.perf_counter()
        with pytest.raises(StoreUnavailableError):
            store.run(jobs.submit(JobRequest("x-2", {}), ANN))
        assert time.perf_counter() - began < ALLOWED
    finally:
        os.kill(own_server.pid, signal.SIGCONT)
    assert store.run(jobs.submit(JobRequest("x-2", {}), ANN)).status == "queued"
    store.close()


def test_frozen_for_asyncio_under_load_blocks_nobody_else(frozen: RedisServer) -> None:
    """More callers than connections; all are answered in time, and the loop stays free."""

    async def scenario() -> None:
        store = AsyncStore(frozen.settings)
        gaps: list[float] = []

        async def watch() -> None:
            last = time.perf_counter()
            while True:
                await asyncio.sleep(0.01)
                now = time.perf_counter()
                gaps.append(now - last)
                last = now

        async def submit(k: int) -> float:
            began = time.perf_counter()
            with pytest.raises(StoreUnavailableError):
                await store.run(jobs.submit(JobRequest(f"x-{k}", {}), ANN))
            return time.perf_counter() - began

        watcher = asyncio.create_task(watch())
        times = await asyncio.gather(*(submit(k) for k in range(120)))
        watcher.cancel()
        assert max(times) < ALLOWED + 0.2
        assert max(gaps) < 1.0
        os.kill(frozen.pid, signal.SIGCONT)
        answer = await store.run(jobs.submit(JobRequest("x-new", {}), ANN))
        assert answer.status == "queued"
        await store.aclose()

    asyncio.run(scenario())


def test_nobody_listens(own_server: RedisServer) -> None:
    store = Store(own_server.settings)
    store.run(jobs.submit(JobRequest("x-1", {}), ANN))
    own_server.close()
    began = time.perf_counter()
    with pytest.raises(StoreUnavailableError):
        store.run(jobs.read("x-1"))
    assert time.perf_counter() - began < ALLOWED
    store.close()


def test_a_restarted_server_knows_the_scripts_again(own_server: RedisServer) -> None:
    store = Store(own_server.settings)
    store.run(jobs.submit(JobRequest("x-1", {}), ANN))
    store.client.script_flush()
    assert store.run(jobs.submit(JobRequest("x-1", {}), ANN)).answer == "joined"
    many = store.run(jobs.submit_many([JobRequest(f"x-{k}", {}) for k in range(2500)], ANN))
    assert sum(m.answer == "joined" for m in many) == 1
    store.client.script_flush()
    assert len(store.run(jobs.cancel_many([f"x-{k}" for k in range(2500)], "ann"))) == 2500
    store.close()


def test_a_wrong_password_is_an_outage_not_a_crash(own_server: RedisServer) -> None:
    store = Store(StoreSettings(own_server.settings.url, "wrong"))
    with pytest.raises(StoreUnavailableError):
        store.run(jobs.read("x-1"))
    store.close()


def test_a_full_server_says_so_and_keeps_what_it_has(own_server: RedisServer) -> None:
    store = Store(own_server.settings)
    store.run(jobs.submit(JobRequest("x-1", {}), ANN))
    store.client.config_set("maxmemory", 1)
    with pytest.raises(StoreFullError):
        store.run(jobs.submit(JobRequest("x-2", {}), ANN))
    assert store.run(jobs.read("x-2")) is None
    assert store.run(jobs.read("x-1")) is not None
    store.client.config_set("maxmemory", 0)
    store.run(jobs.submit(JobRequest("x-2", {}), ANN))
    store.close()


def test_settings_hide_the_password() -> None:
    settings = StoreSettings("redis://127.0.0.1:1/0", "se/cr:et@")
    assert "se/cr" not in repr(settings)
    assert settings.broker_url == "redis://:se%2Fcr%3Aet%40@127.0.0.1:1/0"
    given = {"INITSHAPE_REDIS_URL": "redis://h:2/1", "INITSHAPE_REDIS_PASSWORD": "p"}
    assert StoreSettings.from_environment(given) == StoreSettings("redis://h:2/1", "p")
