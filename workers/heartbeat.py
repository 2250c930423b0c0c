"""The thread that keeps a lease, carries progress out and the wish to stop in.

It renews only while the computation shows signs of life (progress, or work for the processor): a hung library call
costs minutes, not for ever. What cannot be stopped between two blocks is stopped by killing this process, for nothing
else interrupts a compiled call; Celery starts a new child, and the store already knows what became of the job.

reason to stop              computation notices              otherwise, after the grace time
lease lost (fenced off)     Abandoned at its next progress   the process kills itself
somebody cancelled          Abandoned at its next progress   job is reported stopped, the process kills itself
max_seconds and a margin    -                                job fails with `deadline`, the process kills itself
no sign of life             -                                the process kills itself; the reaper queues the job again
"""

from __future__ import annotations

import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

from initshape.store import Store, StoreError, leases
from initshape.store.leases import Claim, Finish
from initshape.store.operation import Operation
from workers.patience import Patience, late

logger = logging.getLogger(__name__)

_WORK_SECONDS: Final = 1.0
"""Processor time that counts as a sign of life; this thread alone takes minutes to use so much."""


class Abandoned(BaseException):
    """Raised inside the computation: nobody wants its result. Not an Exception, so that no library swallows it."""

    def __init__(self, how: str, cancelled: bool) -> None:
        super().__init__(how)
        self.how = how
        self.cancelled = cancelled


def kill_this_process() -> None:
    """Ends the child at once; the parent starts another."""
    os.kill(os.getpid(), signal.SIGKILL)


class Heartbeat:
    """Use as a context manager around one job."""

    def __init__(
        self, store: Store, claim: Claim, patience: Patience | None = None, kill: Callable[[], None] = kill_this_process
    ) -> None:
        self._store = store
        self._claim = claim
        self._patience = patience or Patience()
        self._kill = kill
        self._lock = threading.Lock()
        self._progress: dict[str, Any] | None = None
        self._alive = self._started = time.monotonic()
        self._worked = time.process_time()
        self._stop: Abandoned | None = None
        self._stop_since = math.inf
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=f"heartbeat {claim.id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def on_progress(self, progress: Any) -> None:
        """Called by the computation between two blocks. Costs no round trip. Raises Abandoned."""
        told = {name: _plain(value) for name, value in vars(progress).items()}
        with self._lock:
            self._alive = time.monotonic()
            self._progress = told
            if self._stop is not None:
                self._over.set()  # the computation has noticed: nothing is left to enforce
                raise self._stop

    def computed(self) -> None:
        """The computation is over and only its delivery may take time: the deadline has been kept."""
        with self._lock:
            self._started = math.inf

    def check(self) -> None:
        """A sign of life without progress, while the result is on its way. Raises Abandoned where the lease is lost."""
        with self._lock:
            self._alive = time.monotonic()
            if self._stop is not None and not self._stop.cancelled:
                self._over.set()
                raise self._stop

    def _loop(self) -> None:
        while not self._over.wait(self._patience.beat if self._stop is None else self._patience.beat / 5):
            now = time.monotonic()
            with self._lock:
                told, self._progress = self._progress, None
                if (worked := time.process_time()) - self._worked > _WORK_SECONDS:
                    self._alive, self._worked = now, worked
                silent, ran = now - self._alive, now - self._started
            if silent > self._patience.life:
                logger.error("%s: nothing has moved for %.0f s, giving up this process", self._claim.id, silent)
                return self._kill()
            try:
                if ran > self._patience.until(self._claim.max_seconds):
                    return self._end(leases.fail(self._claim.id, self._claim.fence, late(ran, self._claim.max_seconds)))
                if now - self._stop_since > self._patience.stop:
                    return self._end(leases.stopped(self._claim.id, self._claim.fence))
                renewal = self._store.run(leases.renew(self._claim.id, self._claim.fence, told))
            except StoreError as error:
                # The claim is held while Redis is away: on its return it is either still ours or not.
                logger.warning("%s: heartbeat: %s", self._claim.id, error)
                continue
            with self._lock:
                if not renewal.held:
                    self._notice(Abandoned("lease lost", cancelled=False), now)
                elif renewal.cancel:
                    self._notice(Abandoned("cancelled", cancelled=True), now)
                else:
                    self._stop, self._stop_since = None, math.inf
        return None

    def _notice(self, stop: Abandoned, now: float) -> None:
        self._stop = stop
        self._stop_since = min(self._stop_since, now)

    def _end(self, report: Operation[Finish]) -> None:
        self._store.run(report)
        if not self._over.wait(0.1):  # the computation may have ended just now
            self._kill()


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
