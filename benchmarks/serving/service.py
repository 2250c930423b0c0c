"""The real service over a Redis of its own: the API on the last core, Redis off it, a token, no limits of one user."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from benchmarks.cores import available
from benchmarks.serving.stand import Served, free_port, served
from initshape.store import Store, StoreSettings, tokens
from initshape.store.server import RedisServer
from initshape.store.tokens import Role

NO_LIMITS = {
    "INITSHAPE_READS_PER_SECOND": "1e9", "INITSHAPE_WRITES_PER_SECOND": "1e9",
    "INITSHAPE_MAX_ACTIVE_JOBS": "1000000000",
}  # fmt: skip
"""The quotas are looked at as ever, but one user may ask for all that a benchmark sends."""


def redis(stack: ExitStack, folder: Path) -> RedisServer:
    """Redis as `initshape serve` starts it, until the stack unwinds."""
    server = stack.enter_context(RedisServer(folder))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(server.pid, set(available()[:-1]) or {available()[0]})
    return server


def token(settings: StoreSettings) -> str:
    """A token of a member."""
    store = Store(settings)
    try:
        return store.run(tokens.create("mia", Role.member, "benchmark"))
    finally:
        store.close()


def service(stack: ExitStack, folder: Path, name: str, server: RedisServer, secret: str) -> Served:
    """One uvicorn process. With a token: as a team runs it. With "none": nothing but validation and storing."""
    port = free_port()
    open_to_all = (
        {"INITSHAPE_AUTH": "false", "INITSHAPE_AUDIT_ENTRIES": "0", "INITSHAPE_LOG_LEVEL": "warning"}
        if secret == "none"
        else {}
    )
    environment = {**server.environment(), **NO_LIMITS, **open_to_all}
    return stack.enter_context(
        served(name, "service", "--port", str(port), port=port, log=folder / f"{name}.log", token=secret,
               environment=environment)
    )  # fmt: skip
