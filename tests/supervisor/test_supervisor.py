"""`initshape serve` with real processes: one server a directory, the dead restarted, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from serving import command, descendants, environment, gone, serving, wait_for

from initshape.client import ClientError, connect
from initshape.store.server import RedisServer
from initshape.supervisor.place import Place

EXPERIMENT = {
    "experiment": {
        "dataset": {"kind": "sparse_regression", "dimension": 10, "samples": 3, "sparsity": 2},
        "model": {"kind": "diagonal"},
        "init": {"kind": "scale_shape", "scale": 0.1, "shape": 0.5},
        "flow": {"kind": "none"},
    }
}


def ready(data_dir: Path) -> bool:
    with connect(data_dir=data_dir, patience=0.0, environment={}) as client:
        try:
            return bool(client._http.request("GET", "/health/ready").json()["status"] == "ready")
        except ClientError:
            return False


def serve(data_dir: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("serve", "--data-dir", str(data_dir), *options), env=environment(data_dir), text=True,
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip


def one(processes: dict[int, str], part: str) -> int:
    """The child whose command names `part` (its own children inherit the words, so the first started)."""
    return min(pid for pid, line in processes.items() if part in line)


def test_one_server_a_directory_restarts_and_leaves_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with serving(data_dir, "--workers", "1") as server:
        running = Place(data_dir).announced()
        assert running is not None
        assert running.pid == server.pid
        started = descendants(server.pid)
        log = (tmp_path / "serve.log").read_text()
        assert running.url in log
        token = Place(data_dir).read_token()
        assert token is not None
        assert token in log  # printed at the first start

        # a second server is refused, and harms nothing
        second = serve(data_dir, "--port", "0")
        assert second.returncode == 2
        assert running.url in second.stderr
        taken = serve(tmp_path / "other", "--port", running.url.rpartition(":")[2])
        assert taken.returncode == 2
        assert "Cannot listen" in taken.stderr

        with connect(data_dir=data_dir, environment={}) as client:
            id = client.submit(EXPERIMENT)["id"]
            assert client.wait(id, timeout=60)["status"] == "succeeded"
            before = client.result(id)

        # the API and the worker come back when they die; so does Redis, with what it knew
        os.kill(one(started, "-m service"), signal.SIGKILL)
        os.kill(one(started, "-m workers"), signal.SIGKILL)
        wait_for(lambda: not ready(data_dir), 10)
        wait_for(lambda: ready(data_dir), 60)
        redis = one(descendants(server.pid), "server 127.0.0.1")
        os.kill(redis, signal.SIGKILL)
        wait_for(lambda: redis not in descendants(server.pid), 10)
        wait_for(lambda: ready(data_dir), 60)
        with connect(data_dir=data_dir, environment={}) as client:
            assert client.result(id) == before  # with the token of the first start, and what Redis knew
        last = descendants(server.pid)
        assert any("-m workers" in line for line in last.values())
    assert server.returncode == 0
    assert gone(started | last)
    assert Place(data_dir).announced() is None
    assert token not in "".join(path.read_text() for path in (data_dir / "logs").iterdir())


def test_a_killed_supervisor_leaves_no_orphans(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with serving(data_dir, "--workers", "1") as server:
        started = descendants(server.pid)
        assert sum("-m workers" in line for line in started.values()) >= 1
        server.kill()
        server.wait()
        wait_for(lambda: gone(started), 30)
    RedisServer(data_dir).close()  # the directory is free again


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--no-auth", "--host", "0.0.0.0"), "loopback only"),
        (("--redis-url", "redis://127.0.0.1:1/0"), "Redis does not answer"),
        (("--workers", "0"), "--workers"),
        (("--host", "203.0.113.1"), "Cannot listen"),
    ],
)
def test_what_cannot_be_is_said_at_once(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    done = serve(tmp_path / "data", "--port", "0", *options)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
