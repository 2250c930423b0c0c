"""What can only be seen while it lasts: who holds which lease, which children are warm, when the machine stalled."""

from __future__ import annotations

import threading
import time

from initshape.store import StoreError
from initshape.store.keys import LEASES, key
from initshape.store.operation import Operation
from tests.faults.journal import Journal
from tests.faults.plant import Plant

LOOK_SECONDS = 0.2
TICK_SECONDS = 0.02
STALL_SECONDS = 0.1

Lease = tuple[str, int, int, str]
"""id, fence, attempt, worker"""


class Watcher:
    """Two threads, between start and stop."""

    def __init__(self, plant: Plant, journal: Journal) -> None:
        self._plant = plant
        self._journal = journal
        self.at_work: frozenset[str] = frozenset()
        """Names of the workers that held a lease at the last look."""
        self._over = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._look, self._tick)]

    def start(self) -> None:
        """Both."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Both."""
        self._over.set()
        for thread in self._threads:
            thread.join(10)

    def _look(self) -> None:
        store = self._plant.store()
        seen: set[Lease] = set()
        warm: set[int] = set()
        while not self._over.wait(LOOK_SECONDS):
            for worker in self._plant.workers:
                child = worker.warm_child()
                if child is not None and child not in warm:
                    warm.add(child)
                    self._journal.write("warm", worker=worker.name, parent=worker.pid, child=child)
            try:
                held = store.run(_held())
            except StoreError:
                continue
            self.at_work = frozenset(who.partition("@")[0] for _, _, _, who in held)
            for lease in held:
                if lease not in seen:
                    seen.add(lease)
                    id, fence, attempt, who = lease
                    self._journal.write("held", id=id, fence=fence, attempt=attempt, worker=who)
        store.close()

    def _tick(self) -> None:
        last = time.monotonic()
        while not self._over.wait(TICK_SECONDS):
            now = time.monotonic()
            if (late := now - last - TICK_SECONDS) > STALL_SECONDS:
                self._journal.write("stall", seconds=round(late, 3))
            last = now


def _held() -> Operation[list[Lease]]:
    (ids,) = yield [("ZRANGE", LEASES, 0, -1)]
    rows = (yield [("HMGET", key("job", id.decode()), "fence", "attempt", "worker") for id in ids]) if ids else []
    return [
        (id.decode(), int(fence), int(attempt), who.decode())
        for id, (fence, attempt, who) in zip(ids, rows, strict=True)
        if fence and attempt and who
    ]
