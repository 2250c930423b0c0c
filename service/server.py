"""The HTTP server process."""

from __future__ import annotations

import socket
from typing import Any

import uvicorn

from service.app import create_app
from service.protocol import Protocol
from service.settings import Settings

GRACE_SECONDS = 5
"""After a signal, requests in progress have so long; who waits for a job is answered at once."""


class Server(uvicorn.Server):
    """uvicorn that lets long polls go when it stops, so that they do not hold up the exit."""

    def __init__(self, settings: Settings) -> None:
        config = uvicorn.Config(
            create_app(settings), host=settings.host, port=settings.port, log_config=None, access_log=False,
            server_header=False, timeout_graceful_shutdown=GRACE_SECONDS, http=Protocol, ws="none",
        )  # fmt: skip
        super().__init__(config)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app: Any = self.config.app
        app.state.release()
        await super().shutdown(sockets)
