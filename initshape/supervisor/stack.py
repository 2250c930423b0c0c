"""The processes of one server: Redis (embedded, or a given one), workers, the API."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from initshape.spec.problem import InitshapeError
from initshape.store import Store, StoreError, StoreFormatError, StoreSettings, condition, tokens
from initshape.store import format as store_format
from initshape.store.binary import ServerError
from initshape.store.keys import FORMAT_NUMBER
from initshape.store.server import RedisServer
from initshape.store.tls import PLAINTEXT, plaintext_remark
from initshape.supervisor.child import Child, Plan, python
from initshape.supervisor.guardian import Guardian
from initshape.supervisor.place import Place, write_private
from initshape.supervisor.revival import Revival

READY_SECONDS = 120.0
STOP_SECONDS = 15.0
_PAUSE = 0.05


class StackError(InitshapeError):
    """The server cannot run as asked: the directory or the port is in use, no Redis, a child that does not come up."""


@dataclass(frozen=True)
class Options:
    """What `initshape serve` takes. `port` 0 means any free one; `redis_url` None means the embedded server."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    redis_url: str | None = None
    auth: bool = True


class Stack:
    """Starts with `start`, is kept alive by calling `tend` now and then, ends with `stop`. One thread only."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self.options = options
        self.place = Place(options.data_dir.absolute())
        self.url = ""
        self.new_token: str | None = None
        self._say = say
        self._lock = -1
        self._redis: RedisServer | None = None
        self._revival: Revival | None = None
        self._guardian: Guardian | None = None
        self._guarded: tuple[int | None, tuple[int, ...]] = (None, ())
        self._children: list[Child] = []

    def start(self, wanted: Callable[[], bool] = lambda: True) -> bool:
        """Everything up and ready, unless `wanted` turns false on the way. Errors: StackError (all stopped then)."""
        try:
            self._check()
            self._take_lock()
            port = self._choose_port()
            self._guardian = Guardian()
            environment = self._start_redis()
            self._guard()
            self._open_store(environment)
            self._children = self._plan(environment, port)
            for child in self._children:
                child.start()
            self._guard()
            if not self._wait_until_ready(wanted):
                return False
            self.place.announce(self.url)
        except BaseException:
            self.stop()
            raise
        return True

    def tend(self) -> None:
        """Restarts what has died."""
        if self._revival is not None:
            self._tend_redis(self._revival)
        for child in self._children:
            child.tend(self._say)
        self._guard()

    def stop(self, hurry: Callable[[], bool] = lambda: False) -> None:
        """Everything down, in order; running jobs are handed over. `hurry` turning true kills instead."""
        if self._lock < 0:
            return  # what is in the directory is another server's
        self.place.withdraw()
        self._stop_children(hurry)
        self._close_redis()
        if self._guardian is not None:
            self._guardian.dismiss()
            self._guardian = None
        os.close(self._lock)
        self._lock = -1

    def _check(self) -> None:
        if not self.options.auth and not _is_loopback(self.options.host):
            raise StackError(f"Without authentication the server listens on loopback only, not on {self.options.host}.")
        if self.options.workers < 1:
            raise StackError("At least one worker is needed.")

    def _take_lock(self) -> None:
        self.place.create()
        lock = os.open(self.place.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            running = self.place.announced()
            at = f" at {running.url}" if running else ""
            raise StackError(f"A server{at} already uses {self.place.data_dir}: stop it, or give --data-dir.") from None
        self._lock = lock

    def _choose_port(self) -> int:
        """The port to use. Until the API binds it somebody may take it; the API then says so and ends."""
        host, port = self.options.host, self.options.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise StackError(f"Cannot listen on {host} port {port}: {error.strerror or error}.") from None
            found: int = probe.getsockname()[1]
        shown = f"[{host}]" if ":" in host else "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104
        self.url = f"http://{shown}:{found}"
        return found

    def _start_redis(self) -> dict[str, str]:
        """The environment in which other processes reach Redis."""
        if self.options.redis_url is not None:
            environment = {**os.environ, "INITSHAPE_REDIS_URL": self.options.redis_url}
            try:
                settings = StoreSettings.from_environment(environment)
                remark = plaintext_remark(settings.url, environment.get(PLAINTEXT) or "warn")
            except (ValueError, OSError) as error:
                raise StackError(str(error)) from error
            if remark:
                self._say(f"warning: {remark}")
            return environment
        try:
            self._redis = RedisServer(self.place.data_dir)
            self._revival = Revival(self._redis)
        except (ServerError, OSError) as error:
            raise StackError(str(error)) from error
        self._say(f"Redis is up ({self._redis.version})")
        own = {name: value for name, value in os.environ.items() if not name.startswith("INITSHAPE_REDIS_")}
        return own | self._redis.environment()

    def _tend_redis(self, revival: Revival) -> None:
        try:
            if revival.tend(self._say):
                return
        except ServerError as error:
            raise StackError(str(error)) from error
        self._say("Redis did not come back at its address; moving it to another port, API and workers start again")
        port = int(self.url.rpartition(":")[2])
        self._stop_children(hurry=lambda: True)  # nothing can be handed over without Redis
        self._close_redis()
        self._children = self._plan(self._start_redis(), port)

    def _close_redis(self) -> None:
        if self._redis is not None:
            self._redis.close()
        self._redis = self._revival = None

    def _open_store(self, environment: dict[str, str]) -> None:
        """Data of this release or of an older one, on a server that keeps them; then the first token."""
        store = Store(StoreSettings.from_environment(environment))
        try:
            found = store.run(store_format.opening())
            if 0 < found < FORMAT_NUMBER:
                self._say(f"the data were of format {found}; now of {FORMAT_NUMBER}")
            if problems := store.run(condition.read()).problems:
                raise StackError(f"Redis is not fit to hold what must not be lost ({'; '.join(problems)}).")
            if self.options.auth:
                self.new_token = store.run(tokens.create_admin())
        except StoreFormatError as error:
            raise StackError(str(error)) from error
        except StoreError as error:
            raise StackError(f"Redis does not answer: {error}") from error
        finally:
            store.close()
        if self.new_token is not None:
            write_private(self.place.token, self.new_token + "\n")

    def _guard(self) -> None:
        """Tells the guardian who there is, when that has changed."""
        redis = self._redis.pid if self._redis is not None and self._redis.alive() else None
        found = (redis, tuple(child.pid for child in self._children if child.pid is not None))
        if self._guardian is not None and found != self._guarded:
            self._guardian.watch(*found)
            self._guarded = found

    def _plan(self, environment: dict[str, str], port: int) -> list[Child]:
        api = python("-m", "service", "--host", self.options.host, "--port", str(port))
        environment = environment | {"INITSHAPE_AUTH": str(self.options.auth).lower()}
        plans = [Plan("API", api, environment, self.place.log("api"))]
        for k in range(1, self.options.workers + 1):
            command = python("-m", "workers", "--queue", "cpu", "--name", f"cpu{k}")
            plans.append(Plan(f"worker {k}", command, environment, self.place.log(f"worker {k}")))
        return [Child(plan) for plan in plans]

    def _wait_until_ready(self, wanted: Callable[[], bool]) -> bool:
        end = time.monotonic() + READY_SECONDS
        while wanted():
            for child in self._children:
                if (code := child.exit_code()) is not None:
                    raise StackError(f"{child.plan.name} ended with code {code} at the start:\n{child.tail()}")
            if _is_ready(self.url):
                return True
            if time.monotonic() > end:
                logs = self.place.data_dir / "logs"
                raise StackError(f"The server is not ready after {READY_SECONDS:g} s; see {logs}.")
            time.sleep(_PAUSE)
        return False

    def _stop_children(self, hurry: Callable[[], bool] = lambda: False) -> None:
        for child in self._children:
            child.terminate()
        end = time.monotonic() + STOP_SECONDS
        while any(child.running() for child in self._children) and time.monotonic() < end and not hurry():
            time.sleep(_PAUSE)
        for child in self._children:
            child.kill()
        self._children = []


def _is_ready(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/health/ready", timeout=2.0) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
