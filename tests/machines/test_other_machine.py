"""A worker on another machine: its own home, caches and temporary files, and of the first machine only an address over
TLS, a password and a certificate. Where this user may, it lives in a network namespace of its own as well, in which
nothing of the first machine's loopback exists.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from initshape.store import Queue, Store, presence, tokens
from initshape.store.server import RedisServer
from initshape.store.tokens import Role
from tests.encryption import Papers, Terminator

ROOT = Path(__file__).parents[2]
EXPERIMENT = {
    "experiment": {
        "dataset": {"kind": "sparse_regression", "dimension": 20, "samples": 5, "sparsity": 2, "test_samples": 10},
        "model": {"kind": "diagonal"},
        "init": {"kind": "scale_shape", "scale": 0.01, "shape": 0.5},
        "flow": {"kind": "gradient_flow", "integrator": "dual"},
    }
}
PATIENCE = 60.0


@dataclass(frozen=True)
class Place:
    """How another machine is entered, and under which address it sees this one."""

    enter: tuple[str, ...]
    address: str


@contextlib.contextmanager
def namespace() -> Iterator[Place | None]:
    """A network namespace that is joined to this one by a cable; None where that is not possible."""
    ip, name = shutil.which("ip", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"), f"is{secrets.token_hex(3)}"
    if ip is None or os.getuid() != 0:
        yield None
        return

    def run(*words: str) -> bool:
        return subprocess.run([ip, *words], capture_output=True, timeout=20).returncode == 0

    net = f"10.213.{secrets.randbelow(250)}"
    here, there = f"{net}.1", f"{net}.2"
    if not run("netns", "add", name):
        yield None
        return
    try:
        made = (
            run("link", "add", name, "type", "veth", "peer", "name", "up0", "netns", name)
            and run("addr", "add", f"{here}/30", "dev", name)
            and run("link", "set", name, "up")
            and run("-n", name, "addr", "add", f"{there}/30", "dev", "up0")
            and run("-n", name, "link", "set", "up0", "up")
            and run("-n", name, "link", "set", "lo", "up")
        )
        yield Place((ip, "netns", "exec", name), here) if made else None
    finally:
        run("netns", "del", name)
        run("link", "del", name)


@pytest.fixture(params=["process", "namespace"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "process":
        yield Place((), "127.0.0.1")
        return
    with namespace() as found:
        if found is None:
            pytest.skip("network namespaces need root and ip(8)")
        yield found


def environment(home: Path, **variables: str) -> dict[str, str]:
    """Of one machine: nothing of this user's, and every place of its own."""
    home.mkdir(parents=True)
    (home / "tmp").mkdir()
    return {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(home), "TMPDIR": str(home / "tmp"),
        "XDG_CACHE_HOME": str(home / "cache"), "XDG_DATA_HOME": str(home / "share"), "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1", "INITSHAPE_PIN": "0", **variables,
    }  # fmt: skip


@contextlib.contextmanager
def running(
    command: list[str], log: Path, variables: dict[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as file:
        process = subprocess.Popen(command, env=variables, stdout=file, stderr=file, cwd=folder)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_an_experiment_is_computed_elsewhere(
    redis_server: RedisServer, store: Store, tmp_path: Path, place: Place
) -> None:
    papers, first, second = Papers(tmp_path / "papers"), tmp_path / "first", tmp_path / "second"
    port = int(redis_server.settings.url.rpartition(":")[2].partition("/")[0])
    password = str(redis_server.settings.password)
    token = store.run(tokens.create("ada", Role.member))
    with contextlib.ExitStack() as stack:
        front = stack.enter_context(Terminator(port, *papers.issue(place.address), host=place.address))
        api_port = free_port()
        # Given: Redis and the API here, the API beside its Redis
        api = environment(first, **redis_server.environment())
        command = [sys.executable, "-m", "service", "--port", str(api_port)]
        stack.enter_context(running(command, tmp_path / "api.log", api, first))
        # and a worker there, which has copies of two files
        there = environment(
            second, INITSHAPE_REDIS_URL=f"rediss://{place.address}:{front.port}/0",
            INITSHAPE_REDIS_CA=str(second / "ca.pem"), INITSHAPE_REDIS_PASSWORD_FILE=str(second / "password"),
        )  # fmt: skip
        shutil.copy(papers.ca, second / "ca.pem")
        shutil.copy(redis_server.password_file, second / "password")
        command = [*place.enter, sys.executable, "-m", "initshape.cli", "worker", "--queues", "cpu", "--name", "far"]
        worker = stack.enter_context(running(command, tmp_path / "worker.log", there, second))

        # When: an experiment is sent to the API
        client = stack.enter_context(
            httpx2.Client(base_url=f"http://127.0.0.1:{api_port}", headers={"Authorization": f"Bearer {token}"},
                          timeout=70, trust_env=False)
        )  # fmt: skip
        until(lambda: answers(client))
        sent = client.post("/v1/experiments", json=EXPERIMENT).json()

        # Then: that worker computes it, and its result is read at the API
        until(lambda: store.run(presence.slots_alive(Queue.cpu)) == 1 or worker.poll() is not None)
        assert worker.poll() is None, (tmp_path / "worker.log").read_text()
        state = client.get(f"/v1/experiments/{sent['id']}", params={"wait": 60}).json()
        assert state["status"] == "succeeded", (tmp_path / "worker.log").read_text()
        assert client.get(f"/v1/experiments/{sent['id']}/result").json()["outcome"] == "converged"
        assert client.get(f"/v1/experiments/{sent['id']}/arrays.npz").status_code == 200
        assert [found.name.split(":")[0].split("@")[0] for found in store.run(presence.workers())] == ["far"]
        # over the encrypted line only, broker included, and with everything in its own home
        assert b"BRPOP" in front.seen
        assert b"EVALSHA" in front.seen
        assert (second / "cache" / "initshape" / "compiled").is_dir()
        assert not (first / "cache").exists()
    for log in ("api.log", "worker.log"):
        text = (tmp_path / log).read_text()
        assert password not in text
        assert "without TLS" not in text


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def answers(client: httpx2.Client) -> bool:
    try:
        return client.get("/health/live").status_code == 200
    except httpx2.TransportError:
        return False


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def refused(*, url: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "workers"], capture_output=True, text=True, timeout=60,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "INITSHAPE_REDIS_URL": url, **variables},
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr
    return done.stderr


def test_a_worker_says_what_is_wrong_with_its_address() -> None:
    assert "INITSHAPE_REDIS_CA" in refused(url="rediss://h:1/0", INITSHAPE_REDIS_CA="/nowhere/ca.pem")
    assert "checks are never off" in refused(url="rediss://:hunter2@h:1/0?ssl_cert_reqs=none")
    assert "without TLS" in refused(url="redis://:hunter2@10.0.0.1:1/0", INITSHAPE_REDIS_PLAINTEXT="refuse")
