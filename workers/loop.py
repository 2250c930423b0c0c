"""Claim, run, finish, as long as there is work."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Iterator, Sequence
from typing import Final

from initshape.spec.problem import JobError
from initshape.store import Queue, Store, StoreError, leases
from initshape.store.leases import Claim
from workers.claiming import Claimer
from workers.compute import Computed, compute, compute_many
from workers.delivery import deliver
from workers.departure import departure
from workers.heartbeat import Heartbeat
from workers.uploads import Shelf
from workers.watch import Abandoned, Departing, Watch

logger = logging.getLogger(__name__)

LOOP_SECONDS: Final = 30.0
"""After so long the loop rings for itself and returns, so that Celery may replace the child between two tasks."""
RETRY_SECONDS: Final = 0.5
LINGER_SECONDS: Final = 1.0
"""So long it listens after the last job. Whoever sends one job after the other waits neither for a message through
Celery nor for the parent process then, which together take longer than a small job."""
_LISTEN_SECONDS: Final = 0.25
"""In one command, so that a worker that must go does."""
BATCH: Final = 32
BATCH_SECONDS: Final = 2.0
"""Jobs in one claim, and how long they are expected to take: many where a job is a matter of milliseconds, one where
the round trips that a batch saves do not matter. (Expected times are upper bounds rather than means.)"""
LANES: Final = 256
LANES_SECONDS: Final = 600.0
"""The same on an accelerator, where the flows of one batch share a program and take little longer than one of them;
the times that are expected are those of one core."""


def work_while_there_is_any(store: Store, worker: str, queue: str, seconds: float = LOOP_SECONDS) -> bool:
    """Runs jobs one after the other. True where the time is over and more may wait; never when the worker must go."""
    end = time.monotonic() + seconds
    claimer, away = _claimer(store, worker), False
    while time.monotonic() < end:
        if departure.begun:
            return False
        claims = claimer.claim(queue, *batch_of(queue))
        away = claims is None
        if claims is None:
            time.sleep(RETRY_SECONDS)
            continue
        if not claims:
            if not _hears(store, queue):
                return False
            continue
        for claim in claims:
            logger.info("claimed", extra={**claim.trace, "fence": claim.fence, "batch": len(claims)})
        run_batch(store, claims)
    return not away  # where Redis is away the ring is repeated when it is back


def _hears(store: Store, queue: str) -> bool:
    """Whether something was queued within LINGER_SECONDS."""
    end = time.monotonic() + LINGER_SECONDS
    while not departure.begun and time.monotonic() < end:
        try:
            if store.run(leases.hear(queue, _LISTEN_SECONDS)):
                return True
        except StoreError:
            return False
    return False


def batch_of(queue: str) -> tuple[int, float]:
    """Jobs and expected seconds of one claim from a queue."""
    return (LANES, LANES_SECONDS) if queue == Queue.gpu else (BATCH, BATCH_SECONDS)


def run_batch(store: Store, claims: Sequence[Claim]) -> None:
    """The jobs of one claim, each to its own end, whatever that is."""
    with Heartbeat(store, claims) as heartbeat:
        for number, outcome in _computed(store, claims, heartbeat.watches, _shelf(store)):
            following = next((watch for watch in heartbeat.watches if watch.waits), None)
            _end(store, heartbeat.watches[number], outcome, following)


def _computed(
    store: Store, claims: Sequence[Claim], watches: Sequence[Watch], shelf: Shelf
) -> Iterator[tuple[int, Computed | JobError | Abandoned]]:
    if len(claims) > 1:
        yield from compute_many(store, claims, [watch.on_progress for watch in watches], shelf)
        return
    (claim,), (watch,) = claims, watches
    try:
        yield 0, compute(store, claim, watch.on_progress, shelf)
    except Abandoned as stop:
        yield 0, stop


@functools.lru_cache(maxsize=1)
def _claimer(store: Store, worker: str) -> Claimer:
    return Claimer(store, worker)


@functools.lru_cache(maxsize=1)
def _shelf(store: Store) -> Shelf:
    return Shelf(store)


def _end(store: Store, watch: Watch, outcome: Computed | JobError | Abandoned, following: Watch | None) -> None:
    """Reports what became of a job, and asks for the turn of the next one."""
    claim, ran = watch.claim, watch.ran(time.monotonic())
    watch.computed()
    try:
        if isinstance(outcome, Departing):
            ended = _hand_over(store, claim)
        elif isinstance(outcome, Abandoned) and not outcome.cancelled:
            ended = outcome.how
        else:
            ended = deliver(store, claim, outcome, watch, following)
    except Abandoned as stop:
        ended = stop.how
    watch.leave()
    logger.info("ended: %s", ended, extra={**claim.trace, "seconds": round(max(ran, 0.0), 3)})


def _hand_over(store: Store, claim: Claim) -> str:
    try:
        return f"handed over, {store.run(leases.hand_over(claim.id, claim.fence))}"
    except StoreError as error:
        return f"its lease will expire, it could not be handed over: {error}"
