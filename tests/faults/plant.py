"""Everything that runs: Redis, the API and the workers of one chaos run, and who is up."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from initshape.store import Store, tokens
from initshape.store.tokens import Role
from tests.faults.processes import START_SECONDS, Api, Redis, Worker, stopping, until


@dataclass
class Plant:
    """`frozen` holds the names of workers that are stopped just now."""

    folder: Path
    redis: Redis
    api: Api
    workers: list[Worker]
    frozen: set[str] = field(default_factory=set)

    def up(self) -> list[Worker]:
        """Workers that could take a job: alive, not frozen, the child's libraries loaded."""
        return [w for w in self.workers if w.name not in self.frozen and w.warm_child() is not None]

    def store(self) -> Store:
        """A driver of its own for whoever asks."""
        return Store(self.redis.settings)

    def token(self, user: str) -> str:
        """A new member's token."""
        store = self.store()
        try:
            return store.run(tokens.create(user, Role.member))
        finally:
            store.close()


@contextmanager
def running(folder: Path, workers: int, settings: Mapping[str, str] | None = None) -> Iterator[Plant]:
    """All up and warm; all ended afterwards, gracefully. `settings` are variables of the environment."""
    folder.mkdir(parents=True, exist_ok=True)
    redis = Redis(folder)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("INITSHAPE_")}
    environment = kept | redis.environment | {
        "INITSHAPE_COMPILATION_CACHE": os.environ.get("INITSHAPE_COMPILATION_CACHE", str(folder / "compiled")),
        "INITSHAPE_PIN": "0",  # workers are more than cores, and other runs may be on this machine
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        **(settings or {}),
    }  # fmt: skip
    api = Api(environment, folder / "api.log")
    names = [f"w{k + 1}" for k in range(workers)]
    plant = Plant(folder, redis, api, [Worker(name, environment, folder / f"{name}.log") for name in names])
    with stopping([redis, api, *plant.workers]):
        redis.start()
        for worker in plant.workers:
            worker.start()
        api.start()
        until(lambda: len(plant.up()) == workers, START_SECONDS, "workers", pause=0.2)
        yield plant
