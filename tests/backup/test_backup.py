"""A backup is whole or none; a restored directory holds the same, and nothing that is used or there is overwritten."""

from __future__ import annotations

import json
import os
import signal
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from initshape.backup import manifest
from initshape.backup.make import backup
from initshape.backup.manifest import BackupError
from initshape.backup.restore import restore
from initshape.store import Store, StoreFormatError, StoreSettings, StoreUnavailableError, jobs, tokens
from initshape.store import format as store_format
from initshape.store.binary import ServerError
from initshape.store.jobs import JobRequest, Submitter
from initshape.store.keys import FORMAT, FORMAT_NUMBER
from initshape.store.nearby import settings_of
from initshape.store.server import RedisServer
from tests.store.everything import fill
from tests.store.keyspace import Dump, dump


def values(found: Dump) -> dict[str, Any]:
    return {name: entry["value"] for name, entry in found.items()}


def content(settings: StoreSettings) -> Dump:
    store = Store(settings)
    try:
        return dump(store.client)
    finally:
        store.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dump, str]:
    """A backup, what was in the server, and a token."""
    folder = tmp_path_factory.mktemp("backup")
    (folder / "admin-token").write_text("secret\n")
    with RedisServer(folder / "data") as server:
        store = Store(server.settings)
        store.run(store_format.opening())
        token = fill(store)
        found = backup(server.settings, folder / "made", folder / "admin-token")
        before = dump(store.client)
        store.close()
    assert found.total == len(before)
    assert found.store_format == FORMAT_NUMBER
    return folder / "made", before, token


def test_everything_comes_back(made: tuple[Path, Dump, str], tmp_path: Path) -> None:
    source, before, token = made
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in source.iterdir()} == dict.fromkeys(
        ("backup.json", "dump.rdb", "admin-token"), 0o600
    )
    assert stat.S_IMODE(source.stat().st_mode) == 0o700
    _, aside = restore(source, tmp_path / "new")
    assert aside is None
    assert (tmp_path / "new" / "admin-token").read_text() == "secret\n"
    for _ in range(2):  # and is durable: read from the append-only file each time
        with RedisServer(tmp_path / "new") as server:
            after = content(server.settings)
            store = Store(server.settings)
            assert store.client.config_get("appendonly") == {"appendonly": "yes"}
            identity = store.run(tokens.verify(token))
            assert identity is not None
            assert identity.user == "ann"
            store.close()
            os.kill(server.pid, signal.SIGKILL)
        assert values(after) == values(before)
        assert all(0 <= before[name]["ttl"] - entry["ttl"] < 60 or entry["ttl"] < 0 for name, entry in after.items())
    assert not list((tmp_path / "new").glob(".restoring*"))


def test_one_moment_while_others_write(tmp_path: Path) -> None:
    """Jobs come in while the copy is taken: it holds the first so many of them, each of them whole."""
    stop, begun = threading.Event(), threading.Event()
    with RedisServer(tmp_path / "data") as server:

        def write() -> None:
            store, number = Store(server.settings), 0
            while not stop.is_set():
                number += 1
                store.run(jobs.submit(JobRequest(f"x-{number}", {"n": "x" * 500}), Submitter("ann")))
                begun.set()
            store.close()

        writer = threading.Thread(target=write)
        writer.start()
        assert begun.wait(30)
        backup(server.settings, tmp_path / "made")
        stop.set()
        writer.join()
    restore(tmp_path / "made", tmp_path / "new")
    with RedisServer(tmp_path / "new") as server:
        store = Store(server.settings)
        waiting = [name.decode() for name in store.client.zrange("{initshape}:waiting:cpu", 0, -1)]
        assert waiting
        assert waiting == [f"x-{number}" for number in range(1, len(waiting) + 1)]
        assert len(store.client.keys("{initshape}:job:*")) == len(waiting)
        assert store.client.hget("{initshape}:numbers", "order") == str(len(waiting)).encode()
        assert all(record is not None for record in store.run(jobs.read_many(waiting)))
        store.close()


def test_what_is_there_stays(made: tuple[Path, Dump, str], tmp_path: Path) -> None:
    source = made[0]
    data_dir = tmp_path / "data"
    with RedisServer(data_dir) as server:
        store = Store(server.settings)
        store.run(jobs.submit(JobRequest("x-old", {}), Submitter("ann")))
        assert settings_of(data_dir) == server.settings
        with pytest.raises(BackupError, match="A server uses"):
            restore(source, data_dir, force=True)
        with pytest.raises(BackupError, match="never overwritten"):
            backup(server.settings, source)
        store.close()
    assert settings_of(data_dir) is None
    with pytest.raises(BackupError, match="--force"):
        restore(source, data_dir)
    _, aside = restore(source, data_dir, force=True)
    assert aside is not None
    aside.rename(tmp_path / "aside")
    with RedisServer(data_dir) as server:
        assert "{initshape}:job:x-old" not in content(server.settings)
    with RedisServer(tmp_path / "aside") as server:
        assert "{initshape}:job:x-old" in content(server.settings)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("dump.rdb", lambda data: data[:-9], "size or checksum"),
        ("dump.rdb", lambda data: data.replace(b"ann", b"bob", 1), "size or checksum"),
        ("admin-token", lambda data: b"", "size or checksum"),
        ("backup.json", lambda data: b"{}", "cannot be read"),
        ("backup.json", lambda data: data.replace(b'"backup_version": 1', b'"backup_version": 2'), "cannot be read"),
        ("backup.json", lambda data: data.replace(b'"admin-token"', b'"../../etc/x"'), "cannot be read"),
        ("backup.json", lambda data: data.replace(b'"lasting": 2', b'"lasting": 3'), "keys were read"),
    ],
)
def test_damage_is_found(made: tuple[Path, Dump, str], tmp_path: Path, name: str, change: Any, words: str) -> None:
    source = tmp_path / "copy"
    source.mkdir()
    for path in made[0].iterdir():
        (source / path.name).write_bytes(path.read_bytes())
    before = (source / name).read_bytes()
    (source / name).write_bytes(change(before))
    assert (source / name).read_bytes() != before
    with pytest.raises(BackupError, match=words):
        restore(source, tmp_path / "new")
    assert not (tmp_path / "new" / "redis").exists()
    assert not list((tmp_path / "new").glob(".restoring*"))


def test_a_dump_that_no_server_reads(made: tuple[Path, Dump, str], tmp_path: Path) -> None:
    """Damaged before its checksum was taken: the server finds it."""
    source = tmp_path / "copy"
    source.mkdir()
    data = (made[0] / "dump.rdb").read_bytes()
    (source / "dump.rdb").write_bytes(data[:2000] + bytes(20) + data[2020:])
    told = json.loads((made[0] / "backup.json").read_text())
    told["files"] = {"dump.rdb": manifest.describe(source / "dump.rdb").model_dump()}
    (source / "backup.json").write_text(json.dumps(told))
    with pytest.raises(ServerError):
        restore(source, tmp_path / "new")
    assert not (tmp_path / "new" / "redis").exists()


def test_data_of_a_newer_release(own_server: RedisServer, tmp_path: Path) -> None:
    store = Store(own_server.settings)
    store.client.set(FORMAT, FORMAT_NUMBER + 1)
    with pytest.raises(StoreFormatError, match="newer"):
        backup(own_server.settings, tmp_path / "made")
    store.close()
    assert not [path for path in tmp_path.iterdir() if "made" in path.name]


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError):
        backup(StoreSettings("redis://127.0.0.1:1/0"), tmp_path / "made")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(BackupError, match="no backup"):
        restore(tmp_path, tmp_path / "new")
