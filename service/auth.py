"""Who is asking. Bearer tokens are stored hashed; with authentication off everyone is `local`, an admin.

A token is looked at by the script that also counts the request (store.admission), so one that was revoked or has
expired is refused at once. For a submission that is the script that stores it; only who holds the token, which never
changes, is remembered here.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param

from initshape.logs import note, request_id
from initshape.store import admission, audit, tokens
from initshape.store.admission import Entry, Kind
from initshape.store.tokens import Identity, Role
from service.errors import ForbiddenError, UnauthorizedError
from service.parameters import only_declared
from service.quotas import too_soon
from service.services import Services, services_of

LONGEST_TOKEN = 512


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


def sent_token(request: Request) -> str:
    """The bearer token of a request; empty where there is none."""
    scheme, token = get_authorization_scheme_param(request.headers.get("authorization"))
    return token if scheme.lower() == "bearer" else ""


class Bearer(HTTPBearer):
    """The security scheme, for dependencies that say what becomes of a token."""

    def __init__(self) -> None:
        what = "A token printed at the first start, or made by an admin."
        super().__init__(scheme_name="HTTPBearer", description=what)


class _Gate(Bearer):
    """Who asks, as one dependency: each further one would cost every request a hundredth of a millisecond.

    Whoever is let in is told of query parameters that the route does not have, before it changes anything.
    """

    async def __call__(self, request: Request) -> Caller:  # type: ignore[override]  # who asks, not what was sent
        caller = await self._caller(request)
        if request.scope["query_string"] and request.method != "GET":  # lists have filters that they know themselves
            only_declared(request)
        return caller

    async def _caller(self, request: Request) -> Caller:
        services = services_of(request)
        if not services.settings.auth:
            return _known(request, Caller("local", Role.admin, request=request_id()))
        token = sent_token(request)
        if not token:
            raise UnauthorizedError("Send `Authorization: Bearer <token>`; the first start of the server prints one.")
        if len(token) > LONGEST_TOKEN:
            raise UnauthorizedError("The token is not valid.")
        return await self.admit(request, services, token)

    @abstractmethod
    async def admit(self, request: Request, services: Services, token: str) -> Caller:
        """Errors: UnauthorizedError, ForbiddenError, RateError."""


class _Reading(_Gate):
    async def admit(self, request: Request, services: Services, token: str) -> Caller:
        return await _admitted(request, services, token, "read")


class _Writing(_Gate):
    async def admit(self, request: Request, services: Services, token: str) -> Caller:
        return _no_reader(await _admitted(request, services, token, "write"))


class _Submitting(_Gate):
    """The script of the submission admits; a token that this process has not seen yet is looked at before."""

    async def admit(self, request: Request, services: Services, token: str) -> Caller:
        identity = services.identities.find(token)
        if identity is None:
            identity = await services.store.run(tokens.verify(token))
            if identity is None:
                raise UnauthorizedError("The token is not valid.")
            services.identities.keep(token, identity)
        return _no_reader(_known(request, Caller(identity.user, identity.role, identity, request_id())))


class _Administering(_Gate):
    async def admit(self, request: Request, services: Services, token: str) -> Caller:
        kind: Kind = "read" if request.method == "GET" else "write"
        caller = await _admitted(request, services, token, kind)
        if caller.role is not Role.admin:
            raise ForbiddenError("This is for admins.")
        return caller


CurrentCaller = Annotated[Caller, Depends(_Reading())]
Member = Annotated[Caller, Depends(_Writing())]
Submitting = Annotated[Caller, Depends(_Submitting())]
"""A member who is not admitted yet: the route hands `entry(..., admitted=False)` to the script that submits."""
Admin = Annotated[Caller, Depends(_Administering())]


def may_force(caller: Caller, force: bool) -> bool:
    """`force`, if the caller may use it. Raises ForbiddenError for all but admins."""
    if force and caller.role is not Role.admin:
        raise ForbiddenError("Only an admin can stop or delete what others still want.")
    return force


async def _admitted(request: Request, services: Services, token: str, kind: Kind) -> Caller:
    found = await services.store.run(admission.admit(token, kind, services.settings.allowance))
    if found is None:
        raise UnauthorizedError("The token is not valid.")
    own = found.identity
    caller = _known(request, Caller(own.user, own.role, own, request_id()))
    if found.wait > 0:
        raise too_soon(found.wait, kind, services.settings)
    return caller


def _known(request: Request, caller: Caller) -> Caller:
    """Remembered with the request: what is refused later goes into the audit under this name."""
    request.state.caller = caller
    note(user=caller.user)
    return caller


def _no_reader(caller: Caller) -> Caller:
    if caller.role is Role.reader:
        raise ForbiddenError("The token may only read.")
    return caller
