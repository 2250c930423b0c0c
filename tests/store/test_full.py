"""A server that is full, in memory or on disk, keeps what it has and takes nothing new; with room, all goes on."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from initshape.store import Store, StoreFullError, jobs, leases, results
from initshape.store.jobs import JobRequest, Submitter
from initshape.store.keys import key
from initshape.store.server import RedisServer
from tests.store.desk import Clock, Desk

ANN = Submitter("ann")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", tmp_path], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no file system of one's own here: {made.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def fill(place: Path) -> Path:
    """Takes all that is left."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


def until_full(store: Store) -> list[str]:
    """Submits until the server refuses; answers what it had accepted."""
    accepted: list[str] = []
    for k in range(1000):
        try:
            store.run(jobs.submit(JobRequest(f"x-more-{k}", {"a": "y" * 4000}), ANN))
        except StoreFullError:
            return accepted
        accepted.append(f"x-more-{k}")
    pytest.fail("it was never full")


def submit_in_time(store: Store, job_id: str) -> None:
    """The server tries its disk again every second."""
    end = time.monotonic() + 10.0
    while True:
        try:
            assert store.run(jobs.submit(JobRequest(job_id, {}), ANN)).answer == "queued"
            return
        except StoreFullError:
            assert time.monotonic() < end
            time.sleep(0.1)


def test_a_full_disk_keeps_everything_and_recovers(small_disk: Path) -> None:
    with RedisServer(small_disk) as server:
        store = Store(server.settings)
        desk = Desk(store)
        desk.compute("x-1")
        desk.submit("x-2")
        filler = fill(small_disk)
        accepted = until_full(store)
        with pytest.raises(StoreFullError):
            store.run(leases.claim("w", "cpu"))
        assert desk.read("x-2").position == 0
        assert store.run(results.read("x-1")) is not None
        os.remove(filler)
        submit_in_time(store, "x-3")
        store.close()
    with RedisServer(small_disk) as server:
        store = Store(server.settings)
        for name in ("x-1", "x-2", "x-3", *accepted):
            assert store.run(jobs.read(name)) is not None
        store.close()


def test_results_can_be_read_though_their_lifetime_cannot_be_prolonged(small_disk: Path) -> None:
    with RedisServer(small_disk) as server:
        store = Store(server.settings)
        Desk(store).compute("x-1")
        store.client.expire(key("result", "x-1"), 1000)
        fill(small_disk)
        until_full(store)
        assert store.run(results.read_arrays("x-1")) is not None
        store.close()


def test_leases_outlast_a_full_server(own_server: RedisServer) -> None:
    """No renewal is taken for longer than a lease: with room again, the holders get one lease of time."""
    clock = Clock()
    store = Store(own_server.settings, clock)
    desk = Desk(store, clock)
    desk.wait_and_reap(leases.LEASE_SECONDS + 1)
    desk.submit("x-1")
    claim = desk.claim_one()
    desk.renew(claim)
    store.client.config_set("maxmemory", 1)
    for _ in range(20):
        clock.pass_seconds(0.5)
        for refused in (
            leases.renew(claim.id, claim.fence),
            leases.reap(),
            leases.fail(claim.id, claim.fence, leases.LOST),
        ):
            with pytest.raises(StoreFullError):
                store.run(refused)
    store.client.config_set("maxmemory", 0)
    assert store.run(leases.reap()).waiting
    assert desk.renew(claim).held
    assert desk.wait_and_reap(4.0) == 0
    assert desk.finish(claim) == "accepted"
    store.close()
