"""Who holds which token, remembered for a few seconds. Whether a token still holds is asked of the store every time."""

from __future__ import annotations

import time

from initshape.store.tokens import Identity

MOST = 1024
SECONDS = 5.0
"""For so long after a token was revoked, a submission is validated before it is refused."""


class Identities:
    """The tokens seen last, at most MOST. One event loop only."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[float, Identity]] = {}

    def find(self, token: str) -> Identity | None:
        """Who holds it, if that was asked a moment ago."""
        until, identity = self._found.get(token, (0.0, None))
        return identity if time.monotonic() < until else None

    def keep(self, token: str, identity: Identity) -> None:
        """Remembers a token that held just now."""
        self._found.pop(token, None)
        while len(self._found) >= MOST:
            del self._found[next(iter(self._found))]
        self._found[token] = (time.monotonic() + SECONDS, identity)
