"""What was refused goes into the audit: who, which request, why; no more than one line a second for each of them."""

from __future__ import annotations

import contextlib

from fastapi import Request

from initshape.logs import request_id
from initshape.store import StoreError, audit
from service.auth import actor
from service.errors import FORBIDDEN, QUOTA, RATE, UNAUTHORIZED, Kind

_RECORDED = (UNAUTHORIZED, FORBIDDEN, RATE, QUOTA)


async def note(request: Request, kind: Kind) -> None:
    """Never fails: the refusal stands whatever becomes of its line."""
    services = getattr(request.state, "services", None)
    if services is None or kind not in _RECORDED:
        return
    caller = getattr(request.state, "caller", None)
    if caller is None:
        who = audit.actor(services.settings.audit_entries, "", "", request_id())
    else:
        who = actor(services, caller)
    once = f"{caller.user if caller else ''}:{kind.slug}"
    path = request.url.path[:200].encode("utf-8", "backslashreplace").decode()
    with contextlib.suppress(StoreError):
        await services.store.run(audit.record(who, f"{request.method} {path}", "", kind.slug, once))
