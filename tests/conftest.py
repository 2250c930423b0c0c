"""What all tests share: one real server for the session, emptied for every test that asks for it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from initshape.store import Store, StoreSettings
from initshape.store.server import RedisServer


def pytest_configure() -> None:
    """A run that is told to end (by `timeout`, by CI) still stops the processes that it has started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The embedded server, as a process of its own."""
    with RedisServer(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that the test may freeze, kill or restart."""
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def settings(redis_server: RedisServer) -> StoreSettings:
    """Address of the session's server, emptied."""
    store = Store(redis_server.settings)
    store.client.flushall()
    store.close()
    return redis_server.settings


@pytest.fixture
def store(settings: StoreSettings) -> Iterator[Store]:
    """A driver on an empty server."""
    store = Store(settings)
    yield store
    store.close()
