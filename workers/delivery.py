"""How a result reaches the store although Redis may be away for a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, TypeVar

from initshape.spec.problem import JobError
from initshape.store import ResultTooLargeError, Store, StoreError, StoreFullError, StoreUnavailableError, leases
from initshape.store.leases import Claim, Finish
from initshape.store.operation import Operation
from initshape.store.publish import publish
from workers.compute import Computed
from workers.watch import Abandoned, Watch

logger = logging.getLogger(__name__)
T = TypeVar("T")

RETRY_SECONDS: Final = 0.5
FULL_TRIES: Final = 20
"""After so many the result may be too large for what is left. The word of a failure needs next to no room: where
even that is refused, the server takes nothing at all, and the result waits like in an outage."""


def deliver(
    store: Store, claim: Claim, what: Computed | JobError | Abandoned, watch: Watch, following: Watch | None = None
) -> str:
    """Stores a result, an error, or the word that the job has stopped; waits for as long as Redis is away.

    With a result, in the same round trip, the job that is `following` in the batch begins.

    Raises Abandoned where the lease is found lost meanwhile: somebody else has the job now.
    """
    if isinstance(what, Abandoned):
        return _insist(store, lambda: leases.stopped(claim.id, claim.fence), watch).value
    if isinstance(what, JobError):
        return f"{what.code}, {_insist(store, lambda: leases.fail(claim.id, claim.fence, what), watch).value}"
    begin = None if following is None else following.beginning()
    try:
        published = _insist(
            store,
            lambda: publish(
                claim.id, claim.fence, what.document, what.arrays, what.outcome, what.known, begin, what.facts
            ),
            watch,
            FULL_TRIES,
        )
    except ResultTooLargeError as error:
        return deliver(store, claim, _too_large(str(error)), watch)
    except StoreFullError as error:
        try:
            return f"no room, {store.run(leases.fail(claim.id, claim.fence, _full(str(error)))).value}"
        except StoreError:
            return deliver(store, claim, what, watch, following)
    if following is not None:
        following.turn = published.turn
    if published.end is Finish.missing:
        return deliver(store, claim, what, watch)
    return f"{what.outcome}, {published.end.value}"


def _insist(store: Store, operation: Callable[[], Operation[T]], watch: Watch, full_tries: int | None = None) -> T:
    """Runs an operation again and again while Redis is away or full. Errors: StoreFullError after `full_tries`."""
    full = 0
    while True:
        try:
            return store.run(operation())
        except StoreUnavailableError as error:
            logger.warning("the result waits: %s", error, extra=watch.claim.trace)
        except StoreFullError:
            full += 1
            if full == full_tries:
                raise
        watch.check()
        time.sleep(RETRY_SECONDS)


def _too_large(detail: str) -> JobError:
    return JobError(
        code="internal", detail=detail, advice="Ask for fewer trajectory points, coordinates, or a smaller dimension."
    )


def _full(detail: str) -> JobError:
    return JobError(code="internal", detail=f"Redis is full: {detail}", advice="Give Redis more memory, then rerun.")
