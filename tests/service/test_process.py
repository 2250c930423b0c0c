"""The real process: what it imports, how it starts, refuses and stops."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from initshape.store import Store, StoreSettings, tokens
from initshape.store.server import RedisServer
from initshape.store.tokens import Role

ROOT = Path(__file__).parents[2]


def python(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


def test_fresh_interpreter_loads_nothing_heavy() -> None:
    names = (
        "jax",
        "jaxlib",
        "celery",
        "kombu",
        "matplotlib",
        "initshape.flows",
        "initshape.run",
        "workers",
        "ruamel",
        "scipy",
    )
    code = (
        "import json, sys; from service.app import create_app; create_app().openapi();"
        f"print(json.dumps([name for name in {names} if name in sys.modules]))"
    )
    answer = python("-c", code)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == []


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        (("--no-auth", "--host", "0.0.0.0"), {}, "loopback only"),
        ((), {"INITSHAPE_AUTH": "false", "INITSHAPE_HOST": "192.168.0.1"}, "loopback only"),
        (("--port", "70000"), {}, "port"),
        ((), {"INITSHAPE_LOG_LEVEL": "loud"}, "log_level"),
    ],
)
def test_settings_that_cannot_be(arguments: tuple[str, ...], variables: dict[str, str], words: str) -> None:
    answer = python("-m", "service", *arguments, **variables)
    assert answer.returncode == 2
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr


def test_what_lives_for_ever_is_not_collected_again() -> None:
    """A full collection stops the event loop for as long as it takes to look at all objects that are not frozen."""
    code = (
        "import gc, service.__main__ as main, service.server as server;"
        "server.Server.run = lambda self: print(gc.get_freeze_count(), len(gc.get_objects()));"
        "main.main(['--no-auth'])"
    )
    answer = python("-c", code)
    frozen, left = map(int, answer.stdout.splitlines()[-1].split())
    assert left < 0.1 * frozen


@pytest.fixture
def process(redis_server: RedisServer, settings: StoreSettings) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`python -m service` and its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, **redis_server.environment()}
    found = subprocess.Popen(
        [sys.executable, "-m", "service", "--port", str(port)], cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    end = time.monotonic() + 30
    while True:
        try:
            httpx2.get(f"{url}/health/live", trust_env=False)
            break
        except httpx2.TransportError:
            assert found.poll() is None, found.communicate()[0]
            assert time.monotonic() < end
            time.sleep(0.05)
    yield found, url
    found.kill()
    found.communicate()


def test_sigterm_lets_long_polls_go(process: Any, store: Store, document: Any, redis_server: RedisServer) -> None:
    running, url = process
    headers = {"Authorization": f"Bearer {store.run(tokens.create('ada', Role.admin))}"}
    job_id = httpx2.post(f"{url}/v1/experiments", json=document, headers=headers, trust_env=False).json()["id"]
    answers: list[httpx2.Response] = []

    def poll() -> None:
        path = f"{url}/v1/experiments/{job_id}?wait=60"
        answers.append(httpx2.get(path, headers=headers, timeout=70, trust_env=False))

    waiter = threading.Thread(target=poll)
    waiter.start()
    time.sleep(0.5)
    begin = time.monotonic()
    running.send_signal(signal.SIGTERM)
    log, _ = running.communicate(timeout=20)
    took = time.monotonic() - begin
    waiter.join(timeout=5)
    assert [answer.json()["status"] for answer in answers] == ["queued"]
    assert took < 4
    assert "Traceback" not in log
    assert redis_server.password_file.read_text().strip() not in log
    settings_line = json.loads(log.splitlines()[0])
    assert settings_line["message"] == "settings"
    assert settings_line["settings"]["port"] == int(url.rpartition(":")[2])
