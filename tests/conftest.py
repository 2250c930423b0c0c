"""What all tests share: one real server for the session, emptied for every test that asks for it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # the numerics are tested on machines that have no Redis client
    from initshape.store import Store, StoreSettings
    from initshape.store.server import RedisServer


try:
    import pytest_timeout  # noqa: F401
except ImportError:  # the numerics are tested with pytest, hypothesis and mpmath alone: nothing bounds a test there

    def pytest_addoption(parser: pytest.Parser) -> None:
        """The setting of the plugin that is not there."""
        parser.addini("timeout", "seconds that a test may take, where pytest-timeout is installed")


def pytest_configure(config: pytest.Config) -> None:
    """A run that is told to end (by `timeout`, by CI) still stops the processes that it has started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config.addinivalue_line("markers", "timeout(seconds, method): bound of one test (pytest-timeout)")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The embedded server, as a process of its own."""
    from initshape.store.server import RedisServer

    with RedisServer(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that the test may freeze, kill or restart."""
    from initshape.store.server import RedisServer

    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def settings(redis_server: RedisServer) -> StoreSettings:
    """Address of the session's server, emptied."""
    from initshape.store import Store

    store = Store(redis_server.settings)
    store.client.flushall()
    store.close()
    return redis_server.settings


@pytest.fixture
def store(settings: StoreSettings) -> Iterator[Store]:
    """A driver on an empty server."""
    from initshape.store import Store

    store = Store(settings)
    yield store
    store.close()
