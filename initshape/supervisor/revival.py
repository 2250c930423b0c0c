"""An embedded Redis that has died comes back where it was, so that API and workers find it again by themselves.

They outlive its absence: a worker computes on and delivers when Redis is back, so no running job starts again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Final

from initshape.store.server import RedisServer

SAME_ADDRESS_SECONDS: Final = 10.0
"""For so long another program may have its port before Redis moves to another one."""


class Revival:
    """Looks after one server. Nothing here waits: call `tend` now and then."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._ended: float | None = None

    def tend(self, say: Callable[[str], None]) -> bool:
        """Starts the server again where it has ended. False: it did not come back for SAME_ADDRESS_SECONDS.

        Errors: ServerError where the server that is installed by now cannot read the files.
        """
        if self._server.alive():
            if self._ended is not None and self._server.answers() and self._server.alive():
                say(f"Redis is up again at the same address, after {time.monotonic() - self._ended:.1f} s")
                self._ended = None
            return True
        if self._ended is None:
            self._ended = time.monotonic()
            say(f"Redis ended; starting it again at the same address, see {self._server.log}")
        elif time.monotonic() - self._ended > SAME_ADDRESS_SECONDS:
            return False
        with contextlib.suppress(OSError):  # no memory or no descriptor at the moment
            self._server.restart()
        return True
