"""When a request is sent again: while the server is unavailable, after the pause that it asks for, in bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from initshape.client.call import Request
from initshape.client.errors import ClientError

_BUSY = (429, 503)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0


@dataclass(frozen=True)
class Failure:
    """What a request met. `status` is None where nobody answered; `untouched`: the server certainly did nothing."""

    error: ClientError
    status: int | None = None
    untouched: bool = False
    wanted: float | None = None


class Patience:
    """The pauses of one request: growing ones, or those that the server names, until the time for it is over."""

    def __init__(self, seconds: float, *, repeatable: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds
        self._repeatable = repeatable
        self._pause = _FIRST_PAUSE

    @classmethod
    def of(cls, request: Request, seconds: float) -> Patience:
        """That of a request, where the client's own is so many seconds."""
        return cls(seconds if request.patience is None else request.patience, repeatable=request.repeatable)

    def pause(self, failure: Failure) -> float:
        """Seconds until the next try. Errors: the failure's, where there is none."""
        passing = failure.status is None or failure.status in _BUSY
        if not passing or not (self._repeatable or failure.untouched):
            raise failure.error
        wanted = failure.wanted if failure.wanted is not None else self._pause
        if self._clock() + wanted > self._end:
            raise failure.error
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        return wanted


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks for, as a number or as a date (some proxies); None where it names none."""
    text = headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
