"""The store as it is deployed: a real server on deploy/redis.conf, started by deploy/start-redis.sh."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from deploy_files import DEPLOY, UNITS

from initshape.store import StoreSettings
from initshape.store.binary import find_binary
from initshape.store.connection import connect

PASSWORD = "a-Password_of~the.test"


@contextlib.contextmanager
def running(folder: Path, password: str = PASSWORD) -> Iterator[tuple[subprocess.Popen[str], redis.Redis]]:
    """The store on a free port; the port is the only thing that differs from a deployment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration = (DEPLOY / "redis.conf").read_text().replace("\nport 6379\n", f"\nport {port}\n")
    (folder / "redis.conf").write_text(configuration)
    (folder / "password").write_text(password + "\n")
    process = subprocess.Popen(
        [DEPLOY / "start-redis.sh"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={
            "PATH": os.environ["PATH"], "INITSHAPE_REDIS_SERVER": str(find_binary()),
            "INITSHAPE_REDIS_PASSWORD_FILE": str(folder / "password"),
            "INITSHAPE_REDIS_CONF": str(folder / "redis.conf"), "INITSHAPE_REDIS_DIR": str(folder),
        },
    )  # fmt: skip
    client = connect(StoreSettings(f"redis://127.0.0.1:{port}/0", PASSWORD))
    try:
        yield process, client
    finally:
        client.close()
        process.kill()
        process.communicate()


def wait_for(process: subprocess.Popen[str], client: redis.Redis) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        try:
            client.ping()
        except (redis.exceptions.ConnectionError, redis.exceptions.BusyLoadingError):
            time.sleep(0.02)
        else:
            return
    process.kill()
    pytest.fail(f"the store did not start: {process.communicate()[0]}")


def test_it_is_append_only_private_and_survives_a_kill(tmp_path: Path) -> None:
    with running(tmp_path) as (process, client):
        wait_for(process, client)
        settings = {
            name: client.config_get(name)[name]
            for name in ("appendonly", "appendfsync", "save", "maxmemory-policy", "bind", "dir")
        }
        assert settings == {
            "appendonly": "yes", "appendfsync": "everysec", "save": "", "maxmemory-policy": "noeviction",
            "bind": "127.0.0.1", "dir": str(tmp_path),
        }  # fmt: skip
        port = client.connection_pool.connection_kwargs["port"]
        stranger = connect(StoreSettings(f"redis://127.0.0.1:{port}/0"))
        with pytest.raises(redis.exceptions.AuthenticationError):
            stranger.ping()
        stranger.close()
        assert PASSWORD not in Path(f"/proc/{process.pid}/cmdline").read_text()
        client.set("kept", "value")
        process.send_signal(signal.SIGKILL)
        process.wait()
    with running(tmp_path) as (process, client):
        wait_for(process, client)
        assert client.get("kept") == b"value"
        process.terminate()
        assert process.wait(10) == 0


@pytest.mark.parametrize("password", ["", 'quote"', "two words", "line\nrequirepass other"])
def test_a_password_that_the_file_format_could_misread_is_refused(tmp_path: Path, password: str) -> None:
    with running(tmp_path, password) as (process, _):
        said, _ = process.communicate(timeout=10)
        assert process.returncode == 1
        assert said.startswith("start-redis: the password")


def test_the_memory_limits_leave_room_for_the_rewrite_of_the_file() -> None:
    given = re.search(r"^maxmemory (\d+)gb$", (DEPLOY / "redis.conf").read_text(), re.MULTILINE)
    assert given
    twice = 2 * int(given[1])
    unit = next(unit for unit in UNITS if unit.name == "initshape-redis.service").read_text()
    assert f"MemoryMax={twice}G" in shlex.split(unit, comments=True)
    compose = (DEPLOY.parent / "docker-compose.yml").read_text()
    assert f"limits: {{memory: {twice}g}}}}}}   # twice maxmemory" in compose
