"""Where a server on this machine keeps its things, and how clients of the same user find it.

data_dir/
    lock          held by the supervisor while it runs
    server.json   address and process id, there while the server is up
    admin-token   0600, written at the first start
    logs/         one file a process
    redis/        files of the embedded server
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


def default_data_dir(environment: Mapping[str, str] | None = None) -> Path:
    """INITSHAPE_DATA_DIR, else the user's data directory (XDG_DATA_HOME/initshape)."""
    given = os.environ if environment is None else environment
    if chosen := given.get("INITSHAPE_DATA_DIR"):
        return Path(chosen)
    home = given.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "initshape"


def compilation_cache(environment: Mapping[str, str] | None = None) -> Path:
    """INITSHAPE_COMPILATION_CACHE, else a directory of this user: whoever can write to it can run code here."""
    given = os.environ if environment is None else environment
    if chosen := given.get("INITSHAPE_COMPILATION_CACHE"):
        return Path(chosen)
    home = given.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "initshape" / "compiled"


@dataclass(frozen=True)
class Announcement:
    """A running server."""

    url: str
    pid: int


@dataclass(frozen=True)
class Place:
    """Paths inside one data directory."""

    data_dir: Path

    @property
    def lock(self) -> Path:
        return self.data_dir / "lock"

    @property
    def server(self) -> Path:
        return self.data_dir / "server.json"

    @property
    def token(self) -> Path:
        return self.data_dir / "admin-token"

    def log(self, name: str) -> Path:
        """Log file of the process called `name`."""
        return self.data_dir / "logs" / f"{name.replace(' ', '-')}.log"

    def create(self) -> None:
        """Makes the directories, private to this user."""
        (self.data_dir / "logs").mkdir(parents=True, exist_ok=True)
        self.data_dir.chmod(0o700)

    def announce(self, url: str) -> None:
        """Tells clients where the server is."""
        write_private(self.server, json.dumps({"url": url, "pid": os.getpid()}) + "\n")

    def withdraw(self) -> None:
        """The server is no longer there."""
        self.server.unlink(missing_ok=True)

    def announced(self) -> Announcement | None:
        """The server that runs here; None where none is announced or its process is gone."""
        try:
            said = json.loads(self.server.read_text())
            found = Announcement(str(said["url"]), int(said["pid"]))
            os.kill(found.pid, 0)
        except (OSError, ValueError, KeyError, TypeError):
            return None  # also where another user's process has the number now
        return found

    def read_token(self) -> str | None:
        """The admin token of the first start, if this user may read it."""
        try:
            return self.token.read_text().strip() or None
        except OSError:
            return None


def write_private(path: Path, text: str) -> None:
    """Writes a file that only this user may read, complete or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)
