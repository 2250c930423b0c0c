"""The housekeeping that every worker and every API process repeats: reap, count the rings that are due, prune.

Any number of copies is safe, because each step is one script.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from initshape.store import leases
from initshape.store.errors import StoreError
from initshape.store.operation import Operation
from initshape.store.queues import Queue
from initshape.store.store import Store

logger = logging.getLogger(__name__)

TICK_SECONDS: Final = leases.REAP_SECONDS


@dataclass(frozen=True)
class Tick:
    """`taken`: leases that had expired. `rings`: messages to send, a queue."""

    taken: int
    rings: dict[Queue, int]


def tick() -> Operation[Tick]:
    """One turn. Send the rings afterwards: one message `queues.TASK` each."""
    reaped = yield from leases.reap()
    rings = {}
    for queue in Queue:
        # what was just taken back is rung for at once, the rest once a period by whoever comes first
        due = yield from leases.rings_due(queue, 0.0 if reaped.taken else leases.RING_SECONDS)
        if due:
            rings[queue] = due
    yield from leases.prune()
    return Tick(reaped.taken, rings)


class ReaperThread:
    """Runs `tick`, and before it `also` (what else a worker's parent has to do), from a daemon thread until stopped.

    Survives Redis outages.
    """

    def __init__(self, store: Store, ring: Callable[[Queue], None], also: Callable[[], None]) -> None:
        self._store = store
        self._ring = ring
        self._also = also
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="reaper", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after the turn that it is in."""
        self._stop.set()
        self._thread.join(timeout=5.0)

    def _loop(self) -> None:
        while not self._stop.wait(TICK_SECONDS):
            for part in (self._also, self._turn):  # one must not keep the other from its work
                try:
                    part()
                except StoreError as error:
                    logger.warning("Redis is away: %s", error)
                except Exception:  # the thread must outlive whatever the broker's client raises
                    logger.exception("a turn of the reaper failed")

    def _turn(self) -> None:
        for queue, number in self._store.run(tick()).rings.items():
            for _ in range(number):
                self._ring(queue)
