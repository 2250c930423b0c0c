"""Checkpoints: what a running job needs to go on elsewhere. Opaque bytes, with what they are good for.

One a job. Written under the fence's own key and swapped in by the fence, so that a worker that has lost its lease
overwrites nothing; dropped when the job ends. A new attempt reads it, and trusts it only where the identity is its own.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from initshape.store.arrays import CHUNK_BYTES, ROUND_BYTES, chunk_count
from initshape.store.documents import encode
from initshape.store.keys import SAVING_SECONDS, job_keys, key
from initshape.store.leases import Finish
from initshape.store.operation import Command, Operation, Script

logger = logging.getLogger(__name__)

LIMIT_BYTES: Final = 64 * 1024 * 1024
"""As much as a result may have. Whoever saves looks first: the store refuses nothing."""
_ROUND_CHUNKS: Final = ROUND_BYTES // CHUNK_BYTES


@dataclass(frozen=True)
class Checkpoint:
    """`identity` says what may go on from `data`; `attempt` wrote it."""

    data: bytes
    identity: Mapping[str, Any]
    attempt: int


def save(job_id: str, fence: int, checkpoint: Checkpoint) -> Operation[Finish]:
    """Replaces the checkpoint of a running job, if the fence is the current one."""
    place = key("saving", job_id, fence)
    head: Command = (
        "HSET", place, "identity", encode(checkpoint.identity), "attempt", checkpoint.attempt,
        "digest", hashlib.sha256(checkpoint.data).hexdigest(), "chunks", chunk_count(checkpoint.data),
    )  # fmt: skip
    yield [("UNLINK", place), head, ("EXPIRE", place, SAVING_SECONDS)]
    for commands in _rounds(place, checkpoint.data):  # noqa: UP028 - replies are sent in here
        yield commands
    (reply,) = yield [Script("save", (*job_keys(job_id), place, key("checkpoint", job_id)), (job_id, fence))]
    return Finish(reply.decode())


def read(job_id: str, identity: Mapping[str, Any]) -> Operation[Checkpoint | None]:
    """The checkpoint of a job; None where there is none, it was made by another program, or it is damaged."""
    place = key("checkpoint", job_id)
    ((made_by, attempt, digest, chunks),) = yield [("HMGET", place, "identity", "attempt", "digest", "chunks")]
    if digest is None:
        return None
    try:
        known, count, number = json.loads(made_by), int(chunks), int(attempt)
    except (TypeError, ValueError) as error:
        logger.warning("%s: the checkpoint is ignored, it is damaged: %s", job_id, error)
        return None
    if known != identity:
        other = sorted(name for name in {*known, *identity} if known.get(name) != identity.get(name))
        logger.info("%s: the checkpoint is ignored, it differs in %s", job_id, ", ".join(other))
        return None
    parts: list[bytes] = []
    for first in range(0, count, _ROUND_CHUNKS):
        names = [_field(k) for k in range(first, min(first + _ROUND_CHUNKS, count))]
        (found,) = yield [("HMGET", place, *names)]
        parts += [chunk or b"" for chunk in found]
    data = b"".join(parts)
    if hashlib.sha256(data).hexdigest() != digest.decode():
        logger.warning("%s: the checkpoint is ignored, its bytes are not those that were saved", job_id)
        return None
    return Checkpoint(data, known, number)


def _field(chunk: int) -> str:
    return f"c:{chunk}"


def _rounds(place: str, data: bytes) -> Iterator[list[Command]]:
    count = chunk_count(data)
    for first in range(0, count, _ROUND_CHUNKS):
        chunks = range(first, min(first + _ROUND_CHUNKS, count))
        yield [("HSET", place, _field(k), data[k * CHUNK_BYTES : (k + 1) * CHUNK_BYTES]) for k in chunks]
