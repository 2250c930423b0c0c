"""Claims across an outage. A frozen Redis may carry a claim out when nobody waits for the answer any more.

Nobody would work on such a job, and while its child is busy with others its parent would renew the lease. So after a
claim without an answer, and before the next one, whatever is held in this name goes back to the queue.
"""

from __future__ import annotations

import logging

from initshape.store import Store, StoreUnavailableError, leases
from initshape.store.leases import Claim

logger = logging.getLogger(__name__)


class Claimer:
    """Claims for one child process, which holds nothing between two claims."""

    def __init__(self, store: Store, worker: str) -> None:
        self._store = store
        self._worker = worker
        self._unanswered = False

    def claim(self, queue: str, limit: int, seconds: float) -> list[Claim] | None:
        """As `leases.claim`; None where Redis is away: ask again."""
        try:
            if self._unanswered:
                returned = self._store.run(leases.hand_over_all(self._worker))
                self._unanswered = False
                if returned:
                    logger.warning("gave %d jobs back that were claimed while Redis did not answer", returned)
            return self._store.run(leases.claim(self._worker, queue, limit, seconds))
        except StoreUnavailableError as error:
            logger.warning("cannot claim: %s", error)
            self._unanswered = True
            return None
