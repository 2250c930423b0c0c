"""Who the caller is, and how much of what that user may have is used."""

from __future__ import annotations

from fastapi import APIRouter

from initshape.store import admission
from initshape.store.admission import UNLIMITED
from service.access_schemas import LimitsView, Me, UsageView
from service.auth import CurrentCaller
from service.openapi import problems
from service.services import AppServices

router = APIRouter(prefix="/v1", tags=["access"])


@router.get("/me", operation_id="get_me", responses=problems(open_to_all=False))
async def get_me(services: AppServices, caller: CurrentCaller) -> Me:
    """Role, limits, and what is used of them; a limit that is null does not exist."""
    held = await services.store.run(admission.usage(caller.user))
    own = UNLIMITED if caller.identity is None else services.settings.allowance.of(caller.role)
    return Me(
        user=caller.user,
        role=caller.role,
        token=None if caller.identity is None else caller.identity.label,
        limits=LimitsView(
            reads_per_second=own.reads or None, writes_per_second=own.writes or None,
            active_jobs=own.active or None, stored_bytes=own.stored or None,
        ),
        usage=UsageView(active_jobs=held.active, stored_bytes=held.stored),
    )  # fmt: skip
