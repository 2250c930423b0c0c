"""Carries a schedule of faults out, and mends what it has broken. Never more than half of the workers are down."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.faults import schedule
from tests.faults.journal import Journal
from tests.faults.plant import Plant
from tests.faults.processes import Program, Worker
from tests.faults.schedule import Fault


@dataclass(order=True)
class _Repair:
    due: float
    what: str = field(compare=False)
    target: str = field(compare=False)
    began: float = field(compare=False)
    mend: Callable[[], None] = field(compare=False)


class Breaker:
    """Run it in a thread of its own; `done` is set when every fault has been and everything is mended.

    With `aim`, the names of workers that are at a job, it waits until there is one, and hits one of them.
    """

    def __init__(
        self,
        plant: Plant,
        journal: Journal,
        faults: Iterable[Fault],
        enough: threading.Event,
        aim: Callable[[], frozenset[str]] | None = None,
    ) -> None:
        self._plant = plant
        self._aim = aim
        self._journal = journal
        self._faults = faults
        self._enough = enough
        self._repairs: list[_Repair] = []
        self.done = threading.Event()
        self.count = 0

    def run(self) -> None:
        """Until the schedule ends, or `enough` is set."""
        try:
            for fault in self._faults:
                if self._rest(fault.after):
                    break
                while not self._possible(fault):
                    if self._rest(0.1):
                        break
                if self._enough.is_set():
                    break
                self._break(fault)
                self.count += 1
        finally:
            while self._repairs:
                self._mend_what_is_due()
                time.sleep(0.05)
            self.done.set()

    def _rest(self, seconds: float) -> bool:
        """Mends meanwhile. True: it is enough."""
        end = time.monotonic() + seconds
        while not self._enough.is_set():
            self._mend_what_is_due()
            left = end - time.monotonic()
            if left <= 0:
                return False
            self._enough.wait(min(left, 0.05))
        return True

    def _mend_what_is_due(self) -> None:
        for repair in sorted(one for one in self._repairs if one.due <= time.monotonic()):
            self._repairs.remove(repair)
            repair.mend()
            self._journal.write("mended", what=repair.what, target=repair.target, began=repair.began)

    def _possible(self, fault: Fault) -> bool:
        if not self._targets():
            return False
        if fault.what in (schedule.CHILD, schedule.WORKER, schedule.FREEZE):
            down = len(self._plant.workers) - len(self._plant.up())
            return down < max(1, len(self._plant.workers) // 2)
        target = "api" if fault.what == schedule.API else "redis"
        return all(repair.target != target for repair in self._repairs)

    def _break(self, fault: Fault) -> None:
        if fault.what in (schedule.REDIS, schedule.REDIS_FREEZE):
            self._hit(fault, self._plant.redis, frozen=fault.what == schedule.REDIS_FREEZE)
        elif fault.what == schedule.API:
            self._hit(fault, self._plant.api, frozen=False)
        else:
            targets = self._targets()
            if not targets:
                return
            worker = targets[int(fault.victim * len(targets))]
            if fault.what == schedule.CHILD:
                self._kill_child(worker)
            else:
                self._hit(fault, worker, frozen=fault.what == schedule.FREEZE)

    def _targets(self) -> list[Worker]:
        up = self._plant.up()
        return up if self._aim is None else [worker for worker in up if worker.name in self._aim()]

    def _kill_child(self, worker: Worker) -> None:
        began = time.time()
        hit = worker.kill_child()
        self._journal.write("fault", t=began, what=schedule.CHILD, target=worker.name, pids=hit)

    def _hit(self, fault: Fault, program: Program, frozen: bool) -> None:
        began = time.time()
        hit = program.freeze() if frozen else program.kill()
        self._journal.write("fault", t=began, what=fault.what, target=program.name, pids=hit, seconds=fault.seconds)
        if frozen:
            self._plant.frozen.add(program.name)

        def mend() -> None:
            if frozen:
                program.thaw(hit)
                self._plant.frozen.discard(program.name)
            else:
                program.start()

        due = time.monotonic() + fault.seconds
        self._repairs.append(_Repair(due, fault.what, program.name, began, mend))
