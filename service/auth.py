"""Who is asking. Bearer tokens are stored hashed; with authentication off everyone is `local`, an admin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from initshape.logs import note
from initshape.store import tokens
from initshape.store.tokens import Role
from service.errors import ForbiddenError, UnauthorizedError
from service.services import AppServices

LONGEST_TOKEN = 512

bearer = HTTPBearer(auto_error=False, description="A token printed at the first start, or made by an admin.")


@dataclass(frozen=True)
class Caller:
    """An authenticated user."""

    user: str
    role: Role


LOCAL = Caller("local", Role.admin)


async def _caller(
    services: AppServices, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Caller:
    if not services.settings.auth:
        return LOCAL
    if credentials is None:
        raise UnauthorizedError("Send `Authorization: Bearer <token>`; the first start of the server prints one.")
    token = credentials.credentials
    found = await services.store.run(tokens.verify(token)) if len(token) <= LONGEST_TOKEN else None
    if found is None:
        raise UnauthorizedError("The token is not valid.")
    note(user=found.user)
    return Caller(found.user, found.role)


CurrentCaller = Annotated[Caller, Depends(_caller)]


async def _member(caller: CurrentCaller) -> Caller:
    if caller.role is Role.reader:
        raise ForbiddenError("The token may only read.")
    return caller


Member = Annotated[Caller, Depends(_member)]


def may_force(caller: Caller, force: bool) -> bool:
    """`force`, if the caller may use it. Raises ForbiddenError for all but admins."""
    if force and caller.role is not Role.admin:
        raise ForbiddenError("Only an admin can stop or delete what others still want.")
    return force
