"""Uploaded data sets and initializations: kept once by the id of their content, whoever sends them.

Who has sent one is remembered in it. One is deleted when the last of them takes it back, and no job that waits or runs
needs it; what has been computed from it stays.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from initshape.spec.uploaded import ArrayFacts, LabelFacts, Upload
from initshape.store import arrays as npy
from initshape.store.admission import OPEN, Entry
from initshape.store.documents import encode
from initshape.store.keys import UPLOAD_SECONDS, key
from initshape.store.operation import Command, Operation, Script
from initshape.store.pins import prolonging
from initshape.store.records import moment

FIELDS = ("facts", "labels", "chunks", "owner", "created")


@dataclass(frozen=True)
class Given:
    """A stored upload, without its numbers."""

    upload: Upload
    owner: str
    created: datetime


class Kept(StrEnum):
    """What became of an upload."""

    known = "known"  # it was stored already
    created = "created"
    stuffed = "stuffed"  # its user holds too many bytes; nothing was stored


class TakenBack(StrEnum):
    """What became of a wish to delete."""

    missing = "missing"  # nobody knows the id
    foreign = "foreign"  # the caller did not upload it
    withdrawn = "withdrawn"  # others uploaded it, too, and keep it
    busy = "busy"  # a job that waits or runs needs it
    deleted = "deleted"  # gone


def keep(upload: Upload, user: str, entry: Entry = OPEN) -> Operation[Kept]:
    """Stores an upload with its arrays. Read back only when it is complete."""
    assert upload.arrays is not None  # noqa: S101 - the caller has just read them
    (answer,) = yield [_give(upload, user, entry)]
    if answer != b"missing":
        return Kept(answer.decode())
    staged = key("upload", upload.id, secrets.token_hex(8))
    data = {name: npy.to_npy(array) for name, array in upload.arrays.items()}
    for commands in npy.rounds(staged, data):
        yield [*commands, ("EXPIRE", staged, UPLOAD_SECONDS)]
    facts = {name: asdict(fact) for name, fact in upload.facts.items()}
    labels = None if upload.labels is None else asdict(upload.labels)
    chunks = {name: npy.chunk_count(content) for name, content in data.items()}
    head: Command = ("HSET", staged, "facts", encode(facts), "labels", encode(labels), "chunks", encode(chunks),
                     "complete", 1)  # fmt: skip
    _, answer = yield [head, _give(upload, user, entry, staged)]
    return Kept(answer.decode())


def read_many(ids: Iterable[str]) -> Operation[dict[str, Given]]:
    """What is known of uploads, by id; those that are not kept are left out. Prolongs their life."""
    wanted = list(ids)
    commands = [
        command for name in wanted for command in (("HMGET", key("given", name), *FIELDS), prolonging("given", name))
    ]
    replies = (yield commands) if commands else []
    found = {name: _decode(name, replies[2 * k]) for k, name in enumerate(wanted)}
    return {name: given for name, given in found.items() if given is not None}


def read_arrays(id: str) -> Operation[Upload | None]:
    """An upload with its numbers; None where it is not kept. Prolongs its life."""
    place = key("given", id)
    values, _ = yield [("HMGET", place, *FIELDS), prolonging("given", id)]
    given = _decode(id, values)
    if given is None:
        return None
    found = {}
    for name, count in json.loads(values[FIELDS.index("chunks")]).items():
        chunks: list[bytes] = []
        for k in range(count):
            (chunk,) = yield [("HGET", place, npy.field(name, k))]
            if chunk is None:  # deleted meanwhile
                return None
            chunks.append(chunk)
        found[name] = npy.from_npy(b"".join(chunks))
        found[name].setflags(write=False)
    return Upload(id, given.upload.facts, given.upload.labels, found)


def take_back(id: str, user: str, force: bool = False, actor: str = "") -> Operation[tuple[TakenBack, str]]:
    """Deletes an upload unless others have sent it, too (`force`: even then), or a job needs it: then that job's id."""
    ((answer, job),) = yield [Script("take_back", _keys(id), (id, user, int(force), actor))]
    return TakenBack(answer.decode()), job.decode()


def _give(upload: Upload, user: str, entry: Entry, *staged: str) -> Script:
    arguments = (upload.id, user, upload.size, entry.allowance.stored, entry.actor)
    return Script("give", (*_keys(upload.id), *staged), arguments)


def _keys(id: str) -> tuple[str, str]:
    return key("given", id), key("uses", id)


def _decode(id: str, values: list[Any]) -> Given | None:
    facts, labels, _, owner, created = values
    time = moment(created)
    if facts is None or owner is None or time is None:
        return None
    shapes = {name: ArrayFacts(tuple(fact["shape"]), fact["largest"]) for name, fact in json.loads(facts).items()}
    told = json.loads(labels)
    known = None if told is None else LabelFacts(told["zero"], told["other"] and tuple(told["other"]), told["residual"])
    return Given(Upload(id, shapes, known), owner.decode(), time)
