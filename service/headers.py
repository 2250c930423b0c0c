"""Headers that every answer carries, so that a browser does nothing with it but show it.

A route that knows better sets its own `Cache-Control` or `Content-Security-Policy`; those are left alone. Transport
security (HSTS) is the proxy's, which knows whether there is TLS: docs/security.md.
"""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Nothing is loaded and nothing runs; inline styles are what an SVG figure consists of."""

ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
UNLESS_SET: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", POLICY.encode()),
)


def install(app: FastAPI) -> None:
    """Around everything, also around the framework's own answer to a defect (500), which middleware does not see."""
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: SecurityHeaders(build())  # type: ignore[method-assign]


class SecurityHeaders:
    """Pure ASGI: one list an answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.get("headers", ())
                names = {name.lower() for name, _ in given}
                wanted = [header for header in UNLESS_SET if header[0] not in names]
                message = {**message, "headers": [*given, *ALWAYS, *wanted]}
            await send(message)

        await self.app(scope, receive, send_with_headers)
