"""Who is asking. Bearer tokens are stored hashed; with authentication off everyone is `local`, an admin.

A token is looked at by the script that also counts the request (store.admission), so one that was revoked or has
expired is refused at once. For a submission that is the script that stores it; only who holds the token, which never
changes, is remembered here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from initshape.logs import note, request_id
from initshape.store import admission, audit, tokens
from initshape.store.admission import Entry, Kind
from initshape.store.tokens import Identity, Role
from service.errors import ForbiddenError, UnauthorizedError
from service.quotas import too_soon
from service.services import AppServices, Services

LONGEST_TOKEN = 512

bearer = HTTPBearer(auto_error=False, description="A token printed at the first start, or made by an admin.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


@dataclass(frozen=True)
class Caller:
    """An authenticated user. `identity` is None where authentication is off, `request` the id of the request."""

    user: str
    role: Role
    identity: Identity | None = None
    request: str = ""


def actor(services: Services, caller: Caller) -> str:
    """What the audit says of a caller."""
    own = caller.identity
    token = "" if own is None else f"{own.digest[: tokens.ID_LENGTH]} {own.label}".strip()
    return audit.actor(services.settings.audit_entries, caller.user, token, caller.request)


def entry(services: Services, caller: Caller, *, admitted: bool = True) -> Entry:
    """For scripts that act for a caller. Not yet `admitted`: they look at the token and the rate, too."""
    own = caller.identity
    allowance = admission.UNLIMITED if own is None else services.settings.allowance.of(caller.role)
    return Entry("" if admitted or own is None else own.digest, allowance, actor(services, caller))


async def _reading(request: Request, services: AppServices, credentials: Credentials) -> Caller:
    return await _admitted(request, services, credentials, "read")


async def _writing(request: Request, services: AppServices, credentials: Credentials) -> Caller:
    return _no_reader(await _admitted(request, services, credentials, "write"))


async def _submitting(request: Request, services: AppServices, credentials: Credentials) -> Caller:
    """The script of the submission admits; a token that this process has not seen yet is looked at before."""
    if not services.settings.auth:
        return _known(request, Caller("local", Role.admin, request=request_id()))
    token = _token(credentials)
    identity = services.identities.find(token)
    if identity is None:
        identity = await services.store.run(tokens.verify(token))
        if identity is None:
            raise UnauthorizedError("The token is not valid.")
        services.identities.keep(token, identity)
    return _no_reader(_known(request, Caller(identity.user, identity.role, identity, request_id())))


CurrentCaller = Annotated[Caller, Depends(_reading)]
Member = Annotated[Caller, Depends(_writing)]
Submitting = Annotated[Caller, Depends(_submitting)]
"""A member who is not admitted yet: the route hands `entry(..., admitted=False)` to the script that submits."""


async def _admin(request: Request, services: AppServices, credentials: Credentials) -> Caller:
    kind: Kind = "read" if request.method == "GET" else "write"
    caller = await _admitted(request, services, credentials, kind)
    if caller.role is not Role.admin:
        raise ForbiddenError("This is for admins.")
    return caller


Admin = Annotated[Caller, Depends(_admin)]


def may_force(caller: Caller, force: bool) -> bool:
    """`force`, if the caller may use it. Raises ForbiddenError for all but admins."""
    if force and caller.role is not Role.admin:
        raise ForbiddenError("Only an admin can stop or delete what others still want.")
    return force


async def _admitted(
    request: Request, services: Services, credentials: HTTPAuthorizationCredentials | None, kind: Kind
) -> Caller:
    if not services.settings.auth:
        return _known(request, Caller("local", Role.admin, request=request_id()))
    found = await services.store.run(admission.admit(_token(credentials), kind, services.settings.allowance))
    if found is None:
        raise UnauthorizedError("The token is not valid.")
    own = found.identity
    caller = _known(request, Caller(own.user, own.role, own, request_id()))
    if found.wait > 0:
        raise too_soon(found.wait, kind, services.settings)
    return caller


def _token(credentials: HTTPAuthorizationCredentials | None) -> str:
    if credentials is None:
        raise UnauthorizedError("Send `Authorization: Bearer <token>`; the first start of the server prints one.")
    if len(credentials.credentials) > LONGEST_TOKEN:
        raise UnauthorizedError("The token is not valid.")
    return credentials.credentials


def _known(request: Request, caller: Caller) -> Caller:
    """Remembered with the request: what is refused later goes into the audit under this name."""
    request.state.caller = caller
    note(user=caller.user)
    return caller


def _no_reader(caller: Caller) -> Caller:
    if caller.role is Role.reader:
        raise ForbiddenError("The token may only read.")
    return caller
