"""Beside a worker somebody compiles likely programs, and stops with it."""

from __future__ import annotations

import os
from pathlib import Path

from initshape.store import Queue, presence
from initshape.warm import LOCK
from tests.workers.factory import Factory, stop, until


def beside(parent: int) -> list[int]:
    """The process that warms up, if there is one."""
    numbers = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(n) for n in numbers if b"initshape.warm" in Path(f"/proc/{n}/cmdline").read_bytes()]


def test_a_worker_has_programs_made_while_it_serves(factory: Factory, tmp_path: Path) -> None:
    assert factory.process is not None
    assert beside(factory.process.pid) == []  # INITSHAPE_WARM=0
    stop(factory.process)
    worker = factory.process = factory.start_worker(
        "warming", INITSHAPE_WARM="1", INITSHAPE_COMPILATION_CACHE=str(tmp_path / "made")
    )
    until(lambda: (tmp_path / "made" / LOCK).exists())
    (warming,) = beside(worker.pid)
    assert os.getpriority(os.PRIO_PROCESS, warming) == 19
    until(lambda: factory.store.run(presence.slots_alive(Queue.cpu)) == 1)
    factory.warm()  # a job goes through meanwhile
    stop(worker)
    until(lambda: not Path(f"/proc/{warming}").exists())
    factory.process = factory.start_worker("last")
