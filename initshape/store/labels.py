"""What can be changed after a submission: name, tags, notes, and whether the result is kept for ever."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from initshape.store import jobs, sweeps
from initshape.store.documents import encode
from initshape.store.keys import SWEEPS, job_keys, key
from initshape.store.operation import Operation, Script
from initshape.store.pins import pin_cells


class Edited(StrEnum):
    """What became of a change."""

    edited = "edited"
    missing = "missing"  # nobody knows the id
    foreign = "foreign"  # it is not the caller's


def edit(job_id: str, user: str, changes: Mapping[str, Any], force: bool = False) -> Operation[Edited]:
    """Changes what `user` calls a job (name, tags, notes), and pins it or lets go (`pinned`); indexes follow.

    `force`: an admin pins what others have submitted, and lets go of what they have pinned.
    """
    (answer,) = yield [Script("edit", job_keys(job_id), (job_id, user, int(force), encode(dict(changes))))]
    return Edited(answer.decode())


def edit_sweep(sweep_id: str, user: str, changes: Mapping[str, Any], force: bool = False) -> Operation[Edited]:
    """Changes a sweep's name, tags and notes; `kept` pins every cell. Only its owner may, or an admin by `force`."""
    (answer,) = yield [
        Script("edit_sweep", (key("sweep", sweep_id),), (sweep_id, user, int(force), encode(dict(changes))))
    ]
    edited = Edited(answer.decode())
    if edited is Edited.edited and "kept" in changes:
        record = yield from sweeps.read(sweep_id)
        if record is not None:
            yield from pin_cells(sweep_id, record.cells, bool(changes["kept"]))
    return edited


def delete_sweep(sweep_id: str, user: str, force: bool = False) -> Operation[Edited]:
    """Forgets a sweep and withdraws the caller from its cells, but for those that are pinned still."""
    record = yield from sweeps.read(sweep_id)
    if record is None:
        return Edited.missing
    edited = yield from edit_sweep(sweep_id, user, {"kept": False}, force)
    if edited is not Edited.edited:
        return edited
    found = yield from jobs.read_many(record.cells)
    mine = [job.id for job in found if job is not None and not job.pinned]
    yield from jobs.delete_many(mine, user, force)
    yield [("UNLINK", key("sweep", sweep_id), key("unsettled", sweep_id)), ("ZREM", SWEEPS, sweep_id)]
    return edited
