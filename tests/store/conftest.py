"""Fixtures of the store's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from initshape.store import Store, StoreSettings, leases
from tests.store.desk import Clock, Desk


@pytest.fixture
def clock() -> Clock:
    """The time of the scripts."""
    return Clock()


@pytest.fixture
def desk(settings: StoreSettings, clock: Clock) -> Iterator[Desk]:
    """A desk on an empty server, past the grace time that the first reap begins."""
    store = Store(settings, clock)
    desk = Desk(store, clock)
    desk.wait_and_reap(leases.LEASE_SECONDS + 1)
    yield desk
    store.close()
