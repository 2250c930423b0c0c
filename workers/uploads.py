"""The uploads that a job names, fetched from the store and kept for the next jobs that name them."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from initshape.spec.problem import InitshapeError
from initshape.spec.uploaded import Upload
from initshape.store import Store, StoreUnavailableError, uploads

logger = logging.getLogger(__name__)

LARGEST_BYTES: Final = 256 * 2**20
"""Together; the latest one is kept whatever its size, since the job that asked for it holds it anyway."""
RETRY_SECONDS: Final = 0.5
TRIES: Final = 120
"""Until then the lease of the job has been lost, and somebody else has it."""


class UploadGoneError(InitshapeError):
    """An upload that a job needs is no longer kept."""


class Shelf:
    """Uploads by id, the same object again for the same id. Only ever asked for content ids, so nothing goes stale."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[str, Upload] = OrderedDict()

    def fetch(self, ids: Iterable[str]) -> dict[str, Upload]:
        """Uploads with their numbers. Waits while Redis is away. Errors: UploadGoneError."""
        return {id: self._one(id) for id in ids}

    def _one(self, id: str) -> Upload:
        if id not in self._kept:
            found = self._read(id)
            if found is None:
                raise UploadGoneError(f"{id}, which the experiment names, is no longer kept.")
            self._kept[id] = found
        self._kept.move_to_end(id)
        upload = self._kept[id]
        while len(self._kept) > 1 and sum(one.size for one in self._kept.values()) > LARGEST_BYTES:
            self._kept.popitem(last=False)
        return upload

    def _read(self, id: str) -> Upload | None:
        for _ in range(TRIES - 1):
            try:
                return self._store.run(uploads.read_arrays(id))
            except StoreUnavailableError as error:
                logger.warning("%s waits: %s", id, error)
                time.sleep(RETRY_SECONDS)
        return self._store.run(uploads.read_arrays(id))
