"""`make soak MINUTES=60`: a mixed load on loopback at a low rate, and whether anything grows meanwhile."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults import document, journal
from tests.faults.client import Client
from tests.faults.customer import Customer, Habits, Stock
from tests.faults.plant import Plant, running
from tests.soak.report import picture, table, trends
from tests.soak.sample import Sampler, read
from tests.soak.visitor import Visitor

WORKERS, CUSTOMERS = 2, 3
HABITS = Habits(
    width=4, kinds={"fit": 4, "flow": 2}, repertoire=5, shared=5,
    deeds={"submit": 10, "share": 2, "look": 10, "read": 10, "cancel": 2, "rerun": 40, "list": 3},
)  # fmt: skip
"""Few experiments that are run again and again: what is stored stays bounded, so that what grows is a leak."""
SETTINGS = {"INITSHAPE_AUDIT_ENTRIES": "1000", "INITSHAPE_PICTURE_CACHE": "2000000"}
"""Reached within minutes, as the defaults are within hours or days."""
IMAGE = document.FILE.parent / "images" / "soak.png"


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 where something grows or anything but the expected was answered."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--period", type=float, default=5.0, help="seconds between two samples")
    parser.add_argument("--pause", type=float, default=0.25, help="seconds between two requests of a client")
    parser.add_argument("--folder", type=Path, help="for logs and samples; default: a new temporary one, which stays")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md and its picture")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whatever ends it, its processes end as well
    folder = given.folder or Path(tempfile.mkdtemp(prefix="initshape-soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    about = document.about(f"make soak MINUTES={given.minutes:g}")
    samples = folder / "samples.jsonl"
    with running(folder, WORKERS, SETTINGS) as plant:
        print(f"{given.minutes:g} minutes; samples in {samples}", file=sys.stderr, flush=True)
        with Sampler(plant, samples, given.period):
            answers = _load(plant, folder, 60.0 * given.minutes, given.pause)
    found = read(samples)
    kept = trends(found)
    bad = {f"{what} {status}": n for (what, status), n in answers.items() if status >= 500 or status == 0}
    text = "\n\n".join([
        about, f"{sum(answers.values())} requests in {given.minutes:g} minutes, {len(found)} samples; "
        f"5xx or no answer: {sum(bad.values())}.", table(kept),
    ])  # fmt: skip
    print(text)
    picture(found, folder / "soak.png")
    if given.write:
        picture(found, IMAGE)
        document.write("soak", f"{text}\n\n![soak](images/soak.png)")
    return 1 if bad or any(one.grows for one in kept) else 0


def _load(plant: Plant, folder: Path, seconds: float, pause: float) -> Counter[tuple[str, int]]:
    """Customers and a visitor for so long; statuses of all answers."""
    log = journal.Journal(folder / "journal.jsonl")
    stop = threading.Event()
    clients = [Client(plant.api.url, plant.token(f"u{k}"), f"u{k}", log) for k in range(CUSTOMERS)]
    visitor = Visitor(plant.api.url, plant.token("visitor"), 1, pause, stop)
    habits = Habits(**{**vars(HABITS), "pause": pause})
    with ThreadPoolExecutor(CUSTOMERS + 1) as pool:
        asking = [
            pool.submit(Customer(k, 1, client, log, habits, Stock(float("inf")), stop).run)
            for k, client in enumerate(clients)
        ]
        asking.append(pool.submit(visitor.run))
        end = time.monotonic() + seconds
        while time.monotonic() < end and not any(one.done() for one in asking):
            time.sleep(0.5)
        stop.set()
        for one in asking:
            one.result()
    for client in clients:
        client.close()
    log.close()
    answers = Counter(visitor.answers)
    answers.update((e["what"], e["status"]) for e in journal.read(log.path) if e["kind"] == "request")
    return answers


if __name__ == "__main__":
    sys.exit(main())
