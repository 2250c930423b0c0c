"""The three kinds of processes that a chaos run breaks. Each is started, killed, frozen and thawed by its own hand."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import redis

from initshape.store.connection import connect
from initshape.store.server import RedisServer

START_SECONDS = 120.0


def until(condition: Callable[[], bool], seconds: float, what: str, pause: float = 0.05) -> None:
    """Waits. Raises TimeoutError that says for what."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not in {seconds:g} s")
        time.sleep(pause)


class Program:
    """One process, started again and again with the same command; its output is appended to one log."""

    def __init__(self, name: str, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environment = dict(environment)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Without waiting for anything."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def pid(self) -> int:
        """Of the process as it was last started."""
        assert self.process is not None
        return self.process.pid

    def alive(self) -> bool:
        """Whether it runs, or is frozen."""
        return self.process is not None and self.process.poll() is None

    def pids(self) -> list[int]:
        """All that a fault of the whole hits."""
        return [self.pid]

    def kill(self) -> list[int]:
        """SIGKILL; answers whom it hit."""
        hit = self.pids()
        self.signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(10)
        return hit

    def signal(self, number: int) -> None:
        """To the process."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def freeze(self) -> list[int]:
        """SIGSTOP; answers whom it hit."""
        hit = self.pids()
        for pid in hit:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        return hit

    def thaw(self, pids: list[int]) -> None:
        """SIGCONT."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def stop(self, seconds: float = 30.0) -> None:
        """SIGTERM, and SIGKILL where that does not do."""
        if not self.alive():
            return
        assert self.process is not None
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()


class Redis(Program):
    """The embedded server with the files and configuration that `initshape serve` gives it, always at one address."""

    def __init__(self, folder: Path) -> None:
        with RedisServer(folder) as first:
            self.settings, self.environment = first.settings, first.environment()
            command = [str(first.binary), str(first.directory / "redis.conf")]
        super().__init__("redis", command, {**os.environ, "LC_ALL": "C"}, folder / "redis.log")

    def start(self) -> None:
        """Returns when it answers."""
        super().start()
        client = connect(self.settings)
        try:
            until(lambda: _pings(client), START_SECONDS, "Redis", pause=0.01)
        finally:
            client.close()


class Api(Program):
    """`python -m service` on one port."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "service", "--port", str(self.port)]
        super().__init__("api", command, environment, log)

    def start(self) -> None:
        """Returns when it listens."""
        super().start()
        until(self._listens, START_SECONDS, "the API")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Worker(Program):
    """`python -m workers`: a parent and its child, which computes."""

    def __init__(self, name: str, environment: Mapping[str, str], log: Path) -> None:
        super().__init__(name, [sys.executable, "-m", "workers", "--name", name], environment, log)

    def child(self) -> int | None:
        """The child that computes; None between two of them."""
        if not self.alive():
            return None
        with contextlib.suppress(OSError):
            numbers = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            for number in numbers:
                if b"spawn_main" in Path(f"/proc/{number}/cmdline").read_bytes():
                    return int(number)
        return None

    def warm_child(self) -> int | None:
        """The child, where it has loaded what it computes with."""
        child = self.child()
        with contextlib.suppress(OSError):
            if child is not None and "jaxlib" in Path(f"/proc/{child}/maps").read_text():
                return child
        return None

    def pids(self) -> list[int]:
        """Parent and child."""
        child = self.child()
        return [self.pid] if child is None else [self.pid, child]

    def kill_child(self) -> list[int]:
        """SIGKILL of the child alone; answers whom it hit."""
        child = self.child()
        if child is None:
            return []
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        return [child]

    def kill(self) -> list[int]:
        """SIGKILL of the parent; the child must not outlive it."""
        hit = super().kill()
        until(lambda: not any(_lives(pid) for pid in hit), 10.0, f"the child of {self.name} outlives its parent")
        return hit


@contextlib.contextmanager
def stopping(programs: list[Program]) -> Iterator[None]:
    """Whatever happens inside, all of them have ended afterwards; the first one last."""
    try:
        yield
    finally:
        for program in reversed(programs):
            if program.alive():
                program.thaw(program.pids())
                program.signal(signal.SIGTERM)
        for program in reversed(programs):
            program.stop()


def _pings(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except (redis.exceptions.RedisError, OSError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
