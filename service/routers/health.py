"""Is the process alive, and can the service work?"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from initshape.store import Operation, StoreUnavailableError, presence
from service.errors import UNAVAILABLE, UnavailableError
from service.openapi import problems
from service.schemas import Live, Ready
from service.services import AppServices

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", operation_id="health_live", responses=problems())
async def health_live() -> Live:
    """The process answers. Touches nothing else."""
    return Live(status="ok")


@router.get("/ready", operation_id="health_ready", responses=problems(UNAVAILABLE))
async def health_ready(services: AppServices) -> Ready:
    """Redis answers, writes to disk, and a worker is alive; else 503 and `checks` says what is wrong."""
    checks = {"store": "unavailable", "persistence": "unknown", "workers": "unknown"}
    slots = 0
    try:
        persistence, found = await services.store.run(_look())
    except StoreUnavailableError:
        pass
    else:
        slots = sum(worker.slots for worker in found)
        checks = {"store": "ok", "persistence": _persistence(persistence), "workers": "ok" if slots else "none alive"}
    if set(checks.values()) != {"ok"}:
        wrong = ", ".join(f"{name}: {state}" for name, state in checks.items() if state != "ok")
        raise UnavailableError(f"Not ready ({wrong}).", extra={"checks": checks})
    return Ready(status="ready", workers=slots, checks=checks)


def _look() -> Operation[tuple[dict[str, Any], list[presence.Worker]]]:
    (persistence,) = yield [("INFO", "persistence")]
    workers = yield from presence.workers()
    return persistence, workers


def _persistence(found: dict[str, Any]) -> str:
    if found.get("loading"):
        return "loading"
    if not found.get("aof_enabled"):
        return "off: set appendonly yes"
    return "ok" if found.get("aof_last_write_status", "ok") == "ok" else "the last write failed"
