"""Experiment documents as stored: large sections (inline data, explicit parameters) are kept once, by digest.

A sweep of 10,000 cells over one inline data set of 1 MB would otherwise take 10 GB.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from initshape.store.keys import key

LARGE = 16_384
_REFERENCE = "$part"


_TO_JSON = json.JSONEncoder(separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def encode(value: Any) -> bytes:
    """Compact JSON; NaN and infinities are refused with ValueError."""
    return _TO_JSON.encode(value).encode()


def split(document: Mapping[str, Any]) -> tuple[bytes, dict[str, bytes]]:
    """`Splitter.split` for one document alone."""
    whole = encode(document)
    return (whole, {}) if len(whole) <= LARGE else Splitter().split(document)


class Splitter:
    """Writes documents, each section that several of them share once."""

    def __init__(self) -> None:
        self._written: dict[int, _Written] = {}  # by the identity of the section

    def split(self, document: Mapping[str, Any]) -> tuple[bytes, dict[str, bytes]]:
        """The document with its large sections replaced by references, and those sections by digest.

        Single values of such a section stay beside its reference: lists filter by them.
        """
        parts: dict[str, bytes] = {}
        members = []
        for name, section in document.items():
            written = self._written.get(id(section))
            if written is None:
                written = self._written[id(section)] = _write(section)
            if written.digest is not None:
                parts[written.digest] = written.text
            members.append(b"%b:%b" % (encode(name), written.inside))
        return b"{%b}" % b",".join(members), parts


@dataclass(frozen=True, slots=True)
class _Written:
    """A section as it stands in its document, and where that is a reference, digest and text of the part."""

    section: Any  # held, or its identity could come again
    inside: bytes
    digest: str | None = None
    text: bytes = b""


def _write(section: Any) -> _Written:
    text = encode(section)
    if not isinstance(section, dict) or len(text) <= LARGE:
        return _Written(section, text)
    digest = hashlib.sha256(text).hexdigest()
    return _Written(section, encode({_REFERENCE: digest, **_single(section)}), digest, text)


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
