"""The end of a job that was computed: its result is uploaded and swapped in."""

from __future__ import annotations

from collections.abc import Mapping

from initshape.store import leases, results
from initshape.store.arrays import Array
from initshape.store.keys import key
from initshape.store.leases import Finish
from initshape.store.operation import Operation


def publish(
    job_id: str, fence: int, document: bytes, arrays: Mapping[str, Array], outcome: str, known: bool = True
) -> Operation[Finish]:
    """`results.upload` and `leases.finish`; in one round trip where the data set of a result is stored already.

    The fence decides inside the last command, as ever; a data set that is not there makes it answer `missing`.
    Errors: ResultTooLargeError.
    """
    package = results.pack(document, arrays)
    rounds = list(package.rounds(key("upload", job_id, fence)))
    for commands in rounds[:-1]:  # noqa: UP028 - replies are sent in here
        yield commands
    replies = yield [*rounds[-1], leases.finishing(job_id, fence, outcome, known)]
    end = Finish(replies[-1].decode())
    if end is not Finish.missing:
        return end
    yield from results.upload(job_id, fence, document, arrays)
    return (yield from leases.finish(job_id, fence, outcome, known))
