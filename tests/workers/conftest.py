"""One worker for all tests of a module; every test leaves it alive and idle."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.workers.factory import Factory, at_work


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Factory]:
    """A worker that is up and warm."""
    with at_work(tmp_path_factory.mktemp("factory")) as factory:
        yield factory
