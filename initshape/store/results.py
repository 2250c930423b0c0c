"""Results: a JSON document and its arrays in one hash. Uploaded under the fence's own key, served after `finish`.

Arrays that belong to the data set (X, y, w_true) are stored once, under the digest of their content, and results refer
to them: a sweep of 100 cells over one data set holds one X.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from initshape.store import arrays as npy
from initshape.store.arrays import Array, Stored
from initshape.store.documents import encode
from initshape.store.errors import ResultTooLargeError
from initshape.store.keys import UPLOAD_SECONDS, job_keys, key
from initshape.store.operation import Command, Operation, Script
from initshape.store.pins import prolonging

LIMIT_BYTES: Final = 64 * 1024 * 1024
SHARED: Final = ("X", "y", "w_true")
_READ_AGAIN: Final = 5
_SMALL: Final = 1 << 16
"""Bytes of a data set that are sent sooner than the question whether they are needed is answered."""


@dataclass(frozen=True)
class StoredResult:
    """The document as it was stored, with a strong entity tag and the list of its arrays."""

    document: bytes
    etag: str
    manifest: dict[str, Stored]


def upload(
    job_id: str,
    fence: int,
    document: bytes,
    arrays: Mapping[str, Array],
    shared: Sequence[str] = SHARED,
    limit: int = LIMIT_BYTES,
) -> Operation[str]:
    """Stores a result for `leases.finish` to swap in; expires if that never happens. Answers the entity tag.

    Errors: ResultTooLargeError above `limit` bytes.
    """
    package = pack(document, arrays, shared, limit)
    if package.common:
        yield from _share(package.dataset, package.common)
    for commands in package.rounds(key("upload", job_id, fence)):  # noqa: UP028 - replies are sent in here
        yield commands
    return package.etag


@dataclass(frozen=True)
class Package:
    """A result ready to be stored: the document, its own arrays, and those of its data set."""

    document: bytes
    etag: str
    manifest: bytes
    dataset: str
    own: Mapping[str, bytes]
    common: Mapping[str, bytes]

    def sharing(self) -> list[Command]:
        """Stores a small data set without asking whether it is there, in one step: its marker never stands alone."""
        if not self.common or sum(map(len, self.common.values())) > _SMALL:
            return []
        fields = [part for name, data in self.common.items() for pair in npy.fields(name, data) for part in pair]
        return [("HSET", key("dataset", self.dataset), *fields, "complete", 1)]

    def rounds(self, place: str) -> Iterator[list[Command]]:
        """What writes it to a key, in rounds of bounded size; the data set's arrays are not among it."""
        head: Command = (
            "HSET", place, "document", self.document, "etag", self.etag, "manifest", self.manifest,
            "dataset", self.dataset,
        )  # fmt: skip
        first: list[Command] = [("UNLINK", place), head, ("EXPIRE", place, UPLOAD_SECONDS)]
        if self.common:
            first.append(prolonging("dataset", self.dataset))
        chunks = npy.rounds(place, self.own)
        yield [*first, *next(chunks, [])]
        yield from chunks


def pack(
    document: bytes, arrays: Mapping[str, Array], shared: Sequence[str] = SHARED, limit: int = LIMIT_BYTES
) -> Package:
    """Bytes and digests of a result. Errors: ResultTooLargeError above `limit` bytes."""
    encoded = {name: npy.encode(array) for name, array in arrays.items()}
    size = len(document) + sum(len(entry.data) for entry in encoded.values())
    if size > limit:
        raise ResultTooLargeError(size, limit)
    common = {name: encoded[name] for name in shared if name in encoded}
    dataset = npy.content_digest(b"dataset", common) if common else ""
    manifest = {
        name: npy.describe(arrays[name], entry.data, dataset if name in common else None)
        for name, entry in encoded.items()
    }
    return Package(
        document=document,
        etag=npy.content_digest(document, encoded),
        manifest=encode(manifest),
        dataset=dataset,
        own={name: entry.data for name, entry in encoded.items() if name not in common},
        common={name: entry.data for name, entry in common.items()},
    )


def read(job_id: str) -> Operation[StoredResult | None]:
    """The result without its arrays; None where there is none (any more). Prolongs its life."""
    found = yield from read_many([job_id])
    return found[0]


def read_many(job_ids: Sequence[str]) -> Operation[list[StoredResult | None]]:
    """The same for many, for tables."""
    commands: list[Command] = []
    for job_id in job_ids:
        commands += [
            Script("touch", job_keys(job_id), (job_id,)),
            ("HMGET", key("result", job_id), "document", "etag", "manifest"),
        ]
    replies = yield commands
    return [_decode(*reply) for reply in replies[1::2]]


def read_npy(job_id: str, names: Iterable[str] | None = None) -> Operation[dict[str, bytes] | None]:
    """Arrays as npy bytes (what an npz file holds), all of them or those of `names` that exist; None without a result.

    All bytes are of one attempt, even when a rerun finishes meanwhile.
    """
    for _ in range(_READ_AGAIN):
        result = yield from read(job_id)
        if result is None:
            return None
        wanted = [name for name in (result.manifest if names is None else names) if name in result.manifest]
        data: dict[str, bytes] = {}
        for name in wanted:
            value = yield from _one(job_id, name, result)
            if value is None:
                break
            data[name] = value
        else:
            return data
    return None


def read_arrays(job_id: str, names: Iterable[str] | None = None) -> Operation[dict[str, Array] | None]:
    """The same as NumPy arrays."""
    data = yield from read_npy(job_id, names)
    return None if data is None else {name: npy.from_npy(value) for name, value in data.items()}


def _share(dataset: str, common: Mapping[str, bytes]) -> Operation[None]:
    """Stores the arrays of a data set unless they are there; the marker comes last, for readers look for it."""
    place = key("dataset", dataset)
    prolong = prolonging("dataset", dataset)
    complete, _ = yield [("HEXISTS", place, "complete"), prolong]
    if complete:
        return
    for commands in npy.rounds(place, common):
        yield [*commands, prolong]
    yield [("HSET", place, "complete", 1)]


def _one(job_id: str, name: str, result: StoredResult) -> Operation[bytes | None]:
    """One array; None when the result has changed under the reader."""
    entry = result.manifest[name]
    own = key("result", job_id)
    place = own if entry.dataset is None else key("dataset", entry.dataset)
    chunks: list[bytes] = []
    for k in range(entry.chunks):
        etag, chunk = yield [("HGET", own, "etag"), ("HGET", place, npy.field(name, k))]
        if chunk is None or etag is None or etag.decode() != result.etag:
            return None
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _decode(document: bytes | None, etag: bytes | None, manifest: bytes | None) -> StoredResult | None:
    if document is None or etag is None or manifest is None:
        return None
    return StoredResult(document, etag.decode(), {n: Stored.decode(e) for n, e in json.loads(manifest).items()})
