"""The checkpoints of one job: when they are saved, and from which one a new attempt goes on.

A checkpoint is good for the same experiment, computed by the same program on the same kind of device: then the result
is that of an uninterrupted run, to the bit. Any other is ignored.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

from initshape.provenance import provenance
from initshape.spec.result import Resumed
from initshape.store import Store, StoreError, StoreUnavailableError, checkpoints
from initshape.store.checkpoints import LIMIT_BYTES, Checkpoint
from initshape.store.leases import Claim, Finish
from initshape.training.checkpoint import Checkpoints, Snapshot, SnapshotError
from initshape.training.snapshot_file import from_bytes, to_bytes
from workers.departure import Departure, departure
from workers.settings import checkpoint_seconds

logger = logging.getLogger(__name__)

BYTES_PER_SECOND: Final = 2**20
"""On average: larger checkpoints are saved less often, for the sake of the append-only file."""
SHARE: Final = 20.0
"""Saving may take one part in so many of the time."""
RETRY_SECONDS: Final = 0.5
TRIES: Final = 60
"""Until Redis is back; then the lease has been lost anyway, and the job starts anew if it has not."""


class Keeper:
    """Use `checkpoints` for one computation. `attempt` is the one that it goes on from, None where it starts anew."""

    def __init__(self, store: Store, claim: Claim, leaving: Departure = departure, limit: int = LIMIT_BYTES) -> None:
        self._store, self._claim, self._leaving, self._limit = store, claim, leaving, limit
        self._first, self._interval = checkpoint_seconds()
        self._due: float | None = None
        self._attempt: int | None = None
        self.fraction = 0.0
        """How far the flow had come."""

    @cached_property
    def _identity(self) -> dict[str, Any]:
        return identity(self._claim.id)

    def checkpoints(self) -> Checkpoints:
        """What the flow is given: the last checkpoint of an earlier attempt, if there is one, and where to save."""
        return Checkpoints(resume=self._resume(), save=self.save)

    def mark(self, resumed: Resumed | None) -> Resumed | None:
        """What the provenance says, with the attempt that had come so far."""
        return None if resumed is None else resumed.model_copy(update={"attempt": self._attempt})

    def save(self, take: Callable[[], Snapshot]) -> None:
        """Called by the flow after each block; saves from time to time, and before this process has to go."""
        now = time.monotonic()
        if self._due is None:
            self._due = now + self._first
        if now < self._due and not self._leaving.begun:
            return
        snapshot = take()
        if snapshot.size > self._limit:
            logger.info("%s: its state of %d bytes is too large for a checkpoint", self._claim.id, snapshot.size)
            self._due = float("inf")
            return
        data = to_bytes(snapshot)
        kept = self._put(Checkpoint(data, self._identity, self._claim.attempt))
        took = time.monotonic() - now
        self._due = now + took + max(self._interval, SHARE * took, len(data) / BYTES_PER_SECOND)
        if kept:
            logger.info("%s: checkpoint at step %d, %d bytes in %.2f s", self._claim.id, snapshot.step, len(data), took)

    def _put(self, checkpoint: Checkpoint) -> bool:
        try:
            answer = self._store.run(checkpoints.save(self._claim.id, self._claim.fence, checkpoint))
        except StoreError as error:  # away or full: the job goes on without
            logger.warning("%s: no checkpoint: %s", self._claim.id, error)
            return False
        return answer is Finish.accepted

    def _resume(self) -> Snapshot | None:
        if self._claim.attempt == 1:
            return None
        found = self._read()
        if found is None:
            return None
        try:
            snapshot = from_bytes(found.data)
        except SnapshotError as error:
            logger.warning("%s: the checkpoint is ignored: %s", self._claim.id, error)
            return None
        logger.info("%s goes on from step %d of attempt %d", self._claim.id, snapshot.step, found.attempt)
        self._attempt, self.fraction = found.attempt, snapshot.fraction
        return snapshot

    def _read(self) -> Checkpoint | None:
        for _ in range(TRIES):
            try:
                return self._store.run(checkpoints.read(self._claim.id, self._identity))
            except StoreUnavailableError as error:
                logger.warning("%s waits: %s", self._claim.id, error)
                time.sleep(RETRY_SECONDS)
        return None


def identity(job_id: str) -> dict[str, Any]:
    """The experiment, and what computes it here; the method is named in the snapshot itself."""
    from initshape.flows.device import device_name

    made_by = provenance(device_name()).model_dump(mode="json")
    return {
        "experiment": job_id,
        **{name: made_by[name] for name in ("numerics_version", "versions", "commit", "device")},
    }
