"""One child process: started with its own log and session, never outliving the supervisor, restarted with backoff."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_STEADY_SECONDS = 60.0
"""A child that lived so long starts its backoff anew."""
_PR_SET_PDEATHSIG = 1
_TAIL_BYTES = 4000
_LARGE_LOG = 16 * 2**20


@dataclass(frozen=True)
class Plan:
    """What to run: the name for people, the command, its whole environment, and where its output goes."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path


class Child:
    """Runs a plan. Nothing here blocks but `kill`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._pause = _FIRST_PAUSE
        self._due = 0.0

    def start(self) -> None:
        """Starts the process; output goes to the log, and a large old log aside."""
        with contextlib.suppress(OSError):
            if self.plan.log.stat().st_size > _LARGE_LOG:
                self.plan.log.replace(self.plan.log.with_suffix(".old.log"))
        with self.plan.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                self.plan.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self.plan.environment),
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops the others in order
                preexec_fn=end_with_parent(os.getpid()),
            )
        self._started = time.monotonic()

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process is not None and self.running() else None

    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.returncode is None and not self._has_ended()

    def tend(self, say: Callable[[str], None]) -> None:
        """Starts the process again if it died, after a pause that doubles with each quick death."""
        now = time.monotonic()
        if self._process is not None and not self.running():
            code = self._reap()
            if now - self._started > _STEADY_SECONDS:
                self._pause = _FIRST_PAUSE
            say(f"{self.plan.name} ended ({_words(code)}); starting it again in {self._pause:g} s, see {self.plan.log}")
            self._due, self._pause = now + self._pause, min(2 * self._pause, _LONGEST_PAUSE)
        elif self._process is None and now >= self._due:
            self.start()

    def exit_code(self) -> int | None:
        """Exit code of a process that has ended, None while it runs."""
        return None if self.running() or self._process is None else self._reap(forget=False)

    def terminate(self) -> None:
        """Asks it to stop."""
        if self._process is not None and self.running():
            self._process.terminate()

    def kill(self) -> None:
        """Ends it and whatever it has started, at once."""
        if self._process is not None:
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def tail(self) -> str:
        """The last lines of the log."""
        try:
            text = self.plan.log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-12:])

    def _has_ended(self) -> bool:
        """Looks without reaping, so that the number of the process group stays ours."""
        assert self._process is not None  # noqa: S101
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        try:
            return os.waitid(os.P_PID, self._process.pid, flags) is not None
        except ChildProcessError:
            return True

    def _reap(self, *, forget: bool = True) -> int:
        """Takes the exit code, after ending what the dead process left behind (a computing grandchild)."""
        assert self._process is not None  # noqa: S101
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        if forget:
            self._process = None
        return code


def python(*arguments: str) -> tuple[str, ...]:
    """A command of this interpreter."""
    return (sys.executable, *arguments)


def end_with_parent(parent: int) -> Callable[[], None] | None:
    """For `preexec_fn` of a process with one thread. On Linux: SIGTERM when the parent dies, even by SIGKILL."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def set_signal() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return set_signal


def _words(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
