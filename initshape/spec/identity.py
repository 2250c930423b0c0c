"""Content identity: equal computations have equal ids, whoever asks and however it is spelled.

id = prefix + first 26 characters of lower-case base32 of SHA-256 over RFC 8785 canonical JSON.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import rfc8785
from pydantic import JsonValue

from initshape.spec.experiment import Experiment
from initshape.spec.version import NUMERICS_VERSION

ID_PATTERN = r"^[xs]-[a-z2-7]{26}$"


def resolved(experiment: Experiment) -> dict[str, Any]:
    """The experiment with every default filled in; optional fields that were not given are absent, never null."""
    return experiment.model_dump(mode="json", exclude_none=True)


def canonical(experiment: Experiment) -> dict[str, Any]:
    """What the identity covers: the resolved experiment less resources and max_seconds, and the numerics version."""
    document = resolved(experiment)
    del document["resources"], document["stop"]["max_seconds"]
    return {"experiment": document, "numerics_version": NUMERICS_VERSION}


def experiment_id(experiment: Experiment) -> str:
    """`x-` and 26 characters."""
    return content_id("x-", canonical(experiment))


def content_id(prefix: str, document: JsonValue) -> str:
    """Identity of any JSON document. Raises rfc8785.CanonicalizationError for NaN or integers beyond 2^53."""
    digest = hashlib.sha256(rfc8785.dumps(document)).digest()
    return prefix + base64.b32encode(digest).decode("ascii").lower()[:26]
