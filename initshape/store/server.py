"""The embedded server: a real Redis or Valkey, as a process of its own, with its files in one directory.

Always append-only, never evicting, on a free loopback port with a random password. The directory is locked by a file
lock that the server inherits: as long as the server lives nobody else opens its files, whatever became of its parent.

data_dir/redis/
    lock            held by the server; says how to reach it, so that a later start can stop an orphan
    password        0600
    redis.conf      0600, written at every start
    version         of the server that wrote the files; an older one is refused
    server.log      what the server says
    appendonlydir/  or appendonly.aof: the data
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import redis

from initshape.store.binary import ServerError, Version, find_binary, version_of
from initshape.store.connection import connect
from initshape.store.settings import StoreSettings

START_SECONDS: Final = 60.0
"""A large append-only file takes seconds to load; the server says LOADING meanwhile."""
STOP_SECONDS: Final = 10.0


class RedisServer:
    """Starts at construction, stops at close() or at the end of a `with` block.

    Errors: ServerError where no server is found, the directory is in use by a living process, its files were written by
    a newer server, or the server does not come up. With `snapshot`, the name of an RDB file in its directory, it begins
    with that, and is not append-only until somebody sets it: an append-only server never looks at such a file.
    """

    def __init__(
        self, directory: Path, environment: Mapping[str, str] | None = None, snapshot: str | None = None
    ) -> None:
        self._snapshot = snapshot
        self.directory = directory / "redis"
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        self.binary = find_binary(environment)
        self.version = version_of(self.binary)
        self._lock = self._take_lock()
        try:
            self._check_version()
            self._password = self._own_password()
            self._process, self.settings = self._start()
        except BaseException:
            os.close(self._lock)
            raise

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._process.pid

    @property
    def password_file(self) -> Path:
        """Where the password lies, for the environment of other processes (INITSHAPE_REDIS_PASSWORD_FILE)."""
        return self.directory / "password"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.directory / "server.log"

    def environment(self) -> dict[str, str]:
        """Variables by which other processes of this user reach the server."""
        return {
            "INITSHAPE_REDIS_URL": self.settings.url,
            "INITSHAPE_REDIS_PASSWORD_FILE": str(self.password_file),
        }

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def restart(self) -> None:
        """Starts a server that has ended again, on the same files, address and password, and does not wait for it.

        It ends at once where somebody else has taken the port. Errors: ServerError where the server that is installed
        now cannot read the files; OSError.
        """
        self.version = version_of(self.binary)
        self._check_version()
        self._process = self._launch()

    def answers(self) -> bool:
        """Whether it answers a PING: the data are loaded."""
        client = connect(self.settings)
        try:
            return bool(client.ping())
        except (redis.exceptions.RedisError, OSError):
            return False
        finally:
            client.close()

    def close(self) -> None:
        """Stops gracefully: what was accepted is on disk. Safe to call twice."""
        if self.alive():
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take_lock(self) -> int:
        path = self.directory / "lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        end = time.monotonic() + STOP_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not self._stop_orphan(path) or time.monotonic() > end:
                    os.close(lock)
                    raise ServerError(f"{self.directory} is in use by another server.") from None
                time.sleep(0.05)
            else:
                return lock

    def _stop_orphan(self, path: Path) -> bool:
        """Asks a server whose parent has died to stop; False where the parent lives."""
        try:
            holder = json.loads(path.read_text())
        except (OSError, ValueError):
            return True  # being written, or held by a starting process: look again
        if _is_alive(holder["parent"], holder["parent_start"]):
            return False
        password = (self.directory / "password").read_text()
        client = connect(StoreSettings(holder["url"], password))
        try:
            client.shutdown(save=False, nosave=True)
        except (redis.exceptions.RedisError, OSError):
            pass  # it is going, or has gone
        finally:
            client.close()
        return True

    def _check_version(self) -> None:
        path = self.directory / "version"
        if path.exists():
            written = Version.parse(path.read_text())
            if written == self.version:
                return  # nothing to write, which a full disk would refuse
            if not self.version.reads(written):
                raise ServerError(
                    f"{self.directory} was written by {written}, which {self.version} ({self.binary}) cannot read. "
                    f"Install {written} or newer."
                )
        path.write_text(f"{self.version}\n")

    def _own_password(self) -> str:
        if not self.password_file.exists():
            _write_private(self.password_file, secrets.token_urlsafe(32))
        self.password_file.chmod(0o600)
        return self.password_file.read_text()

    def _start(self) -> tuple[subprocess.Popen[bytes], StoreSettings]:
        for _ in range(3):  # the free port may be taken by somebody else in between
            port = _free_port()
            settings = StoreSettings(f"redis://127.0.0.1:{port}/0", self._password)
            _write_private(self._configuration_file, self._configuration(port))
            self._say_who(settings)
            process = self._launch()
            if self._comes_up(process, settings):
                return process, settings
        raise ServerError(f"{self.binary} does not start; see {self.log}.")

    @property
    def _configuration_file(self) -> Path:
        return self.directory / "redis.conf"

    def _launch(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own binary, configured by us; no shell
                [self.binary, self._configuration_file],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory,
                pass_fds=[self._lock], start_new_session=True, env={**os.environ, "LC_ALL": "C"},
            )  # fmt: skip

    def _configuration(self, port: int) -> str:
        return "\n".join([
            f"requirepass {self._password}", f"port {port}", "bind 127.0.0.1", "protected-mode yes",
            f'dir "{self.directory}"', *self._persistence(), "appendfsync everysec", 'save ""',
            "maxmemory-policy noeviction", "daemonize no", "lazyfree-lazy-server-del yes", "tcp-keepalive 60",
            'rename-command DEBUG ""', "",
        ])  # fmt: skip

    def _persistence(self) -> tuple[str, ...]:
        return ("appendonly yes",) if self._snapshot is None else ("appendonly no", f"dbfilename {self._snapshot}")

    def _say_who(self, settings: StoreSettings) -> None:
        parent = os.getpid()
        text = json.dumps({"parent": parent, "parent_start": _start_time(parent), "url": settings.url}).encode()
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, text, 0)

    @staticmethod
    def _comes_up(process: subprocess.Popen[bytes], settings: StoreSettings) -> bool:
        """Waits for PING; LOADING means not yet. False where the process has ended."""
        client = connect(settings)
        end = time.monotonic() + START_SECONDS
        try:
            while process.poll() is None:
                try:
                    client.ping()
                except (redis.exceptions.RedisError, OSError):
                    if time.monotonic() > end:
                        process.kill()
                        process.wait()
                        return False
                    time.sleep(0.01)
                else:
                    return True
        finally:
            client.close()
        return False


def _write_private(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _start_time(pid: int) -> str:
    """Tells a process from a later one with the same number; empty where the system does not say."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _is_alive(pid: int, start: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _start_time(pid) == start
