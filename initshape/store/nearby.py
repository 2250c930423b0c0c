"""The embedded server of a data directory, as another process of the same user finds it."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

from initshape.store.settings import StoreSettings


def settings_of(data_dir: Path) -> StoreSettings | None:
    """How to reach the server that runs there; None where none runs, or this user may not read how."""
    folder = data_dir / "redis"
    try:
        if not is_held(folder / "lock"):
            return None
        said = json.loads((folder / "lock").read_text())
        return StoreSettings(str(said["url"]), (folder / "password").read_text())
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_held(lock: Path) -> bool:
    """Whether a living process holds a lock file. Errors: OSError where there is none."""
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
