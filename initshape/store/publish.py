"""The end of a job that was computed: its result is uploaded and swapped in, and the next one of the batch begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from initshape.store import leases, results
from initshape.store.arrays import Array
from initshape.store.keys import key
from initshape.store.leases import Finish, Turn
from initshape.store.operation import Operation, Script
from initshape.store.tallies import NOTHING, Facts


@dataclass(frozen=True)
class Published:
    """What became of the result, and of the turn of the job that follows it."""

    end: Finish
    turn: Turn | None = None


def publish(
    job_id: str,
    fence: int,
    document: bytes,
    arrays: Mapping[str, Array],
    outcome: str,
    known: bool = True,
    following: Script | None = None,
    facts: Facts = NOTHING,
) -> Operation[Published]:
    """`results.upload`, `leases.finish`, and `leases.beginning` of the job that is `following`.

    In one round trip where the data set of the result is small or stored already. The fence decides inside the
    commands, as ever; a data set that is not there makes the finish answer `missing`, and everything is sent again.
    Errors: ResultTooLargeError.
    """
    package = results.pack(document, arrays)
    rounds = list(package.rounds(key("upload", job_id, fence)))
    rounds[0] = [*package.sharing(), *rounds[0]]
    for commands in rounds[:-1]:  # noqa: UP028 - replies are sent in here
        yield commands
    last = [leases.finishing(job_id, fence, outcome, known, facts), *([] if following is None else [following])]
    replies = (yield [*rounds[-1], *last])[-len(last) :]
    end, turn = Finish(replies[0].decode()), None if following is None else leases.turn(replies[1])
    if end is Finish.missing:
        yield from results.upload(job_id, fence, document, arrays)
        end = yield from leases.finish(job_id, fence, outcome, known, facts)
    return Published(end, turn)
