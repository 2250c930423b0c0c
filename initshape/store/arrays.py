"""Arrays as bytes: the npy format (self-describing, no pickle) in chunks, and the manifest that lists them."""

from __future__ import annotations

import hashlib
import io
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from initshape.store.operation import Command

CHUNK_BYTES: Final = 4 * 1024 * 1024
"""A longer value would stall Redis for milliseconds at a time."""
ROUND_BYTES: Final = 2 * CHUNK_BYTES

Array = NDArray[Any]


@dataclass(frozen=True)
class Stored:
    """Entry of a manifest. `dataset`: id of the shared data set that holds it, None where the result itself does."""

    shape: tuple[int, ...]
    dtype: str
    chunks: int
    size: int
    dataset: str | None = None

    @classmethod
    def decode(cls, entry: Mapping[str, Any]) -> Stored:
        """From a manifest's JSON."""
        return cls(tuple(entry["shape"]), entry["dtype"], entry["chunks"], entry["size"], entry.get("dataset"))


def to_npy(array: Array) -> bytes:
    """One array in npy format. Raises ValueError for objects, which would need pickle."""
    if array.dtype.hasobject:
        raise ValueError("Arrays of Python objects are never stored.")
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array, order="C"), allow_pickle=False)
    return file.getvalue()


def from_npy(data: bytes) -> Array:
    """The array again."""
    array: Array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    return array


def describe(array: Array, data: bytes, dataset: str | None = None) -> dict[str, Any]:
    """Manifest entry of an array and its npy bytes."""
    entry = {"shape": list(array.shape), "dtype": str(array.dtype), "chunks": chunk_count(data), "size": len(data)}
    return entry if dataset is None else {**entry, "dataset": dataset}


def chunk_count(data: bytes) -> int:
    """Number of chunks, at least one."""
    return max(1, -(-len(data) // CHUNK_BYTES))


def field(name: str, chunk: int) -> str:
    """Hash field of one chunk."""
    return f"a:{name}:{chunk}"


def fields(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Hash fields and values that hold an array."""
    for k in range(chunk_count(data)):
        yield field(name, k), data[k * CHUNK_BYTES : (k + 1) * CHUNK_BYTES]


def rounds(key: str, arrays: Mapping[str, bytes]) -> Iterator[list[Command]]:
    """HSET commands that write the arrays into a hash, in rounds of bounded size."""
    commands: list[Command] = []
    size = 0
    for name, data in arrays.items():
        for place, chunk in fields(name, data):
            if commands and size + len(chunk) > ROUND_BYTES:
                yield commands
                commands, size = [], 0
            commands.append(("HSET", key, place, chunk))
            size += len(chunk)
    if commands:
        yield commands


@dataclass(frozen=True)
class Encoded:
    """An array as it is stored, and the SHA-256 of those bytes."""

    data: bytes
    digest: bytes


def encode(array: Array) -> Encoded:
    """npy bytes and their digest. Those of a read-only array (X of a data set) are kept for as long as it lives."""
    if array.flags.writeable:
        return _encode(array)
    found = _kept.get(id(array))
    if found is None or found[0]() is not array:
        found = _kept[id(array)] = (weakref.ref(array, _forget(id(array))), _encode(array))
    return found[1]


_kept: dict[int, tuple[weakref.ref[Array], Encoded]] = {}


def _encode(array: Array) -> Encoded:
    data = to_npy(array)
    return Encoded(data, hashlib.sha256(data).digest())


def _forget(number: int) -> Callable[[weakref.ref[Array]], None]:
    def forget(reference: weakref.ref[Array]) -> None:
        if number in _kept and _kept[number][0] is reference:
            del _kept[number]

    return forget


def content_digest(document: bytes, arrays: Mapping[str, Encoded]) -> str:
    """SHA-256 over names, lengths and bytes, independent of the order of the arrays."""
    total = hashlib.sha256(document)
    for name in sorted(arrays):
        total.update(f"\0{name}\0{len(arrays[name].data)}\0".encode())
        total.update(arrays[name].digest)
    return total.hexdigest()
