"""Parts that an older version of this project does not have."""

from __future__ import annotations

import importlib
from typing import Any


def lookup(path: str) -> Any:
    """The object at module:name, or None where this version has no such module or name."""
    module, name = path.split(":")
    try:
        return getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError:
        return None


def missing(path: str) -> str | None:
    """Why `path` cannot be raced here, or None."""
    return None if lookup(path) is not None else f"this version has no {path.replace(':', '.')}"
