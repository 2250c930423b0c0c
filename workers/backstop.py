"""The parent steps in where a child cannot: some library calls hold Python's lock for minutes, so that the child's
heartbeat thread stands still although the computation is sound.

The parent then renews the lease, for as long as the child works (a frozen or hung child uses no processor time, so its
lease expires), and enforces cancel, deadline and the memory limit from outside.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from initshape.store import Store, jobs, leases
from initshape.store.leases import Finish, Held
from workers.memory import HEADROOM, SLACK, held_bytes, limit_bytes, ran_out, too_much
from workers.oom_kills import OomKills
from workers.patience import Patience, late

logger = logging.getLogger(__name__)


def kill(pid: int) -> None:
    """Ends a child at once; Celery starts another."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        logger.debug("child %d had gone", pid)


class Backstop:
    """`tick` it about twice a second."""

    def __init__(
        self, store: Store, worker: str, patience: Patience | None = None, end: Callable[[int], None] = kill
    ) -> None:
        self._store = store
        self._worker = worker
        self._patience = patience or Patience()
        self._end = end
        self._worked: dict[int, float] = {}
        self._oom_kills = OomKills()
        self._largest = limit_bytes() + HEADROOM + SLACK

    def tick(self) -> None:
        """One look at the leases of the children. Errors: StoreError."""
        held = self._store.run(leases.held_by(self._worker))
        self._oom_kills.look({pid for lease in held if (pid := child_of(lease.worker)) is not None})
        seen: dict[int, float] = {}
        for lease in held:
            pid = child_of(lease.worker)
            if pid is None:
                continue
            if pid not in seen:
                seen[pid] = processor_seconds(pid)
            self._look_after(lease, pid, held, working=seen[pid] > self._worked.get(pid, seen[pid]))
        self._worked = seen

    def _look_after(self, lease: Held, pid: int, held: Sequence[Held], working: bool) -> None:
        if lease.begun and (why := self._out_of_memory(pid)):
            error = ran_out(why, self._store.run(jobs.document(lease.id)))
            self._stop(lease, pid, held, self._store.run(leases.fail(lease.id, lease.fence, error)))
            return
        starved = working and lease.left < leases.LEASE_SECONDS / 2
        if lease.begun and starved and lease.ran > self._patience.until(lease.max_seconds):
            error = late(lease.ran, lease.max_seconds)
            self._stop(lease, pid, held, self._store.run(leases.fail(lease.id, lease.fence, error)))
        elif lease.stopping > self._patience.parent:
            self._stop(lease, pid, held, self._store.run(leases.stopped(lease.id, lease.fence)))
        elif starved:
            self._store.run(leases.renew(lease.id, lease.fence))

    def _out_of_memory(self, pid: int) -> str | None:
        memory = held_bytes(pid)
        if memory > self._largest:
            return too_much(memory)
        return "the system had none left and ended it" if memory == 0 and self._oom_kills.lately(pid) else None

    def _stop(self, lease: Held, pid: int, held: Sequence[Held], answer: Finish) -> None:
        """Ends the child that is at this job; what waits in it for its turn goes back to the queue first."""
        if answer is Finish.accepted and lease.begun:  # else it has ended by itself, or waited: the child is elsewhere
            logger.warning("stopped from outside", extra={"job": lease.id, "request": lease.request, "child": pid})
            waiting = [(other.id, other.fence) for other in held if not other.begun and child_of(other.worker) == pid]
            self._store.run(leases.hand_over_many(waiting))
            self._end(pid)


def child_name(worker: str, pid: int) -> str:
    """Name under which a child of a worker claims."""
    return f"{worker}/{pid}"


def child_of(name: str) -> int | None:
    """The process id in it."""
    number = name.rpartition("/")[2]
    return int(number) if number.isdigit() else None


def processor_seconds(pid: int) -> float:
    """Processor time of a process, all threads; 0 where there is none or the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
