"""Whether the kernel ended a child for memory: from the counter of the control group that the child ran in.

The machine's own counter (/proc/vmstat) also rises for strangers, and a child that somebody else killed would then pass
for out of memory: it serves only where no control group tells.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

RECENT_SECONDS: Final = 5.0
"""A process that the kernel kills may take so long to go."""
_GROUPS: Final = Path("/sys/fs/cgroup")
_MACHINE: Final = Path("/proc/vmstat")


class OomKills:
    """`look` at children while they live; `lately` afterwards."""

    def __init__(self) -> None:
        self._counters: dict[int, Path] = {}
        self._counts: dict[Path, int] = {}
        self._until: dict[Path, float] = {}

    def look(self, children: set[int]) -> None:
        """Notes where each child runs, forgets those not named, and reads all counters again."""
        found = {pid: counter_of(pid) or self._counters.get(pid) for pid in children}
        self._counters = {pid: counter for pid, counter in found.items() if counter is not None}
        for counter in set(self._counters.values()):
            count = _kills(counter)
            if count > self._counts.setdefault(counter, count):
                self._counts[counter], self._until[counter] = count, time.monotonic() + RECENT_SECONDS

    def lately(self, pid: int) -> bool:
        """True for some seconds after the kernel has killed where this child ran; False for one never seen alive."""
        counter = self._counters.get(pid)
        return counter is not None and time.monotonic() < self._until.get(counter, 0.0)


def counter_of(pid: int) -> Path | None:
    """The file that counts kills for memory where a process runs; None where it has gone."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return None
    if not lines:
        return None
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if controllers == "memory":
            file = _GROUPS / "memory" / place.lstrip("/") / "memory.oom_control"
        elif controllers == "":
            file = _GROUPS / place.lstrip("/") / "memory.events"
        else:
            continue
        if file.is_file():
            return file
    return _MACHINE


def _kills(counter: Path) -> int:
    try:
        lines = counter.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
