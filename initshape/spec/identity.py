"""Content identity: equal computations have equal ids, whoever asks and however it is spelled.

id = prefix + first 26 characters of lower-case base32 of SHA-256 over RFC 8785 canonical JSON.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from initshape.spec.canonical import canonical_text
from initshape.spec.experiment import Experiment
from initshape.spec.version import NUMERICS_VERSION

ID_PATTERN = r"^[xs]-[a-z2-7]{26}$"


def resolved(experiment: Experiment) -> dict[str, Any]:
    """The experiment with every default filled in; optional fields that were not given are absent, never null."""
    return experiment.model_dump(mode="json", exclude_none=True)


def experiment_id(experiment: Experiment) -> str:
    """`x-` and 26 characters."""
    return resolved_id(resolved(experiment))


def resolved_id(document: dict[str, Any]) -> str:
    """The same for what `resolved` has answered, where both are needed."""
    return id_of_sections({name: section_text(name, section) for name, section in document.items()})


def section_text(name: str, section: Any) -> bytes | None:
    """Canonical JSON of what the identity covers of a resolved section: no resources (None), no stop.max_seconds."""
    if name == "resources":
        return None
    covered = {key: value for key, value in section.items() if key != "max_seconds"} if name == "stop" else section
    return canonical_text(covered)


def id_of_sections(texts: Mapping[str, bytes | None]) -> str:
    """`x-` and 26 characters over these sections, of which `section_text` is known, and the numerics version."""
    members = b",".join([b'"%b":%b' % (name.encode(), text) for name, text in sorted(texts.items()) if text])
    return text_id("x-", b'{"experiment":{%b},"numerics_version":%b}' % (members, _VERSION))


def text_id(prefix: str, text: bytes) -> str:
    """Identity of a document by its canonical JSON."""
    digest = hashlib.sha256(text).digest()
    return prefix + base64.b32encode(digest[:20]).decode("ascii").lower()[:26]  # 26 characters are 130 bits


_VERSION = canonical_text(NUMERICS_VERSION)
