"""One chaos run from start to verdict: run, break, wait for the end, look at what is left, compare, check."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from tests.faults import collect, journal
from tests.faults.breaker import Breaker
from tests.faults.checks import CHECKS, Finding
from tests.faults.client import Client
from tests.faults.customer import Customer, Stock
from tests.faults.history import History
from tests.faults.plant import Plant, running
from tests.faults.scenario import Scenario
from tests.faults.schedule import endless, schedule
from tests.faults.watcher import Watcher

SETTLE_SECONDS = 2.0
COMPARE_SECONDS = 3600.0
SAY_SECONDS = 30.0


@dataclass(frozen=True)
class Report:
    """Verdict of one run; `seconds` is that of clients and faults."""

    scenario: Scenario
    seed: int
    findings: tuple[Finding, ...]
    seconds: float
    faults: dict[str, int]

    @property
    def good(self) -> bool:
        """Every promise was kept."""
        return not any(finding.broken for finding in self.findings)


def run(scenario: Scenario, seed: int, folder: Path, say: Callable[[str], None] = lambda text: None) -> Report:
    """Everything is started and stopped in here; the event log and all logs stay in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    log = journal.Journal(folder / "journal.jsonl")
    try:
        with running(folder, scenario.workers) as plant:
            say(
                f"{scenario.name}: {scenario.workers} workers, {scenario.clients} clients, seed {seed}; log in {folder}"
            )
            _storm(scenario, seed, plant, log, say)
            say("looking at what is left")
            time.sleep(SETTLE_SECONDS)
            known = _look_back(plant, log)
            for program in (*plant.workers, plant.api):
                program.stop()
            collect.worker_logs([worker.log for worker in plant.workers], log)
            say(f"comparing {len(known)} results with a quiet run")
            _compare(plant, known)
    finally:
        log.close()
    return judge(scenario, seed, folder)


def judge(scenario: Scenario, seed: int, folder: Path) -> Report:
    """What the log in a folder says."""
    history = History(journal.read(folder / "journal.jsonl"))
    times = [event["t"] for event in (*history.requests(), *history.all("fault"), *history.all("mended"))]
    faults = Counter(window.what for window in history.windows)
    return Report(scenario, seed, tuple(check(history) for check in CHECKS), max(times) - min(times), dict(faults))


def _storm(scenario: Scenario, seed: int, plant: Plant, log: journal.Journal, say: Callable[[str], None]) -> None:
    """Clients and faults, until the one or the other are through and everything accepted has ended."""
    stop, enough = threading.Event(), threading.Event()
    plan = endless if math.isfinite(scenario.jobs) else schedule
    stock = Stock(scenario.jobs)
    clients = [Client(plant.api.url, plant.token(f"u{k}"), f"u{k}", log) for k in range(scenario.clients)]
    watcher = Watcher(plant, log)
    faults = plan(seed, scenario.counts, scenario.mean, scenario.ranges)
    breaker = Breaker(plant, log, faults, enough, (lambda: watcher.at_work) if scenario.aimed else None)
    began = time.monotonic()
    watcher.start()
    try:
        with ThreadPoolExecutor(scenario.clients + 1) as pool:
            breaking = pool.submit(breaker.run)
            asking = [
                pool.submit(Customer(k, seed, client, log, scenario.habits, stock, stop).run)
                for k, client in enumerate(clients)
            ]
            said = began
            while not all(one.done() for one in asking):
                now = time.monotonic()
                if breaker.done.is_set() or now - began > scenario.most_seconds or any(map(_broke, asking)):
                    stop.set()
                    enough.set()
                if now - said > SAY_SECONDS:
                    said = now
                    done = "" if math.isinf(scenario.jobs) else f", {scenario.jobs - stock.left:.0f} jobs sent"
                    say(f"{now - began:6.0f} s: {breaker.count} faults{done}")
                time.sleep(0.05)
            enough.set()
            for future in (*asking, breaking):
                future.result()
    finally:
        watcher.stop()
        for client in clients:
            client.close()


def _broke(future: object) -> bool:
    return future.done() and future.exception() is not None  # type: ignore[attr-defined]


def _look_back(plant: Plant, log: journal.Journal) -> list[str]:
    """Records and keys; answers which jobs have a result."""
    accepted = list(History(journal.read(log.path)).accepted)
    store = plant.store()
    try:
        collect.records(store, accepted, log)
        collect.leftovers(store, log)
    finally:
        store.close()
    records: Iterable[dict[str, object]] = History(journal.read(log.path)).records.values()
    return [str(record["id"]) for record in records if record["status"] == "succeeded"]


def _compare(plant: Plant, ids: list[str]) -> None:
    environment = {**os.environ, **plant.redis.environment}
    environment.setdefault("INITSHAPE_COMPILATION_CACHE", str(plant.folder / "compiled"))
    subprocess.run(
        [sys.executable, "-m", "tests.faults.compare", str(plant.folder)], input="\n".join(ids).encode(), check=True,
        env=environment, timeout=COMPARE_SECONDS,
    )  # fmt: skip


def scaled(
    scenario: Scenario, *, workers: int | None = None, jobs: int | None = None, minutes: float | None = None,
    faults: int | None = None,
) -> Scenario:  # fmt: skip
    """The same with other sizes; `faults` in the same proportions, at least one of each kind."""
    share = 1.0 if faults is None else faults / sum(scenario.counts.values())
    return replace(
        scenario,
        workers=workers or scenario.workers,
        jobs=jobs or scenario.jobs,
        most_seconds=60.0 * minutes if minutes else scenario.most_seconds,
        counts={what: max(1, round(count * share)) for what, count in scenario.counts.items()},
    )
