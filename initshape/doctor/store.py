"""The store: there, durable, of a format that this release knows, with room, on time, and with workers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from initshape.doctor.finding import Finding, fail, ok, warn
from initshape.store import Store, StoreError, StoreSettings, condition, presence
from initshape.store.operation import Operation

_SKEW_SECONDS: Final = 2.0
_FULL, _NEARLY = 0.95, 0.8
_Look = tuple[condition.Condition, dict[str, Any], float, list[presence.Worker]]


def check(settings: StoreSettings | None) -> list[Finding]:
    """`settings` None: none is configured and the embedded one does not run."""
    if settings is None:
        return [warn("redis", "no server runs on the data directory", "Start one: initshape serve.")]
    store = Store(settings)
    try:
        before = time.time()
        state, memory, clock, workers = store.run(_look())
        after = time.time()
    except StoreError as error:
        mend = "Start it, or correct INITSHAPE_REDIS_URL and INITSHAPE_REDIS_PASSWORD_FILE."
        return [fail("redis", f"{settings.redacted_url}: {error}", mend)]
    finally:
        store.close()
    return [
        ok("redis", f"{state.version} at {settings.redacted_url}"),
        *_condition(state),
        _memory(memory),
        _skew(before, clock, after),
        _workers(workers),
    ]


def _look() -> Operation[_Look]:
    memory, clock = yield [("INFO", "memory"), ("TIME",)]
    state = yield from condition.read()
    workers = yield from presence.workers()
    return state, memory, int(clock[0]) + int(clock[1]) / 1e6, workers


def _condition(state: condition.Condition) -> Iterator[Finding]:
    for name, text, mend in (
        ("persistence", state.persistence, "Set `appendonly yes`, as deploy/redis.conf does: else a restart loses "
         "accepted jobs. Where the last write failed, look at the disk."),
        ("eviction", state.eviction, "Set `maxmemory-policy noeviction`: else results vanish when memory runs out."),
        ("format", state.format, "Install the release that wrote the data, or a newer one."),
    ):  # fmt: skip
        yield ok(name, "ok") if text == condition.OK else fail(name, text, mend)


def _memory(found: dict[str, Any]) -> Finding:
    used, limit = int(found["used_memory"]), int(found.get("maxmemory", 0))
    room = limit or int(found.get("total_system_memory", 0))
    detail = f"{used / 2**20:.0f} MiB used of {room / 2**20:.0f} MiB" + ("" if limit else " in the machine (no limit)")
    mend = "Raise maxmemory, or delete results: a full store refuses new work."
    if room and used > _FULL * room:
        return fail("redis memory", detail, mend)
    return warn("redis memory", detail, mend) if room and used > _NEARLY * room else ok("redis memory", detail)


def _skew(before: float, clock: float, after: float) -> Finding:
    skew = 0.0 if before <= clock <= after else min(abs(clock - before), abs(clock - after))
    detail = f"{skew:.1f} s between this machine and Redis"
    if skew <= _SKEW_SECONDS:
        return ok("clock", detail)
    return warn("clock", detail, "Run a time service on both: leases keep to Redis's clock.")


def _workers(found: list[presence.Worker]) -> Finding:
    if not found:
        return fail("workers", "none is alive", "Start one: initshape worker, or initshape serve.")
    return ok("workers", ", ".join(f"{worker.name} ({worker.queue}, {worker.slots})" for worker in found))
