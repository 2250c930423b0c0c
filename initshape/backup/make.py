"""`initshape backup`: a snapshot of a running server, read back before it counts as one."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from initshape.backup import loading
from initshape.backup.manifest import DUMP, NAME, TOKEN, BackupError, Count, File, FileName, Manifest, describe
from initshape.store import Store, StoreSettings, condition, snapshot


def backup(settings: StoreSettings, destination: Path, token: Path | None = None) -> Manifest:
    """Makes `destination`, whole or not at all. `token` is the file with the admin's token, if there is one.

    The snapshot is loaded into a server of its own, which takes as much memory as the data for a moment.
    Errors: BackupError, StoreError (also ServerError, where it cannot be read back).
    """
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise BackupError(f"{destination} is there already: backups are never overwritten.")
    destination.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=destination.parent))  # 0700
    try:
        store = Store(settings)
        try:
            server = store.run(condition.read()).version
        finally:
            store.close()
        total = hashlib.sha256()
        size = snapshot.take(settings, partial / DUMP, total.update)
        written = File(bytes=size, sha256=total.hexdigest())
        if describe(partial / DUMP) != written:
            raise BackupError(f"{partial / DUMP} is not what was sent: the disk lies.")
        files: dict[FileName, File] = {DUMP: written}
        if token is not None and token.exists():
            shutil.copyfile(token, partial / TOKEN)
            files[TOKEN] = describe(partial / TOKEN)
        keys, found = _read_back(partial / DUMP)
        manifest = Manifest(
            created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            initshape=version("initshape"), store_format=found, server=server, files=files, keys=keys,
        )  # fmt: skip
        (partial / NAME).write_text(manifest.model_dump_json(indent=2) + "\n")
        for path in partial.iterdir():
            path.chmod(0o600)
            _to_disk(path)
        partial.rename(destination)
        _to_disk(destination.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return manifest


def _read_back(dump: Path) -> tuple[dict[str, Count], int]:
    """Number of keys by family, and the format."""
    with (
        tempfile.TemporaryDirectory(prefix=".check.", dir=dump.parent) as folder,
        loading.load(dump, Path(folder)) as server,
    ):
        store = Store(server.settings)
        try:
            return loading.count(store), loading.format_of(store)
        finally:
            store.close()


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
