"""Servers as processes of their own, for as long as a measurement takes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.cores import available

START_SECONDS = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Served:
    """A server that answers."""

    name: str
    port: int
    pid: int
    token: str = "none"

    def cpu_seconds(self) -> float:
        """Processor time that it has taken so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def load(self, kind: str, first: int, seconds: float, connections: int = 16) -> dict[str, Any]:
        """A closed loop of POSTs from another process; adds the server's processor time a request."""
        before = self.cpu_seconds()
        command = [sys.executable, "-m", "benchmarks.serving.load", str(self.port), str(connections), str(seconds),
                   str(first), kind, self.token]  # fmt: skip
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout)
        cpu = self.cpu_seconds() - before
        return {**found, "rate": found["requests"] / found["seconds"], "cpu_ms": 1000 * cpu / found["requests"]}


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(
    name: str, module: str, *options: str, port: int, log: Path, token: str = "none", path: str = "/openapi.json",
    environment: Mapping[str, str] | None = None,
) -> Iterator[Served]:  # fmt: skip
    """`python -m module ...` on the last core, ready when `path` answers; stopped at the end."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *options], stdout=file, stderr=file,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
    try:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(process.pid, {available()[-1]})
        end = time.monotonic() + START_SECONDS
        while not _answers(f"http://127.0.0.1:{port}{path}"):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{name} does not come up:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield Served(name, port, process.pid, token)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2.0):
            return True
    except (urllib.error.URLError, OSError):
        return False
