"""An embedded server that reads a snapshot, counts what it has read, and writes it as an append-only file."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Final

from initshape.backup.manifest import DUMP, BackupError, Count
from initshape.store import Store, condition
from initshape.store import format as store_format
from initshape.store.keys import FORMAT_NUMBER, ROOT
from initshape.store.server import RedisServer

REWRITE_SECONDS: Final = 600.0
_PAGE: Final = 1000


def load(dump: Path, data_dir: Path) -> RedisServer:
    """A server on an empty directory, with the content of a snapshot; nothing is append-only yet.

    Errors: ServerError where the snapshot cannot be read, by this version of the server or at all.
    """
    (data_dir / "redis").mkdir(parents=True)
    shutil.copyfile(dump, data_dir / "redis" / DUMP)
    return RedisServer(data_dir, snapshot=DUMP)


def count(store: Store) -> dict[str, Count]:
    """Keys by family; those of Celery are `other`."""
    lasting: Counter[str] = Counter()
    expiring: Counter[str] = Counter()
    names = sorted(set(store.client.scan_iter(count=_PAGE)))  # a scan may name one twice
    for start in range(0, len(names), _PAGE):
        page = names[start : start + _PAGE]
        pipeline = store.client.pipeline(transaction=False)
        for name in page:
            pipeline.pttl(name)
        for name, left in zip(page, pipeline.execute(), strict=True):
            (lasting if left == -1 else expiring)[_family(name.decode("latin-1"))] += left != -2
    families = sorted({*lasting, *expiring})
    return {name: Count(lasting=lasting[name], expiring=expiring[name]) for name in families}


def make_durable(store: Store) -> None:
    """From now on the server is append-only, with all that it has read. Errors: BackupError."""
    store.client.config_set("appendonly", "yes")
    end = time.monotonic() + REWRITE_SECONDS
    while True:
        info = store.client.info("persistence")
        if not info["aof_rewrite_in_progress"] and not info.get("aof_rewrite_scheduled"):
            break
        if time.monotonic() > end:
            raise BackupError("The append-only file was not written in time.")
        time.sleep(0.02)
    if info.get("aof_last_bgrewrite_status") != "ok" or store.run(condition.read()).persistence != condition.OK:
        raise BackupError("The append-only file could not be written; see server.log beside it.")


def format_of(store: Store) -> int:
    """Format of what was read. Errors: StoreFormatError where it is newer than this release."""
    found = store.run(store_format.number())
    if found > FORMAT_NUMBER:
        raise store_format.refusal(found)
    return found


def _family(name: str) -> str:
    return name.removeprefix(ROOT).split(":")[0] if name.startswith(ROOT) else "other"
