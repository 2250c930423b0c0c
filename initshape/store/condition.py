"""Whether a Redis server is fit to hold what must not be lost: append-only, never evicting, writing without errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from initshape.store import format as store_format
from initshape.store.keys import FORMAT_NUMBER
from initshape.store.operation import Operation

OK = "ok"


@dataclass(frozen=True)
class Condition:
    """Each in one word or one sentence; `ok` is good."""

    persistence: str
    eviction: str
    format: str
    version: str

    @property
    def problems(self) -> list[str]:
        """What has to be mended before jobs are safe."""
        return [text for text in (self.persistence, self.eviction, self.format) if text != OK]

    def told(self) -> dict[str, str]:
        """For a log."""
        return {"redis": self.version, "persistence": self.persistence, "eviction": self.eviction}


def read() -> Operation[Condition]:
    """How the server stands now."""
    persistence, memory, server = yield [("INFO", "persistence"), ("INFO", "memory"), ("INFO", "server")]
    found = yield from store_format.number()
    return Condition(
        _persistence(persistence), _eviction(memory), _format(found), version_of({**server})
    )  # fmt: skip


def version_of(info: Mapping[str, Any]) -> str:
    """Name and version; Valkey calls itself Redis 7.2 as well."""
    if "valkey_version" in info:
        return f"valkey {info['valkey_version']}"
    return f"redis {info.get('redis_version', 'unknown')}"


def _persistence(found: Mapping[str, Any]) -> str:
    if found.get("loading"):
        return "loading"
    if not found.get("aof_enabled"):
        return "off: set appendonly yes"
    return OK if found.get("aof_last_write_status", "ok") == "ok" else "the last write failed"


def _eviction(found: Mapping[str, Any]) -> str:
    policy = found.get("maxmemory_policy", "noeviction")
    return OK if policy == "noeviction" else f"{policy}: set maxmemory-policy noeviction"


def _format(found: int) -> str:
    return OK if found <= FORMAT_NUMBER else str(store_format.refusal(found))
