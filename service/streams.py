"""How many event streams are open: each holds a connection, and a subscription of it, for minutes."""

from __future__ import annotations

from collections import Counter

from service.errors import TooManyStreamsError, UnavailableError


class Streams:
    """The open streams of one process, by user."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def enter(self, user: str, most: int, most_of_one: int) -> None:
        """Counts one more. Errors: 503 where the process has `most`, 429 where the user has `most_of_one`."""
        if self._open[user] >= most_of_one:
            raise TooManyStreamsError(most_of_one)
        if self._open.total() >= most:
            raise UnavailableError(f"The server has {most} event streams open, which is the most; poll with `?wait=`.")
        self._open[user] += 1

    def leave(self, user: str) -> None:
        """Counts one less."""
        self._open[user] -= 1
        self._open += Counter()  # without the zeros
