"""The store of this machine without HTTP, for who may read the data directory: when no token is left, for one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from initshape.spec.problem import InitshapeError
from initshape.store import Store, StoreError, StoreSettings
from initshape.store.binary import ServerError
from initshape.store.server import RedisServer
from initshape.supervisor.place import Place


class DirectError(InitshapeError):
    """The store of this machine cannot be reached: no such directory, no Redis, or no right to read its password."""


@contextmanager
def direct_store(data_dir: Path, environment: Mapping[str, str] | None = None) -> Iterator[Store]:
    """The store at INITSHAPE_REDIS_URL, else that of the server which runs on the directory, else one that is started
    on its files and stopped again. Errors: DirectError.
    """
    given = os.environ if environment is None else environment
    if given.get("INITSHAPE_REDIS_URL"):
        with _open(StoreSettings.from_environment(given)) as store:
            yield store
        return
    if not Place(data_dir).data_dir.is_dir():
        raise DirectError(f"{data_dir} is no data directory: give --data-dir as to `initshape serve`.")
    running = _running(data_dir)
    if running is not None:
        with _open(running) as store:
            yield store
        return
    try:
        server = RedisServer(data_dir)
    except (ServerError, OSError) as error:
        raise DirectError(str(error)) from error
    with server, _open(server.settings) as store:
        yield store


def _running(data_dir: Path) -> StoreSettings | None:
    """How to reach the server of the directory; None where none answers."""
    folder = data_dir / "redis"
    try:
        found = StoreSettings(json.loads((folder / "lock").read_text())["url"], (folder / "password").read_text())
        with _open(found) as store:
            store.client.ping()
    except PermissionError as error:
        raise DirectError(f"{error.filename} may not be read by this user: run this as who runs the server.") from error
    except (OSError, ValueError, KeyError, DirectError):
        return None
    return found


@contextmanager
def _open(settings: StoreSettings) -> Iterator[Store]:
    store = Store(settings)
    try:
        store.client.ping()
        yield store
    except StoreError as error:
        raise DirectError(str(error)) from error
    except Exception as error:
        if type(error).__module__.startswith("redis."):
            raise DirectError(f"Redis does not answer: {error}") from error
        raise
    finally:
        store.close()
