"""What is left to be seen at the end: the record of every job, what the workers logged, and all keys."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from initshape.store import Queue, Store, jobs, leases
from initshape.store.keys import ROOT
from initshape.store.records import JobRecord
from tests.faults.journal import Journal

ENDED = re.compile(r"^ended: (?!handed over)(?:.*, )?(accepted|stale)$")
"""workers/loop.py says this when a result, an error or the word that a job has stopped has been taken, or has not."""


def worker_logs(logs: Iterable[Path], journal: Journal) -> None:
    """Claims and ends of attempts, as the workers themselves saw them: independent of the store."""
    for log in logs:
        for line in log.read_text(errors="replace").splitlines():
            if '"job"' not in line:
                continue
            try:
                said = json.loads(line)
            except ValueError:
                continue  # cut short by a kill
            at = datetime.fromisoformat(said["time"]).timestamp()
            about = {"at": at, "id": said["job"], "attempt": said.get("attempt"), "log": log.name, "pid": said["pid"]}
            if said["message"] == "claimed":
                journal.write("claimed", fence=said["fence"], **about)
            elif found := ENDED.match(said["message"]):
                journal.write("finish", answer=found[1], **about)


def records(store: Store, ids: Iterable[str], journal: Journal) -> None:
    """The record of each job, or that there is none."""
    for id in ids:
        record = store.run(jobs.read(id))
        journal.write("record", id=id, **({"status": None} if record is None else _plain(record)))


def leftovers(store: Store, journal: Journal) -> None:
    """How many keys of each family there are, how many of them never expire, and what is still on its way."""
    families: Counter[str] = Counter()
    lasting: Counter[str] = Counter()
    for name in store.client.scan_iter(count=1000):
        family = family_of(name.decode())
        families[family] += 1
        lasting[family] += store.client.ttl(name) < 0
    journal.write(
        "leftovers",
        families=dict(families),
        lasting=dict(lasting),
        waiting=sum(store.run(leases.waiting(queue)) for queue in Queue),
        unacked=store.client.hlen("unacked"),
        bell=sum(store.client.llen(queue.celery) for queue in Queue),
        memory=store.client.info("memory")["used_memory"],
    )


def family_of(name: str) -> str:
    """`job` of `{initshape}:job:x-...`; the names of others as they are."""
    return name.removeprefix(ROOT).partition(":")[0] if name.startswith(ROOT) else f"celery {name.partition('.')[0]}"


def _plain(record: JobRecord) -> dict[str, Any]:
    return {
        "status": record.status.value,
        "attempt": record.attempt,
        "error": record.error.code if record.error else None,
        "has_result": record.has_result,
        "created": record.created.timestamp(),
        "attempts": [
            {
                "attempt": one.attempt,
                "fence": one.fence,
                "worker": one.worker,
                "started": one.started.timestamp() if one.started else None,
                "ended": one.ended.timestamp() if one.ended else None,
                "how": one.how,
            }
            for one in record.attempts
        ],
    }
