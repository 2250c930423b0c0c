"""What the processes of a running service take: memory, open files, keys."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from initshape.store import StoreError
from tests.faults.plant import Plant

Sample = dict[str, float]
"""`seconds` since the start, and one number a series: `api MiB`, `w1 child files`, `keys` ..."""

MEBI = 2**20


class Sampler:
    """A thread that writes one line of JSON every `period` seconds."""

    def __init__(self, plant: Plant, path: Path, period: float) -> None:
        self._plant = plant
        self._path = path
        self._period = period
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _loop(self) -> None:
        store = self._plant.store()
        began = time.monotonic()
        with self._path.open("a", buffering=1) as file:
            while not self._over.wait(self._period):
                sample: Sample = {"seconds": time.monotonic() - began, **processes(named(self._plant))}
                try:
                    memory = store.client.info("memory")
                    sample["redis data MiB"] = memory["used_memory"] / MEBI
                    sample["keys"] = store.client.dbsize()
                    sample["clients of redis"] = store.client.info("clients")["connected_clients"]
                except StoreError:
                    continue
                file.write(json.dumps(sample) + "\n")
        store.close()


def named(plant: Plant) -> dict[str, int]:
    """Processes by name."""
    found = {"api": plant.api.pid, "redis": plant.redis.pid}
    for worker in plant.workers:
        found[f"{worker.name} parent"] = worker.pid
        if (child := worker.child()) is not None:
            found[f"{worker.name} child"] = child
    return found


def processes(pids: dict[str, int]) -> Sample:
    """Resident memory and open files of each; nothing of one that has ended."""
    sample: Sample = {}
    for name, pid in pids.items():
        place = Path(f"/proc/{pid}")
        try:
            status = (place / "status").read_text()
            files = sum(1 for _ in (place / "fd").iterdir())
        except OSError:
            continue
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        sample[f"{name} MiB"] = int(resident.split()[1]) * 1024 / MEBI
        sample[f"{name} files"] = float(files)
    return sample


def read(path: Path) -> list[Sample]:
    """All samples."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def series(samples: Iterable[Sample]) -> dict[str, list[tuple[float, float]]]:
    """Each series by itself: (seconds, value)."""
    found: dict[str, list[tuple[float, float]]] = {}
    for sample in samples:
        for name, value in sample.items():
            if name != "seconds":
                found.setdefault(name, []).append((sample["seconds"], value))
    return found
