"""Who did what, for admins."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from initshape.store import audit
from service.access_schemas import AuditLine, AuditLines
from service.auth import Admin
from service.errors import INVALID_PARAMETER
from service.openapi import problems
from service.parameters import Limit, only
from service.services import AppServices

router = APIRouter(prefix="/v1", tags=["access"])

Text = Annotated[str | None, Query(min_length=1, max_length=300)]
AuditCursor = Annotated[str | None, Query(pattern="^[0-9]{1,15}-[0-9]{1,9}$", description="`next` of the page before.")]


@router.get("/audit", operation_id="list_audit", responses=problems(INVALID_PARAMETER, open_to_all=False))
async def list_audit(
    request: Request,
    services: AppServices,
    caller: Admin,
    user: Text = None,
    action: Text = None,
    outcome: Text = None,
    request_id: Text = None,
    subject: Annotated[str | None, Query(alias="object", min_length=1, max_length=300)] = None,
    limit: Limit = 50,
    cursor: AuditCursor = None,
) -> AuditLines:
    """Newest first: submissions, cancellations, deletions, uploads, tokens, refusals. A page of a rare filter may be
    short, or empty, and go on all the same.
    """
    only(request, "user", "action", "object", "outcome", "request_id", "limit", "cursor")
    asked = {"user": user, "action": action, "object": subject, "outcome": outcome, "request": request_id}
    filters = {name: value for name, value in asked.items() if value is not None}
    page = await services.store.run(audit.page(limit, cursor, filters))
    lines = tuple(
        AuditLine(id=e.id, at=e.at, user=e.user or None, token=e.token or None, request_id=e.request or None,
                  action=e.action, object=e.subject or None, outcome=e.outcome)
        for e in page.entries
    )  # fmt: skip
    return AuditLines(items=lines, next=page.before)
