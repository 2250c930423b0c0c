"""The format of what is stored: its number, and how older data are brought up to it.

number  since              what is different
1       0.1.0              no number is stored
2       the format marker  `format` and `tallies`; the counters begin with what the history of attempts tells

A step reads what it needs, then does all that it changes in one script together with the new number, so that an
interrupted one is simply done again, and of two that run at once the second finds nothing to do. Newer data are refused
here and by every script (library.lua).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from initshape.store.documents import encode
from initshape.store.errors import StoreFormatError
from initshape.store.keys import FORMAT, FORMAT_NUMBER, INDEX, key
from initshape.store.operation import Operation, Script

_PAGE: Final = 1000


def number() -> Operation[int]:
    """Format of the data; 0 for an empty database. Never refuses."""
    text, size = yield [("GET", FORMAT), ("DBSIZE",)]
    if text is None:
        return 1 if size else 0
    return int(text)


def opening() -> Operation[int]:
    """To be run by every process that begins to use the store. Answers the format that was found.

    Errors: StoreFormatError where a newer release wrote the data.
    """
    first = found = yield from number()
    while found != FORMAT_NUMBER:
        if found > FORMAT_NUMBER:
            raise refusal(found)
        if found == 0:
            yield [Script("upgrade", (), (0, FORMAT_NUMBER, "{}"))]
        else:
            yield from _STEPS[found]()
        found = yield from number()
    return first


def refusal(found: int) -> StoreFormatError:
    """What is said of data from the future."""
    return StoreFormatError(
        f"The data have format {found}; this release knows {FORMAT_NUMBER}: install the release that wrote them, or a "
        "newer one."
    )


def _count_history() -> Operation[None]:
    """1 to 2: /metrics counts what was done before."""
    counted: Counter[str] = Counter()
    place = 0
    while True:
        (ids,) = yield [("ZRANGE", INDEX, place, place + _PAGE - 1)]
        if not ids:
            break
        attempts = yield [("LRANGE", key("attempts", name.decode()), 0, -1) for name in ids]
        heads = yield [("HMGET", key("job", name.decode()), "status", "outcome", "error") for name in ids]
        for ended in attempts:
            counted.update(f"attempt {json.loads(entry)['how']}" for entry in ended)
        for status, outcome, error in heads:
            if status == b"succeeded" and outcome:
                counted[f"outcome {outcome.decode()}"] += 1
            elif status == b"failed" and error:
                counted[f"failed {json.loads(error)['code']}"] += 1
        place += len(ids)
    yield [Script("upgrade", (), (1, 2, encode(dict(counted))))]


_STEPS: Final[Mapping[int, Callable[[], Operation[None]]]] = {1: _count_history}
