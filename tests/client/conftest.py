"""One real server with one worker for the clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import serving

from initshape.client import Client, connect


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Data directory of the running server."""
    path = tmp_path_factory.mktemp("client") / "data"
    with serving(path, "--workers", "1"):
        yield path


@pytest.fixture
def client(data_dir: Path) -> Iterator[Client]:
    """A client with the admin's token."""
    with connect(data_dir=data_dir, environment={}) as found:
        yield found
