"""Who may read /metrics: any token, a reader's suffices; with authentication off, whoever reaches the server.

Tokens are in Redis, and metrics matter most when Redis is away: a token that was valid within the last hour is believed
then. What it shows are numbers only.
"""

from __future__ import annotations

import asyncio

from fastapi import Request

from initshape.store import StoreUnavailableError, tokens
from service.auth import Bearer, sent_token
from service.errors import UnauthorizedError
from service.metrics import LOOK_SECONDS
from service.services import Services, services_of


class Scraper(Bearer):
    """A dependency: lets a request pass, or raises UnauthorizedError, or StoreUnavailableError where a token cannot be
    looked up and is not remembered.
    """

    async def __call__(self, request: Request) -> None:  # type: ignore[override]  # passes or raises
        services = services_of(request)
        if not services.settings.auth:
            return
        token = sent_token(request)
        if not token:
            raise UnauthorizedError("Metrics need a token, too; one with the role `reader` suffices.")
        if not await _valid(services, token):
            raise UnauthorizedError("The token is not valid.")


async def _valid(services: Services, token: str) -> bool:
    name = tokens.digest(token)
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            valid = await services.store.run(tokens.verify(token)) is not None
    except (StoreUnavailableError, TimeoutError) as error:
        if name in services.believed:
            return True
        raise StoreUnavailableError("Redis does not answer.") from error
    services.believed.add(name) if valid else services.believed.drop(name)
    return valid
