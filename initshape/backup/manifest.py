"""`backup.json`: what a backup holds and how to tell that it is whole."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from initshape.spec.problem import InitshapeError

FileName = Literal["dump.rdb", "admin-token"]
NAME: Final = "backup.json"
DUMP: Final[FileName] = "dump.rdb"
TOKEN: Final[FileName] = "admin-token"  # noqa: S105 - the name of a file


class BackupError(InitshapeError):
    """A backup cannot be made, is not whole, or cannot be restored here."""


class File(BaseModel):
    """One file of a backup."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Count(BaseModel):
    """Keys of one family. `lasting` ones never expire; of the others, some may be gone at a later restore."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lasting: int = 0
    expiring: int = 0


class Manifest(BaseModel):
    """The document."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backup_version: Literal[1] = 1
    created: str
    initshape: str
    store_format: int
    server: str
    files: dict[FileName, File]
    keys: dict[str, Count]

    @property
    def total(self) -> int:
        """All keys."""
        return sum(count.lasting + count.expiring for count in self.keys.values())


def read(folder: Path) -> Manifest:
    """Errors: BackupError where it is no backup, or not whole: sizes and checksums of all files are compared."""
    try:
        found = Manifest.model_validate_json((folder / NAME).read_bytes())
    except OSError as error:
        raise BackupError(f"{folder} is no backup: {NAME}: {error.strerror}.") from error
    except ValidationError as error:
        raise BackupError(f"{folder / NAME} cannot be read: {error.errors()[0]['msg']}.") from error
    if DUMP not in found.files:
        raise BackupError(f"{folder / NAME} names no {DUMP}.")
    for name, told in found.files.items():
        try:
            seen = describe(folder / name)
        except OSError as error:
            raise BackupError(f"{folder / name}: {error.strerror}.") from error
        if seen != told:
            raise BackupError(f"{folder / name} is not what was written: size or checksum differ.")
    return found


def describe(path: Path) -> File:
    """Size and checksum of a file."""
    with path.open("rb") as file:
        return File(bytes=path.stat().st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())
