"""Random numbers that mean the same for ever: one independent stream per name."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, name: str) -> np.random.RandomState:
    """Random numbers of one named part of a data set.

    The legacy generator is used because its streams are frozen (NEP 19): a seed in a published spec gives the same
    data in every NumPy. Parts are split by name, never by position, so that asking for a larger test set, say, does
    not shift the design.
    """
    digest = hashlib.sha256(name.encode()).digest()
    words = [int.from_bytes(digest[i : i + 4], "big") for i in range(0, len(digest), 4)]
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence([seed, *words])))
