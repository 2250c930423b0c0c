"""HEAD wherever there is GET (RFC 9110, section 9.3.2): its status and headers, and no body.

The routes below see a GET, so that authentication, rates and conditions are the same; the log and the counters above
see what was asked. An event stream has no end that its headers could wait for: HEAD is refused there (405).
"""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_STREAMS: Final = "/events"


def answered(path: str) -> bool:
    """Whether HEAD is possible wherever GET is: not on event streams."""
    return not path.endswith(_STREAMS)


class Head:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD" or not answered(scope["path"]):
            await self.app(scope, receive, send)
            return
        asked: Scope = {**scope, "method": "GET"}  # a copy: uvicorn sends no body where its own scope says HEAD

        async def send_routed(message: Message) -> None:
            if "route" in asked:  # found by the router meanwhile; the counters are by route
                scope["route"] = asked["route"]
            await send(message)

        await self.app(asked, receive, send_routed)
