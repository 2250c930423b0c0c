"""Alive, and able to work."""

from __future__ import annotations

from typing import Any

import httpx2

from initshape.store import Queue, Store, presence


def test_ready_needs_a_worker(api: httpx2.Client, store: Store) -> None:
    answer = api.get("/health/ready")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["checks"] == {"store": "ok", "persistence": "ok", "format": "ok", "workers": "none alive"}
    store.run(presence.announce("w", Queue.cpu, 3, {}))
    answer = api.get("/health/ready")
    assert (answer.status_code, answer.json()["workers"], answer.json()["status"]) == (200, 3, "ready")


def test_ready_needs_persistence(own_server: Any, start: Any, connect: Any) -> None:
    store = Store(own_server.settings)
    store.run(presence.announce("w", Queue.cpu, 1, {}))
    api = connect(start(own_server.settings), "any")
    assert api.get("/health/ready").status_code == 200
    store.client.config_set("appendonly", "no")
    assert api.get("/health/ready").json()["checks"]["persistence"].startswith("off")
    store.close()
