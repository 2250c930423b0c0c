"""Compiled programs on disk: one private folder, one file a program, each with a checksum. No mathematics, no JAX."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MAGIC: Final = b"initshape program 1\n"
MOST: Final = 512
"""Files in a folder; those that were not used for longest go first."""
_DIGEST, _LENGTH = hashlib.sha256().digest_size, 4


@dataclass(frozen=True)
class ProgramFiles:
    """Programs by key in `folder`, for processes of one user: whoever can write there can run code in them.

    Nothing here raises: what cannot be read is not there, and what cannot be written is compiled again some day.
    """

    folder: Path

    def read(self, key: str) -> tuple[dict[str, Any], bytes] | None:
        """Header and machine code; None where there is no such file, a damaged one, or one of another format."""
        if not self._private():
            return None
        path = self._path(key)
        try:
            content = path.read_bytes()
            found = _unpacked(content)
            if found is not None:
                os.utime(path)
        except (OSError, ValueError, zlib.error):
            return None
        return found

    def write(self, key: str, header: dict[str, Any], code: bytes) -> bool:
        """Whether the file is there now; it appears whole or not at all."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._private():
                return False
            number, name = tempfile.mkstemp(prefix=".new-", dir=self.folder)
            try:
                with os.fdopen(number, "wb") as file:
                    file.write(_packed(header, code))
                os.replace(name, self._path(key))
            except BaseException:
                os.unlink(name)
                raise
            self._prune()
        except OSError:
            return False
        return True

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.program"

    def _private(self) -> bool:
        """Whether the folder, and the one that it lies in, belong to this user and nobody else may write there."""
        try:
            states = [path.stat() for path in (self.folder, self.folder.parent)]
        except OSError:
            return False
        return all(state.st_uid == os.geteuid() and not state.st_mode & 0o022 for state in states)

    def _prune(self) -> None:
        files = list(self.folder.iterdir())
        if len(files) <= MOST:
            return
        with contextlib.suppress(OSError):  # another process does the same
            for path in sorted(files, key=lambda path: path.stat().st_mtime)[: len(files) - MOST]:
                path.unlink(missing_ok=True)


def _packed(header: dict[str, Any], code: bytes) -> bytes:
    """The format: magic line, SHA-256 of the rest, length of the header, the header as JSON, the code compressed."""
    head = json.dumps(header).encode()
    rest = len(head).to_bytes(_LENGTH, "big") + head + zlib.compress(code, 1)
    return MAGIC + hashlib.sha256(rest).digest() + rest


def _unpacked(content: bytes) -> tuple[dict[str, Any], bytes] | None:
    """**Errors**: ValueError, zlib.error for what has the right checksum and another format."""
    start = len(MAGIC) + _DIGEST
    rest = content[start:]
    if not content.startswith(MAGIC) or hashlib.sha256(rest).digest() != content[len(MAGIC) : start]:
        return None
    end = _LENGTH + int.from_bytes(rest[:_LENGTH], "big")
    header = json.loads(rest[_LENGTH:end])
    return (header, zlib.decompress(rest[end:])) if isinstance(header, dict) else None
