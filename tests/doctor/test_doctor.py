"""Each check finds what is wrong when it is, and says how to mend it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from initshape.doctor import files, machine, network, numerics, store
from initshape.doctor.finding import Finding, State
from initshape.store import Queue, Store, StoreSettings, presence
from initshape.store.keys import FORMAT
from initshape.store.server import RedisServer
from initshape.supervisor.place import Place


def states(found: list[Finding]) -> dict[str, State]:
    assert all(finding.mend for finding in found if finding.state is not State.ok)
    assert len({finding.name for finding in found}) == len(found)
    return {finding.name: finding.state for finding in found}


def test_a_good_store(own_server: RedisServer) -> None:
    client = Store(own_server.settings)
    client.run(presence.announce("w", Queue.cpu, 1, {}))
    client.close()
    assert set(states(store.check(own_server.settings)).values()) == {State.ok}


def test_a_store_that_is_not_fit(own_server: RedisServer) -> None:
    client = Store(own_server.settings)
    client.client.set(FORMAT, 99)
    for name, value in (("appendonly", "no"), ("maxmemory-policy", "volatile-lru"), ("maxmemory", "1mb")):
        client.client.config_set(name, value)
    found = states(store.check(own_server.settings))
    bad = ("persistence", "eviction", "format", "redis memory", "workers")
    assert {name: found[name] for name in bad} == dict.fromkeys(bad, State.fail)
    assert found["redis"] is State.ok
    client.close()


def test_no_store(own_server: RedisServer) -> None:
    for settings in (StoreSettings("redis://127.0.0.1:1/0"), StoreSettings(own_server.settings.url, "wrong")):
        (finding,) = store.check(settings)
        assert finding.state is State.fail
        assert "wrong" not in finding.detail
    (finding,) = store.check(None)
    assert finding.state is State.warn


def test_files(tmp_path: Path) -> None:
    place, cache = Place(tmp_path / "data"), tmp_path / "cache"
    assert set(states(files.check(place, cache)).values()) == {State.ok}
    place.create()
    cache.mkdir(mode=0o700)
    assert set(states(files.check(place, cache)).values()) == {State.ok}
    place.token.write_text("secret")
    place.token.chmod(0o644)
    cache.chmod(0o777)
    (place.data_dir / "redis").mkdir()
    (place.data_dir / "redis" / "version").write_text("valkey 99.0.0\n")
    found = files.check(place, cache)
    bad = ("secrets", "compilation cache", "redis program")
    assert {name: states(found)[name] for name in bad} == dict.fromkeys(bad, State.fail)
    assert "secret" not in str([f for f in found if f.name != "secrets"])
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert states(files.check(Place(blocked), cache))["data directory"] is State.fail


def test_ports() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert states(network.check(None, "127.0.0.1", port)) == {"port": State.warn}
        assert states(network.check(None, "203.0.113.1", port)) == {"port": State.fail}
    assert states(network.check(None, "127.0.0.1", port)) == {"port": State.ok}
    assert states(network.check(f"http://127.0.0.1:{port}", "127.0.0.1", port)) == {"api": State.fail}


def test_numerics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    found = states([*numerics.check(numerics.environment()), *machine.check()])
    assert found["float64"] is State.ok
    assert found["blas threads"] is State.warn
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("JAX_PLATFORMS", "nonsense")
    found = states(numerics.check(numerics.environment()))
    assert found["numerics"] is State.fail
