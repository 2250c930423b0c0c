"""npz files from strangers: every size is checked before what it speaks of is read, and nothing is ever unpickled.

An npz is a zip of npy files. The directory of the zip is bounded before it is parsed, the sizes that it declares before
anything is decompressed, and no member yields more bytes than it declared. The header of an npy file is matched against
the one form that NumPy writes, never evaluated.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Collection, Mapping
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from initshape.spec.explain import nearest
from initshape.spec.problem import SpecError
from initshape.uploads.refusal import refused, too_large

MOST_MEMBERS: Final = 16
_MOST_DIRECTORY: Final = 8192
"""Bytes of a zip's directory; sixteen members with short names take a tenth."""
_MOST_DIMENSIONS: Final = 2
_END: Final = struct.Struct("<4s4H2LH")
_HEADER: Final = re.compile(
    r"\{\s*'descr':\s*(?P<descr>'[^'\\]{1,16}'|\[.*\])\s*,\s*'fortran_order':\s*(?P<fortran>True|False)\s*,"
    r"\s*'shape':\s*\((?P<shape>[0-9L, ]{0,200})\)\s*,?\s*\}\s*",
    re.DOTALL,
)
_DTYPE: Final = re.compile(r"[<>=|]?(f[48]|[iu][1248])")
_EXACT: Final = 2**53

Arrays = dict[str, NDArray[np.float64]]


def read_npz(data: bytes, names: Collection[str], limit: int) -> Arrays:
    """The arrays of a file as float64 in C order; each is called one of `names`, none is required.

    Errors: SpecError, 413 above `limit` bytes as float64, else 422.
    """
    _check_directory(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = _members(archive, names, limit)
            found: Arrays = {}
            for name, member in members.items():
                with archive.open(member) as file:
                    content = file.read(member.file_size + 1)
                    if file.read(1) or len(content) != member.file_size:
                        raise refused(f"/{name}", None, "the size that it declares", "the archive is damaged")
                left = limit - sum(array.nbytes for array in found.values())
                found[name] = read_npy(name, content, left)
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError, OverflowError):
        # RuntimeError: encrypted, or (NotImplementedError) a compression that is not known here.
        raise _damaged() from None
    return found


def read_npy(name: str, content: bytes, limit: int) -> NDArray[np.float64]:
    """One array from the bytes of an npy file. Errors: as read_npz."""
    text, body = _split(name, content)
    header = _HEADER.fullmatch(text)
    if header is None:
        raise refused(f"/{name}", text[:80], "an array of real numbers as numpy.save writes it",
                      "the header of the array is not understood")  # fmt: skip
    descr = header["descr"].strip("'")
    if not _DTYPE.fullmatch(descr):
        raise refused(f"/{name}", descr[:80], "float64, float32 or integers",
                      "convert it with .astype(float); objects, records, text, complex numbers and booleans are not "
                      "accepted")  # fmt: skip
    shape = _shape(name, header["shape"])
    dtype = np.dtype(descr)
    if 8 * prod(shape) > limit:
        raise too_large(f"/{name}", 8 * prod(shape), limit)
    if len(body) != dtype.itemsize * prod(shape):
        raise refused(f"/{name}", len(body), f"{dtype.itemsize * prod(shape)} bytes, as the header says",
                      "the array is shorter or longer than its header says")  # fmt: skip
    flat = np.frombuffer(body, dtype=dtype)
    given = flat.reshape(shape[::-1]).T if header["fortran"] == "True" else flat.reshape(shape)
    if dtype.kind in "iu" and given.size and (int(given.max()) > _EXACT or int(given.min()) < -_EXACT):
        raise refused(f"/{name}", None, "integers up to 2^53", "larger integers have no exact binary64")
    return np.array(given, dtype=np.float64, order="C")


def to_npz(arrays: Mapping[str, NDArray[np.float64]]) -> bytes:
    """Arrays as an npz file."""
    file = io.BytesIO()
    named: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
    np.savez(file, allow_pickle=False, **named)
    return file.getvalue()


def _check_directory(data: bytes) -> None:
    """Bounds the directory, which zipfile would read whole whatever it claims to hold."""
    if len(data) < _END.size or not data.startswith(b"PK\x03\x04"):
        raise refused("", None, "an npz file", "this is not an npz file: write it with numpy.savez")
    signature, disk, first, here, count, size, _, comment = _END.unpack(data[-_END.size :])
    if signature != b"PK\x05\x06" or disk or first or here != count or comment:
        raise _damaged()
    # The locator of a 64-bit directory would stand just before, and override these numbers.
    if data[-_END.size - 20 : -_END.size].startswith(b"PK\x06\x07"):
        raise _damaged()
    if count > MOST_MEMBERS or size > _MOST_DIRECTORY:
        raise refused("", count, f"at most {MOST_MEMBERS} arrays", "the file has too many members")


def _members(archive: zipfile.ZipFile, names: Collection[str], limit: int) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    if len(archive.infolist()) > MOST_MEMBERS:
        raise refused("", len(archive.infolist()), f"at most {MOST_MEMBERS} arrays", "the file has too many members")
    for member in archive.infolist():
        name = member.orig_filename.removesuffix(".npy")
        if name not in names or member.orig_filename == name:
            raise unknown_array(member.orig_filename, names)
        if name in found:
            raise refused(f"/{name}", None, "each array once", f"{name} stands twice in the file")
        found[name] = member
    total = sum(member.file_size for member in found.values())
    if total > limit + 4096 * len(found):  # the headers beside the numbers
        raise too_large("", total, limit)
    return found


def _split(name: str, content: bytes) -> tuple[str, bytes]:
    """Header and numbers of an npy file of version 1 or 2."""
    if content[:6] != b"\x93NUMPY" or content[6:8] not in (b"\x01\x00", b"\x02\x00"):
        raise refused(f"/{name}", None, "an npy file of version 1 or 2", "write the file with numpy.savez")
    width = 2 if content[6] == 1 else 4
    length = int.from_bytes(content[8 : 8 + width], "little")
    if length > 4096 or len(content) < 8 + width + length:
        raise refused(f"/{name}", length, "a header of at most 4096 bytes", "write the file with numpy.savez")
    start = 8 + width
    return content[start : start + length].decode("latin1"), content[start + length :]


def _shape(name: str, text: str) -> tuple[int, ...]:
    parts = [part.strip().rstrip("L") for part in text.split(",")]
    parts = parts[:-1] if parts[-1] == "" else parts
    if any(not re.fullmatch("[0-9]{1,15}", part) for part in parts):
        raise refused(f"/{name}", text[:80], "a shape", "the header of the array is not understood")
    if len(parts) > _MOST_DIMENSIONS:
        raise refused(f"/{name}", len(parts), f"at most {_MOST_DIMENSIONS} dimensions", "X is samples x features")
    return tuple(map(int, parts))


def unknown_array(name: str, names: Collection[str]) -> SpecError:
    """The refusal of an array that means nothing."""
    close = nearest(name.removesuffix(".npy"), names)
    hint = f"did you mean {close!r}?" if close else "leave it out"
    return refused("", name[:80], ", ".join(sorted(names)), f"no array has this name: {hint}")


def _damaged() -> Exception:
    return refused("", None, "an npz file", "the archive is damaged, encrypted, or not a plain zip: write it with "
                   "numpy.savez or numpy.savez_compressed")  # fmt: skip
