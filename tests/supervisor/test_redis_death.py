"""The embedded Redis of `initshape serve` is killed: it comes back where it was, and nobody else has to start again."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from serving import descendants, serving, wait_for

from initshape.client import Client, connect
from initshape.store.server import RedisServer


def fit(seed: int, **more: Any) -> dict[str, Any]:
    dataset = {"kind": "sparse_regression", "dimension": 20, "samples": 5, "sparsity": 2, "seed": seed}
    init = {"kind": "scale_shape", "scale": 0.01, "shape": 0.5}
    return {
        "experiment": {"dataset": dataset, "model": {"kind": "diagonal"}, "init": init, "flow": {"kind": "none"}} | more
    }


def long_flow(seed: int) -> dict[str, Any]:
    """Gradient descent for seconds, in short blocks."""
    flow = {"kind": "gradient_descent", "step_size": 1e-5, "batch_size": 3, "momentum": 0.5}
    return fit(seed, flow=flow, stop={"max_steps": 300_000, "relative_residual": 1e-12})


def redis_of(server: subprocess.Popen[bytes]) -> int:
    (pid,) = [pid for pid, line in descendants(server.pid).items() if "server 127.0.0.1" in line]
    return pid


def others(server: subprocess.Popen[bytes]) -> dict[int, str]:
    """The API, workers and their computing children."""
    return {
        pid: line for pid, line in descendants(server.pid).items()
        if "-m service" in line or "-m workers" in line or "spawn_main" in line
    }  # fmt: skip


def port_of(data_dir: Path) -> int:
    return int(re.findall(r"^port (\d+)$", (data_dir / "redis" / "redis.conf").read_text(), re.MULTILINE)[0])


@contextmanager
def robbed(server: subprocess.Popen[bytes], port: int) -> Iterator[None]:
    """Redis is killed, and its port taken before the supervisor can look."""
    server.send_signal(signal.SIGSTOP)
    try:
        os.kill(redis_of(server), signal.SIGKILL)
        with socket.socket() as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            wait_for(lambda: thief.connect_ex(("127.0.0.1", port)) != 0, 10)
        with socket.socket() as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            thief.bind(("127.0.0.1", port))
            thief.listen()
            server.send_signal(signal.SIGCONT)
            yield
    finally:
        server.send_signal(signal.SIGCONT)


def at_work(client: Client) -> tuple[str, list[str]]:
    """A job that runs, behind which others wait."""
    running = client.submit(long_flow(1))["id"]
    wait_for(lambda: client.status(running)["status"] == "running", 60)
    return running, [client.submit(fit(seed))["id"] for seed in range(2, 12)]


@pytest.mark.parametrize("taken", [0.0, 3.0], ids=["at once", "its port is taken for 3 s"])
def test_redis_comes_back_where_it_was_and_jobs_run_on(tmp_path: Path, taken: float) -> None:
    data_dir = tmp_path / "data"
    with serving(data_dir, "--workers", "1") as server, connect(data_dir=data_dir, environment={}) as client:
        assert client.wait(client.submit(fit(1))["id"], timeout=60)["status"] == "succeeded"  # the worker is warm
        before, redis, port = others(server), redis_of(server), port_of(data_dir)
        running, waiting = at_work(client)
        if taken:
            with robbed(server, port):
                time.sleep(taken)
        else:
            os.kill(redis, signal.SIGKILL)

        done = client.wait(running, timeout=120)
        assert (done["status"], done["attempt"]) == ("succeeded", 1)
        assert [client.wait(id, timeout=120)["status"] for id in waiting] == ["succeeded"] * len(waiting)
        assert {client.status(id)["attempt"] for id in waiting} == {1}
        assert others(server) == before
        assert redis_of(server) != redis
        assert port_of(data_dir) == port
        log = (tmp_path / "serve.log").read_text()
        assert "Redis is up again at the same address" in log
        assert "another port" not in log
    assert server.returncode == 0


def test_redis_moves_where_its_port_stays_taken(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with serving(data_dir, "--workers", "1") as server, connect(data_dir=data_dir, environment={}) as client:
        assert client.wait(client.submit(fit(1))["id"], timeout=60)["status"] == "succeeded"
        before, port = others(server), port_of(data_dir)
        running, waiting = at_work(client)
        with robbed(server, port):
            wait_for(lambda: "moving it to another port" in (tmp_path / "serve.log").read_text(), 60)
            wait_for(lambda: port_of(data_dir) != port, 60)
            with connect(data_dir=data_dir, environment={}, patience=60.0) as anew:
                for id in (running, *waiting):
                    assert anew.wait(id, timeout=120)["status"] == "succeeded"
        assert not before.keys() & others(server).keys()
    assert server.returncode == 0
    RedisServer(data_dir).close()  # nobody holds the directory


def test_a_server_that_has_ended_is_found_dead_and_restarted_with_what_it_knew(own_server: RedisServer) -> None:
    from initshape.store.connection import connect as connect_redis

    client = connect_redis(own_server.settings)
    client.set("kept", 1)
    os.kill(own_server.pid, signal.SIGKILL)
    wait_for(lambda: not own_server.alive(), 10)
    assert not own_server.answers()
    own_server.restart()
    wait_for(own_server.answers, 10)
    assert client.get("kept") == b"1"
    client.close()
