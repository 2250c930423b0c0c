"""Claim, run, finish, as long as there is work."""

from __future__ import annotations

import logging
import time
from typing import Final

from initshape.spec.problem import JobError
from initshape.store import Store, StoreUnavailableError, leases
from initshape.store.leases import Claim
from workers.compute import Computed, compute
from workers.delivery import deliver
from workers.heartbeat import Abandoned, Heartbeat

logger = logging.getLogger(__name__)

LOOP_SECONDS: Final = 30.0
"""After so long the loop rings for itself and returns, so that Celery may replace the child between two tasks."""


def work_while_there_is_any(store: Store, worker: str, queue: str, seconds: float = LOOP_SECONDS) -> bool:
    """Runs jobs one after the other. True where the time is over and more may wait."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            claims = store.run(leases.claim(worker, queue))
        except StoreUnavailableError as error:
            logger.warning("cannot claim: %s", error)
            return False  # the ring is repeated when Redis is back
        if not claims:
            return False
        for claim in claims:
            _run(store, claim)
    return True


def _run(store: Store, claim: Claim) -> None:
    """One job from its claim to its end, whatever that is."""
    started = time.monotonic()
    with Heartbeat(store, claim) as heartbeat:
        try:
            outcome: Computed | JobError = compute(claim, heartbeat.on_progress)
            heartbeat.computed()
            ended = deliver(store, claim, outcome, heartbeat)
        except Abandoned as stop:
            ended = stop.how
            if stop.cancelled:
                deliver(store, claim, stop, heartbeat)
    logger.info("%s attempt %d: %s after %.2f s", claim.id, claim.attempt, ended, time.monotonic() - started)
