"""The Idempotency-Key header: the same key with the same body gets the same answer, with another body a refusal."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass

from initshape.store.documents import encode
from initshape.store.keys import IDEMPOTENCY_SECONDS, key
from initshape.store.operation import Operation


@dataclass(frozen=True)
class Earlier:
    """`same`: the body is that of the first request, which got `id`. Otherwise the key was used for something else."""

    same: bool
    id: str


def remember(user: str, name: str, body: bytes, given: str) -> Operation[Earlier | None]:
    """Binds a user's key to a body and the id that it gets. None at the first use, for 24 h the earlier one."""
    place = key("idempotency", hashlib.sha256(f"{user}\0{name}".encode()).hexdigest())
    own = hashlib.sha256(body).hexdigest()
    stored, value = yield [
        ("SET", place, encode({"body": own, "id": given}), "NX", "EX", IDEMPOTENCY_SECONDS),
        ("GET", place),
    ]
    if stored or value is None:
        return None
    first = json.loads(value)
    return Earlier(hmac.compare_digest(first["body"], own), first["id"])
