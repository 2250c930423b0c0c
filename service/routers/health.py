"""Is the process alive, and can the service work?"""

from __future__ import annotations

from fastapi import APIRouter

from initshape.store import Operation, StoreUnavailableError, condition, presence
from initshape.store.condition import Condition
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
    checks = {"store": "unavailable", "persistence": "unknown", "format": "unknown", "workers": "unknown"}
    slots = 0
    try:
        state, found = await services.store.run(_look())
    except StoreUnavailableError:
        pass
    else:
        slots = sum(worker.slots for worker in found)
        checks = {"store": "ok", "persistence": state.persistence, "format": state.format,
                  "workers": "ok" if slots else "none alive"}  # fmt: skip
    if set(checks.values()) != {"ok"}:
        wrong = ", ".join(f"{name}: {state}" for name, state in checks.items() if state != "ok")
        raise UnavailableError(f"Not ready ({wrong}).", extra={"checks": checks})
    return Ready(status="ready", workers=slots, checks=checks)


def _look() -> Operation[tuple[Condition, list[presence.Worker]]]:
    state = yield from condition.read()
    workers = yield from presence.workers()
    return state, workers
