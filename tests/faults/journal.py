"""The event log of a chaos run: JSON lines in a file, outside everything that the run breaks.

Every line has `t` (seconds since the epoch, the clock of the machine, which is Redis's too) and `kind`:

kind      who writes it  what
request   clients        one HTTP exchange: what, id, sent, took, status (0: no answer), accepted, retry_after ...
cancel    clients        a cancel that was followed to its end: id, sent, took, status
fault     breaker        something was broken: what, target, pids, t; `until` where it was mended, in a later `mended`
mended    breaker        and works again: what, target, began, t
warm      watcher        a child has loaded its libraries: worker, parent, child
held      watcher        a lease seen for the first time: id, fence, attempt, worker
stall     watcher        the machine did not run us for so long: seconds
claimed   workers        from their own logs: id, attempt, fence, pid, at
finish    workers        from their own logs: id, attempt, answer (accepted, stale)
record    store          a job at the end: status, error, attempts with fences and times
compared  a process      a stored result beside that of a quiet run: id, difference, bits
leftovers store          keys at the end
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Event = dict[str, Any]


class Journal:
    """Appends from any thread. An `urgent` line is on disk before the call returns: what was promised to a client."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lock = threading.Lock()

    def write(self, kind: str, *, urgent: bool = False, **what: Any) -> None:
        """One line; `t` is now unless given."""
        line = json.dumps({"t": time.time(), "kind": kind, **what}).encode() + b"\n"
        with self._lock:
            os.write(self._file, line)
            if urgent:
                os.fdatasync(self._file)

    def close(self) -> None:
        """No more lines."""
        os.close(self._file)


def read(path: Path) -> Iterator[Event]:
    """All lines; a last one that was cut short is left out."""
    with path.open() as lines:
        for line in lines:
            if line.endswith("\n"):
                yield json.loads(line)
