"""Without the password Redis answers nothing: every command, of real servers as `initshape serve` and as deployed."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from test_redis_conf import running, wait_for

from initshape.store import StoreSettings
from initshape.store.connection import connect
from initshape.store.server import RedisServer

OPEN = {"AUTH", "HELLO", "QUIT", "RESET"}
"""What leads to a login or away; HELLO tells nothing before one."""


def check(url: str, owner: redis.Redis) -> None:
    names = sorted({entry.upper() for entry in owner.command()})
    assert len(names) > 200
    assert owner.config_get("protected-mode")["protected-mode"] == "yes"
    assert owner.config_get("bind")["bind"] == "127.0.0.1"
    for name in names:
        if name in OPEN:
            continue
        stranger = connect(StoreSettings(url))
        with pytest.raises((redis.exceptions.AuthenticationError, redis.exceptions.ResponseError)) as refusal:
            stranger.execute_command(*name.split("|"), "x", "y")
        assert "NOAUTH" in str(refusal.value) or "Authentication required" in str(refusal.value), (name, refusal.value)
        stranger.close()
    with pytest.raises(redis.exceptions.ResponseError):
        owner.execute_command("DEBUG", "SLEEP", "0")


def test_the_embedded_server(redis_server: RedisServer) -> None:
    owner = connect(redis_server.settings)
    check(redis_server.settings.url, owner)
    owner.close()


def test_the_deployed_server(tmp_path: Path) -> None:
    with running(tmp_path) as (process, owner):
        wait_for(process, owner)
        port = owner.connection_pool.connection_kwargs["port"]
        check(f"redis://127.0.0.1:{port}/0", owner)
