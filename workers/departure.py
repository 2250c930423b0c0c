"""How a child learns that its worker must go: the parent signals, and the computation stops at its next block."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterable
from types import FrameType
from typing import Final

logger = logging.getLogger(__name__)

SIGNAL: Final = signal.SIGUSR2
"""Celery takes no notice of it in children."""


class Departure:
    """Whether this process is to go. A plain flag, since a signal handler may not wait for a lock."""

    def __init__(self) -> None:
        self.begun = False

    def listen(self) -> None:
        """Takes the signal from now on; main thread only."""
        signal.signal(SIGNAL, self._hear)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.begun = True


departure: Final = Departure()
"""That of this process."""


def announce(children: Iterable[int]) -> None:
    """Tells children to go; called in the parent."""
    for pid in children:
        try:
            os.kill(pid, SIGNAL)
        except ProcessLookupError:
            logger.debug("child %d had gone", pid)
