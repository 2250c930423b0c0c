"""How a result reaches the store although Redis may be away for a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, TypeVar

from initshape.spec.problem import JobError
from initshape.store import ResultTooLargeError, Store, StoreFullError, StoreUnavailableError, leases, results
from initshape.store.leases import Claim, Finish
from initshape.store.operation import Operation
from workers.compute import Computed
from workers.heartbeat import Abandoned, Heartbeat

logger = logging.getLogger(__name__)
T = TypeVar("T")

RETRY_SECONDS: Final = 0.5
FULL_TRIES: Final = 20


def deliver(store: Store, claim: Claim, what: Computed | JobError | Abandoned, heartbeat: Heartbeat) -> str:
    """Stores a result, an error, or the word that the job has stopped; waits for as long as Redis is away.

    Raises Abandoned where the lease is found lost meanwhile: somebody else has the job now.
    """
    if isinstance(what, Abandoned):
        return _insist(store, lambda: leases.stopped(claim.id, claim.fence), heartbeat).value
    if isinstance(what, JobError):
        return f"{what.code}, {_insist(store, lambda: leases.fail(claim.id, claim.fence, what), heartbeat).value}"
    try:
        _insist(store, lambda: results.upload(claim.id, claim.fence, what.document, what.arrays), heartbeat)
        end = _insist(store, lambda: leases.finish(claim.id, claim.fence, what.outcome, what.known), heartbeat)
    except ResultTooLargeError as error:
        return deliver(store, claim, _too_large(str(error)), heartbeat)
    except StoreFullError as error:
        return deliver(store, claim, _full(str(error)), heartbeat)
    if end is Finish.missing:
        return deliver(store, claim, what, heartbeat)
    return f"{what.outcome}, {end.value}"


def _insist(store: Store, operation: Callable[[], Operation[T]], heartbeat: Heartbeat) -> T:
    """Runs an operation again and again while Redis is away."""
    full = 0
    while True:
        try:
            return store.run(operation())
        except StoreUnavailableError as error:
            logger.warning("the result waits: %s", error)
        except StoreFullError:
            full += 1
            if full == FULL_TRIES:
                raise
        heartbeat.check()
        time.sleep(RETRY_SECONDS)


def _too_large(detail: str) -> JobError:
    return JobError(
        code="internal", detail=detail, advice="Ask for fewer trajectory points, coordinates, or a smaller dimension."
    )


def _full(detail: str) -> JobError:
    return JobError(code="internal", detail=f"Redis is full: {detail}", advice="Give Redis more memory, then rerun.")
