"""What tables read of many jobs: state, error and result document, and nothing else of the records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from initshape.spec.status import Status
from initshape.store.keys import job_keys, key
from initshape.store.operation import Command, Operation, Script

TOUCHED = 100
"""Results that one script prolongs: few calls, and none that holds others up."""


@dataclass(frozen=True)
class Cell:
    """A job in a table. `status`: None where there is no record; `error`: its code; `document`: the result as JSON."""

    status: Status | None
    error: str | None
    document: bytes | None


def read(job_ids: Sequence[str]) -> Operation[list[Cell]]:
    """In the order of `job_ids`. Prolongs the life of the results."""
    groups = [job_ids[k : k + TOUCHED] for k in range(0, len(job_ids), TOUCHED)]
    commands: list[Command] = [
        Script("touch", tuple(name for job_id in group for name in job_keys(job_id)), tuple(group)) for group in groups
    ]
    for job_id in job_ids:
        commands += [("HMGET", key("job", job_id), "status", "error"), ("HGET", key("result", job_id), "document")]
    replies = (yield commands)[len(groups) :] if job_ids else []
    return [
        _cell(status, error, document) for (status, error), document in zip(replies[::2], replies[1::2], strict=True)
    ]


def _cell(status: bytes | None, error: bytes | None, document: bytes | None) -> Cell:
    return Cell(
        status=None if status is None else Status(status.decode()),
        error=None if error is None else json.loads(error)["code"],
        document=document,
    )
