"""The thread that keeps the leases of a batch, carries progress out and the wish to stop in; each job by itself.

It renews only while the computation shows signs of life (progress, or work for the processor): a hung library call
costs minutes, not for ever. What cannot be stopped between two blocks is stopped by killing this process, for nothing
else interrupts a compiled call; Celery starts a new child, and the store already knows what became of the jobs.

reason to stop              computation notices              otherwise, after the grace time
lease lost (fenced off)     Abandoned at its next progress   the process kills itself
somebody cancelled          Abandoned at its next progress   job is reported stopped, the process kills itself
max_seconds and a margin    -                                job fails with `deadline`, the process kills itself
no sign of life             -                                the process kills itself; the reaper queues the job again

Jobs that wait for their turn in the batch are stopped without any of this, and go back to the queue before a kill.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Final, Self

from initshape.store import Store, StoreError, leases
from initshape.store.leases import Claim, Finish
from initshape.store.operation import Operation
from workers.departure import departure
from workers.patience import Patience, late
from workers.watch import Watch, give_back

logger = logging.getLogger(__name__)

_WORK_SECONDS: Final = 1.0
"""Processor time that counts as a sign of life; this thread alone takes minutes to use so much."""

_threads: Final = ThreadPoolExecutor(thread_name_prefix="heartbeat")
"""Kept from job to job: to start a thread takes as long as a small fit."""


def kill_this_process() -> None:
    """Ends the child at once; the parent starts another."""
    os.kill(os.getpid(), signal.SIGKILL)


class Heartbeat:
    """Use as a context manager around the jobs of one claim. `watches` stand beside them, in the same order."""

    def __init__(
        self,
        store: Store,
        claims: Sequence[Claim],
        patience: Patience | None = None,
        kill: Callable[[], None] = kill_this_process,
    ) -> None:
        self._store = store
        self._patience = patience or Patience()
        self._kill = kill
        self._lock = threading.RLock()
        self._alive = time.monotonic()
        self._worked = time.process_time()
        self.watches = tuple(Watch(store, claim, self._lock, self._sign_of_life, self._others) for claim in claims)
        self._over = threading.Event()
        self._beating: Future[None] | None = None

    def __enter__(self) -> Self:
        self._beating = _threads.submit(self._loop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._beating is not None and (broken := self._beating.exception()) is not None:
            logger.error("the heartbeat broke", exc_info=broken)

    def _sign_of_life(self) -> None:
        self._alive = time.monotonic()

    def _others(self) -> list[Watch]:
        """Those that wait for their turn, the last one last."""
        return [watch for watch in self.watches if watch.waits]

    def _loop(self) -> None:
        while not self._over.wait(self._pause()):
            now = time.monotonic()
            if (worked := time.process_time()) - self._worked > _WORK_SECONDS:
                self._alive, self._worked = now, worked
            if now - self._alive > self._patience.life:
                logger.error("nothing has moved for %.0f s, giving up this process", now - self._alive)
                give_back(self._store, self._lock, self._others())
                return self._kill()
            try:
                if any(self._enforce(watch, now) for watch in self.watches):
                    return None
                self._renew(now)
                self._release(now)
            except StoreError as error:
                # The claim is held while Redis is away: on its return it is either still ours or not.
                logger.warning("heartbeat: %s", error)
        return None

    def _pause(self) -> float:
        stopping = any(watch.stop is not None and not watch.over for watch in self.watches)
        return self._patience.beat / 5 if stopping else self._patience.beat

    def _enforce(self, watch: Watch, now: float) -> bool:
        """Ends the process where a job that runs is late, or has not noticed that it is to stop. True: it is ending."""
        claim = watch.claim
        ran = watch.ran(now)
        if ran > self._patience.until(claim.max_seconds):
            return self._end(watch, leases.fail(claim.id, claim.fence, late(ran, claim.max_seconds)))
        if watch.stopping(now) > self._patience.stop:
            return self._end(watch, leases.stopped(claim.id, claim.fence))
        return False

    def _renew(self, now: float) -> None:
        with self._lock:
            held = [(watch, watch.take_progress()) for watch in self.watches if not watch.over]
        if not held:
            return
        asked = [(watch.claim.id, watch.claim.fence, told) for watch, told in held]
        for (watch, _), renewal in zip(held, self._store.run(leases.renew_many(asked)), strict=True):
            watch.hear(renewal, now)

    def _release(self, now: float) -> None:
        """What waits goes where it is wanted: to its end if it was cancelled, back if its turn is long in coming.

        Back, too, where this process has to go.
        """
        with self._lock:
            stopped = [watch for watch in self._others() if watch.stop is not None]
            for watch in stopped:
                watch.leave(watch.stop)
            slow = departure.begun or any(watch.ran(now) > self._patience.turn for watch in self.watches)
            waiting = self._others() if slow else []
        for watch in stopped:
            if watch.stop is not None and watch.stop.cancelled:
                self._store.run(leases.stopped(watch.claim.id, watch.claim.fence))
        give_back(self._store, self._lock, waiting)

    def _end(self, watch: Watch, report: Operation[Finish]) -> bool:
        self._store.run(report)
        if watch.noticed.wait(0.1):  # the computation may have ended just now
            return False
        logger.warning("ends its process: it did not stop in time", extra=watch.claim.trace)
        give_back(self._store, self._lock, self._others())
        self._kill()
        return True
