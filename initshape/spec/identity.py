"""Content identity: equal computations have equal ids, whoever asks and however it is spelled.

id = prefix + first 26 characters of lower-case base32 of SHA-256 over RFC 8785 canonical JSON.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from pydantic import JsonValue

from initshape.spec.canonical import dumps
from initshape.spec.experiment import Experiment
from initshape.spec.version import NUMERICS_VERSION

ID_PATTERN = r"^[xs]-[a-z2-7]{26}$"


def resolved(experiment: Experiment) -> dict[str, Any]:
    """The experiment with every default filled in; optional fields that were not given are absent, never null."""
    return experiment.model_dump(mode="json", exclude_none=True)


def canonical(experiment: Experiment) -> dict[str, Any]:
    """What the identity covers: the resolved experiment less resources and max_seconds, and the numerics version."""
    return _canonical(resolved(experiment))


def experiment_id(experiment: Experiment) -> str:
    """`x-` and 26 characters."""
    return resolved_id(resolved(experiment))


def resolved_id(document: dict[str, Any]) -> str:
    """The same for what `resolved` has answered, where both are needed."""
    return content_id("x-", _canonical(document))


def _canonical(document: dict[str, Any]) -> dict[str, Any]:
    covered = {name: section for name, section in document.items() if name != "resources"}
    covered["stop"] = {name: value for name, value in document["stop"].items() if name != "max_seconds"}
    return {"experiment": covered, "numerics_version": NUMERICS_VERSION}


def content_id(prefix: str, document: JsonValue) -> str:
    """Identity of any JSON document. Raises rfc8785.CanonicalizationError for NaN or integers beyond 2^53."""
    digest = hashlib.sha256(dumps(document)).digest()
    return prefix + base64.b32encode(digest[:20]).decode("ascii").lower()[:26]
