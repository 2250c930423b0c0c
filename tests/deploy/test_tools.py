"""The two programs of deploy/tools, as an operator and a health check run them."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

from deploy_files import DEPLOY

from initshape.store import Queue, Store, presence, tokens
from initshape.store.server import RedisServer


def tool(name: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, DEPLOY / "tools" / name], capture_output=True, text=True, timeout=60,
        env={"PATH": os.environ["PATH"], **environment},
    )  # fmt: skip


def test_the_first_token_is_an_admins_and_is_made_once(redis_server: RedisServer, store: Store) -> None:
    first = tool("first_token.py", redis_server.environment())
    assert first.returncode == 0
    identity = store.run(tokens.verify(first.stdout.strip()))
    assert identity is not None
    assert identity.role == "admin"
    second = tool("first_token.py", redis_server.environment())
    assert (second.returncode, second.stdout) == (1, "")
    assert first.stdout.strip() not in second.stderr


def test_a_worker_is_alive_where_it_says_so_from_this_host(redis_server: RedisServer, store: Store) -> None:
    environment = redis_server.environment()
    store.run(presence.announce("elsewhere", Queue.cpu, 1, {"host": "another-host"}))
    assert tool("worker_alive.py", environment).returncode == 1
    store.run(presence.announce("here", Queue.gpu, 1, {"host": platform.node()}))
    assert tool("worker_alive.py", environment).returncode == 0


def test_both_say_that_the_store_is_away() -> None:
    for name in ("first_token.py", "worker_alive.py"):
        done = tool(name, {"INITSHAPE_REDIS_URL": "redis://127.0.0.1:1/0"})
        assert done.returncode == 3
        assert done.stderr.startswith(name.removesuffix(".py"))
        assert "Traceback" not in done.stderr
