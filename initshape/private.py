"""Directories whose content is trusted: compiled programs are code, and whoever can write them runs it here."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def private_directory(path: Path) -> Path:
    """Makes the directory, for this user only, and answers it.

    Raises PermissionError for one that is another user's, or that others may write to: what lies there is not trusted.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.stat()
    if found.st_uid != os.geteuid():
        raise PermissionError(
            f"{path} belongs to another user, who could put programs there: choose another directory."
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(f"{path} may be written to by other users, who could put programs there: chmod 700 it.")
    return path
