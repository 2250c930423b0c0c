"""What the computation and the heartbeat know about one job of a batch: its turn, its progress, the wish to stop."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from initshape.store import Store, StoreError, leases
from initshape.store.leases import Claim, Renewal, Turn
from initshape.store.operation import Script
from workers.departure import departure

logger = logging.getLogger(__name__)

RETRY_SECONDS: Final = 0.5


class Abandoned(BaseException):
    """Raised inside the computation: nobody wants its result. Not an Exception, so that no library swallows it."""

    def __init__(self, how: str, cancelled: bool) -> None:
        super().__init__(how)
        self.how = how
        self.cancelled = cancelled


class Departing(Abandoned):
    """The worker must go, and another one is to go on with the job."""

    def __init__(self) -> None:
        super().__init__("handed over", cancelled=False)


class Watch:
    """One job. The lock is that of the heartbeat; `sign_of_life` and `others` (that wait) are, too."""

    def __init__(
        self,
        store: Store,
        claim: Claim,
        lock: threading.RLock,
        sign_of_life: Callable[[], None],
        others: Callable[[], list[Watch]],
    ) -> None:
        self.claim = claim
        self.noticed = threading.Event()
        """The computation has ended, or knows that it has to: nothing is left to enforce."""
        self.stop: Abandoned | None = None
        self.waits = not claim.begun
        self.turn: Turn | None = None
        """What the store has said about its turn, if it was asked in advance."""
        self.over = False
        """The lease is no longer ours to renew."""
        self._store = store
        self._lock = lock
        self._sign_of_life = sign_of_life
        self._others = others
        self._progress: dict[str, Any] | None = None
        self._started = time.monotonic() if claim.begun else math.inf
        self._stop_since = math.inf

    def on_progress(self, progress: Any) -> None:
        """Called by the computation between two blocks, first when its turn comes. Raises Abandoned.

        Costs no round trip but the first time in a batch, when the store is told that the job begins.
        """
        if departure.begun:
            raise Departing
        if self.waits:
            self._begin()
        told = {name: _plain(value) for name, value in vars(progress).items()}
        with self._lock:
            self._sign_of_life()
            self._progress = told
            if self.stop is not None:
                self.noticed.set()
                raise self.stop

    def beginning(self) -> Script:
        """The command that tells the store of its turn."""
        rest = sum(watch is not self for watch in self._others())
        return leases.beginning(self.claim.id, self.claim.fence, rest)

    def computed(self) -> None:
        """The computation is over and only its delivery may take time: the deadline has been kept."""
        with self._lock:
            self._started = math.inf

    def check(self) -> None:
        """A sign of life without progress, while the result is on its way. Raises Abandoned where the lease is lost."""
        with self._lock:
            self._sign_of_life()
            if self.stop is not None and not self.stop.cancelled:
                self.noticed.set()
                raise self.stop

    def leave(self, how: Abandoned | None = None) -> None:
        """The job is ours no more: delivered, given back, or lost."""
        with self._lock:
            self.over, self.waits = True, False
            self._started = self._stop_since = math.inf
            self.stop = how or self.stop
            self.noticed.set()

    def take_progress(self) -> dict[str, Any] | None:
        """What is to be told; once."""
        told, self._progress = self._progress, None
        return told

    def hear(self, renewal: Renewal, now: float) -> None:
        """What the store said to a renewal."""
        with self._lock:
            if self.over:
                return
            if not renewal.held:
                self._wish(Abandoned("lease lost", cancelled=False), now)
            elif renewal.cancel:
                self._wish(Abandoned("cancelled", cancelled=True), now)
            else:
                self.stop, self._stop_since = None, math.inf

    def ran(self, now: float) -> float:
        """Seconds since its turn came; -inf before that and after the computation."""
        return now - self._started

    def stopping(self, now: float) -> float:
        """Seconds for which it has run although it was to stop; -inf where nothing is to be enforced."""
        return -math.inf if self.waits or self.noticed.is_set() else now - self._stop_since

    def _wish(self, stop: Abandoned, now: float) -> None:
        if self.stop is None:
            logger.info("to be stopped: %s", stop.how, extra=self.claim.trace)
        self.stop = stop
        self._stop_since = min(self._stop_since, now)

    def _begin(self) -> None:
        with self._lock:
            if self.stop is not None:
                self.leave(self.stop)
                raise self.stop
            rest = [watch for watch in self._others() if watch is not self]
        turn = self.turn or self._ask(len(rest))
        if not turn.held:
            self._refuse(Abandoned("lease lost", cancelled=False))
        if turn.cancel:
            self._refuse(Abandoned("cancelled", cancelled=True))
        if turn.yields or turn.spare:
            give_back(self._store, self._lock, [self, *rest] if turn.yields else rest[len(rest) - turn.spare :])
        with self._lock:
            if self.over:
                assert self.stop is not None  # noqa: S101 - set by whoever took it away
                raise self.stop
            self.waits, self._started = False, time.monotonic()

    def _refuse(self, why: Abandoned) -> None:
        self.leave(why)
        raise why

    def _ask(self, rest: int) -> Turn:
        """Asks until Redis answers: until then the job is ours, and has not begun."""
        while True:
            try:
                return self._store.run(leases.begin(self.claim.id, self.claim.fence, rest))
            except StoreError as error:
                logger.warning("waits for its turn: %s", error, extra=self.claim.trace)
            self._sign_of_life()
            time.sleep(RETRY_SECONDS)


def give_back(store: Store, lock: threading.RLock, waiting: Sequence[Watch]) -> None:
    """Jobs that have not begun return to the queue; where Redis is away, their leases expire instead."""
    with lock:
        chosen = [watch for watch in waiting if watch.waits]
        for watch in chosen:
            watch.leave(Abandoned("given back", cancelled=False))
    try:
        store.run(leases.hand_over_many([(watch.claim.id, watch.claim.fence) for watch in chosen]))
    except StoreError as error:
        logger.warning("what waits cannot be given back, its leases will expire: %s", error)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
