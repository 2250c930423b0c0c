"""The Idempotency-Key header: one key, one body, for a day and a user."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

from initshape.spec.problem import ProblemError
from initshape.store import idempotency
from service.errors import InvalidParameterError
from service.services import Services

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=200, pattern="^[!-~]+$",
        description="Refuses another body under the same key for a day (422). The same body may always be sent again, "
        "also while the first request is on its way.",
    ),
]  # fmt: skip


async def hold_to(services: Services, user: str, route: str, key: str | None, body: bytes, id: str) -> None:
    """Binds the user's key to this body, before anything is taken. Errors: 422 where it was bound to another.

    Submissions are idempotent without a key, since equal ones have equal ids; a key tells a client that it has mixed
    up two of them. Requests at the same time need no 409: the first body to come owns the key, and those that are equal
    to it join its job. `route` keeps keys of different routes apart; `id` is what the body is stored as.
    """
    if key is None:
        return
    earlier = await services.store.run(idempotency.remember(user, f"{route}:{key}", body, id))
    if earlier is not None and not earlier.same:
        problem = ProblemError(
            pointer="/header/idempotency-key", value=key, allowed=None, hint="take a new key for a new body"
        )
        raise InvalidParameterError("The key was used for another body.", errors=(problem,))
