"""One real server with one worker for the clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import shared_server

from initshape.client import Client, connect


@pytest.fixture(scope="session")
def data_dir(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data directory of the running server."""
    return shared_server(request.config, tmp_path_factory)


@pytest.fixture
def client(data_dir: Path) -> Iterator[Client]:
    """A client with the admin's token."""
    with connect(data_dir=data_dir, environment={}) as found:
        yield found
