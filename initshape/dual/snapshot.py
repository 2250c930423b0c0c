"""States of mirror maps and steps as named arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from initshape.training.checkpoint import Arrays, SnapshotError, part


def packed(name: str, value: Any, like: Any) -> Arrays:
    """The arrays and numbers in a nest of dataclasses and tuples, but what it shares with `like`: that never moves."""
    if value is like:
        return {}
    if is_dataclass(value):
        pairs = [(f.name, getattr(value, f.name), getattr(like, f.name, None)) for f in fields(value)]
    elif isinstance(value, tuple):
        pairs = [(str(k), *both) for k, both in enumerate(zip(value, like, strict=True))]
    else:
        return {name: np.asarray(value)}
    found: Arrays = {}
    for field, own, others in pairs:
        found |= packed(f"{name}.{field}", own, others)
    return found


def unpacked(name: str, arrays: Mapping[str, Any], like: Any) -> Any:
    """The nest again; what was not saved is that of `like`. **Errors**: SnapshotError."""
    if is_dataclass(like) and not isinstance(like, type):
        changes = {f.name: unpacked(f"{name}.{f.name}", arrays, getattr(like, f.name)) for f in fields(like)}
        same = all(value is getattr(like, field) for field, value in changes.items())
        return like if same else replace(like, **changes)
    if isinstance(like, tuple):
        parts = tuple(unpacked(f"{name}.{k}", arrays, entry) for k, entry in enumerate(like))
        return like if all(a is b for a, b in zip(parts, like, strict=True)) else parts
    if name not in arrays:
        return like
    if not isinstance(like, np.ndarray):
        raise SnapshotError(f"{name} is no array in this flow")
    return part(arrays, name, like)
