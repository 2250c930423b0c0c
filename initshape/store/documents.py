"""Experiment documents as stored: large sections (inline data, explicit parameters) are kept once, by digest.

A sweep of 10,000 cells over one inline data set of 1 MB would otherwise take 10 GB.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from initshape.store.keys import key

LARGE = 16_384
_REFERENCE = "$part"


_encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def encode(value: Any) -> bytes:
    """Compact JSON; NaN and infinities are refused with ValueError."""
    return _encoder.encode(value).encode()


def split(document: Mapping[str, Any]) -> tuple[bytes, dict[str, bytes]]:
    """The document with its large sections replaced by references, and those sections by digest.

    Single values of such a section stay beside its reference: lists filter by them.
    """
    whole = encode(document)
    if len(whole) <= LARGE:
        return whole, {}
    parts: dict[str, bytes] = {}
    small: dict[str, Any] = {}
    for name, section in document.items():
        text = encode(section) if isinstance(section, dict) else b""
        if len(text) > LARGE:
            digest = hashlib.sha256(text).hexdigest()
            parts[digest] = text
            small[name] = {_REFERENCE: digest, **_single(section)}
        else:
            small[name] = section
    return encode(small), parts


def _single(section: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in section.items() if not isinstance(value, list | dict)}


def references(document: Mapping[str, Any]) -> dict[str, str]:
    """Section name -> digest, of what is kept apart."""
    return {n: s[_REFERENCE] for n, s in document.items() if isinstance(s, dict) and _REFERENCE in s}


def part_keys(digests: list[str]) -> list[str]:
    """Where the sections lie."""
    return [key("part", digest) for digest in digests]


def join(document: Mapping[str, Any], parts: Mapping[str, bytes]) -> dict[str, Any]:
    """The whole document again. Raises KeyError where a part is missing."""
    return {**document, **{name: json.loads(parts[digest]) for name, digest in references(document).items()}}
