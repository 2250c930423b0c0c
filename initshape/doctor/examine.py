"""All checks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from initshape.doctor import files, machine, network, numerics, store
from initshape.doctor.finding import Finding
from initshape.store import StoreSettings
from initshape.store.nearby import settings_of
from initshape.supervisor.place import Place, compilation_cache


def examine(data_dir: Path, redis_url: str | None, environment: Mapping[str, str]) -> list[Finding]:
    """Takes some seconds, for jax is loaded. The store is that of `redis_url`, else that of the data directory."""
    place = Place(data_dir.absolute())
    running = place.announced()
    reached = (
        settings_of(place.data_dir)
        if redis_url is None
        else StoreSettings.from_environment({**environment, "INITSHAPE_REDIS_URL": redis_url})
    )
    host, port = environment.get("INITSHAPE_HOST", "127.0.0.1"), int(environment.get("INITSHAPE_PORT", "8000"))
    return [
        *numerics.check(environment),
        *machine.check(),
        *files.check(place, compilation_cache(environment)),
        *store.check(reached),
        *network.check(running.url if running else None, host, port),
    ]
