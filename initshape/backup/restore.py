"""`initshape restore`: a data directory from a backup, whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from initshape.backup import loading, manifest
from initshape.backup.manifest import DUMP, TOKEN, BackupError, Count, Manifest
from initshape.store import Store
from initshape.supervisor.place import Place

_RESTORED: Final = ("redis", "admin-token")


def restore(source: Path, data_dir: Path, *, force: bool = False) -> tuple[Manifest, Path | None]:
    """Fills a data directory. What was in it is moved aside where `force` allows that; answers where to.

    Everything is made beside its place, loaded, counted and on disk before anything that was there is touched.
    Errors: BackupError, ServerError, StoreFormatError.
    """
    found = manifest.read(source)
    place = Place(data_dir.absolute())
    place.create()
    with _unused(place):
        old = [place.data_dir / name for name in _RESTORED if (place.data_dir / name).exists()]
        if old and not force:
            raise BackupError(f"{place.data_dir} holds data: give another directory, or --force to move them aside.")
        partial = Path(tempfile.mkdtemp(prefix=".restoring.", dir=place.data_dir))
        try:
            _fill(source, partial, found)
            aside = _move_aside(place.data_dir, old)
            for name in _RESTORED:
                if (partial / name).exists():
                    (partial / name).rename(place.data_dir / name)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return found, aside


def _fill(source: Path, partial: Path, found: Manifest) -> None:
    with loading.load(source / DUMP, partial) as server:
        store = Store(server.settings)
        try:
            loading.format_of(store)
            _compare(found.keys, loading.count(store))
            loading.make_durable(store)
        finally:
            store.close()
    (partial / "redis" / DUMP).unlink()
    if TOKEN in found.files:
        shutil.copyfile(source / TOKEN, partial / TOKEN)
        (partial / TOKEN).chmod(0o600)


def _compare(wanted: Mapping[str, Count], seen: Mapping[str, Count]) -> None:
    """What never expires is all there; nothing is there that was not in the backup."""
    for family in sorted({*wanted, *seen}):
        told, found = wanted.get(family, Count()), seen.get(family, Count())
        if found.lasting != told.lasting or found.expiring > told.expiring:
            raise BackupError(
                f"Of the family {family} {found.lasting} + {found.expiring} keys were read, "
                f"{told.lasting} + {told.expiring} are in the backup (lasting + expiring)."
            )


def _move_aside(data_dir: Path, old: list[Path]) -> Path | None:
    if not old:
        return None
    aside = data_dir / f"replaced-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}"
    aside.mkdir(mode=0o700)
    for path in old:
        path.rename(aside / path.name)
    return aside


@contextmanager
def _unused(place: Place) -> Iterator[None]:
    """Holds the locks of the supervisor and of the embedded server. Errors: BackupError where somebody has one."""
    locks: list[int] = []
    try:
        for path in (place.lock, place.data_dir / "redis" / "lock"):
            if path is not place.lock and not path.exists():
                continue
            locks.append(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            try:
                fcntl.flock(locks[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BackupError(f"A server uses {place.data_dir}: stop it first.") from None
        yield
    finally:
        for lock in locks:
            os.close(lock)
