"""With authentication off: only this machine, addressed as this machine, and no page of another site.

A page in the user's browser can send requests to 127.0.0.1, and a name that resolves there (DNS rebinding) can read the
answers too. So the Host must be a loopback name, and a browser's Origin must be this server itself.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import FORBIDDEN, problem_response
from service.settings import is_loopback


class LoopbackOnly:
    """ASGI middleware that answers 403 to every request from elsewhere."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and (reason := refusal(scope)):
            response = problem_response(FORBIDDEN, reason, scope["path"])
            await response(scope, receive, send)
            return
        await self.app(scope, receive, send)


def refusal(scope: Scope) -> str | None:
    """Why a request is refused, or None."""
    server = scope.get("server")
    if server is not None and server[1] is not None and not is_loopback(server[0]):
        return "Authentication is off: the server answers on loopback addresses only."
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    if not is_loopback(_split(host)[0]):
        return f"Authentication is off: the Host header must name this machine, not {host[:200]!r}."
    origin = headers.get("origin")
    if origin is not None and _split(origin)[1] != host.lower():
        return f"Authentication is off: pages of {origin[:200]!r} may not use this server."
    return None


@lru_cache(maxsize=256)
def _split(address: str) -> tuple[str, str]:
    """Name, and name with port, of a Host or an Origin; empty where it is neither."""
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        return parts.hostname or "", parts.netloc.lower()
    except ValueError:
        return "", ""
