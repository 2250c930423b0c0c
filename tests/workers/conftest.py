"""One worker for all tests of a module; every test leaves it alive and idle."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from initshape.store import Queue, Store, presence
from initshape.store.server import RedisServer
from tests.workers.factory import Factory, stop, until


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Factory]:
    """A worker that is up and warm."""
    folder = tmp_path_factory.mktemp("factory")
    with RedisServer(folder) as server:
        store = Store(server.settings)
        factory = Factory(server, store, folder)
        factory.process = factory.start_worker("first")
        try:
            until(lambda: store.run(presence.slots_alive(Queue.cpu)) == 1)
            factory.warm()
            yield factory
        finally:
            store.close()
            stop(factory.process)
