"""What can go wrong between this process and Redis.

InitshapeError
└── StoreError
    ├── StoreUnavailableError   down, frozen, loading, wrong password: try again later (503)
    │   └── StoreFormatError    a newer release has written the data: this one leaves them alone
    ├── StoreFullError          out of memory or disk: nothing new is taken (507)
    └── ResultTooLargeError     one result is above the cap
"""

from __future__ import annotations

import redis.exceptions

from initshape.spec.problem import InitshapeError


class StoreError(InitshapeError):
    """Base of the store's errors."""


class StoreUnavailableError(StoreError):
    """Redis does not answer now. `retry_after` is in seconds."""

    retry_after = 2


class StoreFormatError(StoreUnavailableError):
    """The data are of a newer format than this release knows. Nothing is read or written by scripts."""


class StoreFullError(StoreError):
    """Redis refuses to take more: memory limit reached, or its append-only file cannot be written."""


class ResultTooLargeError(StoreError):
    """The arrays of one result exceed the cap. `size` and `limit` are in bytes."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"The result has {size} bytes, {limit} are allowed.")
        self.size = size
        self.limit = limit


_FULL = ("OOM ", "MISCONF")
_FORMAT = "FORMAT "  # library.lua
_LATER = ("LOADING", "BUSY", "MASTERDOWN", "READONLY", "NOAUTH", "WRONGPASS", "CLUSTERDOWN", "TRYAGAIN", "UNBLOCKED")


def translate(error: Exception) -> Exception:
    """A redis-py error as one of ours where the caller can do something about it, itself otherwise."""
    text = str(error)
    if isinstance(error, redis.exceptions.OutOfMemoryError) or text.startswith(_FULL) or "OOM command" in text:
        return StoreFullError(text)
    if isinstance(error, (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, TimeoutError, OSError)):
        return StoreUnavailableError(f"Redis does not answer: {text or type(error).__name__}.")
    if isinstance(error, redis.exceptions.ResponseError) and text.startswith(_FORMAT):
        return StoreFormatError(text.removeprefix(_FORMAT).partition(" script:")[0])
    if isinstance(error, redis.exceptions.ResponseError) and text.startswith(_LATER):
        return StoreUnavailableError(text)
    return error
