"""Tokens, for admins: make one, list them, revoke one. A token is shown once, by the answer that makes it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import JsonValue, ValidationError

from initshape.spec.explain import explain
from initshape.spec.problem import ProblemError, SpecError
from initshape.spec.uploaded import Uploads
from initshape.store import tokens
from initshape.store.tokens import ID_LENGTH, Identity
from service import views
from service.access_schemas import NewToken, TokenList, TokenMade, TokenView
from service.auth import Admin, actor
from service.bodies import read_document
from service.errors import BAD_REQUEST, INVALID, INVALID_PARAMETER, NOT_FOUND, TOO_LARGE, UNSUPPORTED, NotFoundError
from service.examples import NEW_TOKENS
from service.openapi import body, problems
from service.services import AppServices

router = APIRouter(prefix="/v1/tokens", tags=["access"])

TokenPath = Annotated[str, Path(pattern=f"^[0-9a-f]{{{ID_LENGTH}}}$", description="`id` of a token.")]


@router.post(
    "", operation_id="create_token", status_code=201, response_description="Made; `token` is shown this once.",
    responses=problems(BAD_REQUEST, TOO_LARGE, UNSUPPORTED, INVALID, INVALID_PARAMETER, open_to_all=False),
    openapi_extra=body("NewToken", NEW_TOKENS),
)  # fmt: skip
async def create_token(request: Request, response: Response, services: AppServices, caller: Admin) -> TokenMade:
    """Makes a token for a user. The server keeps its hash only."""
    wanted = await read_document(request, services, _wanted)
    made = tokens.create(wanted.user, wanted.role, wanted.label, wanted.expires_seconds, actor(services, caller))
    token = await services.store.run(made)
    response.headers["Cache-Control"] = "no-store"
    name = tokens.digest(token)
    (found,) = [one for one in await services.store.run(tokens.listing()) if one.digest == name]
    response.headers["Location"] = f"{views.TOKENS}/{name[:ID_LENGTH]}"
    return TokenMade(**_view(found).model_dump(), token=token)


@router.get("", operation_id="list_tokens", responses=problems(open_to_all=False))
async def list_tokens(services: AppServices, caller: Admin) -> TokenList:
    """Every token that holds: whose, what for, until when, and when it was last used (to the minute)."""
    found = await services.store.run(tokens.listing())
    ordered = sorted(found, key=lambda one: (one.user, one.created, one.digest))
    return TokenList(items=tuple(map(_view, ordered)))


@router.delete(
    "/{token_id}", operation_id="revoke_token", status_code=204, response_class=Response,
    response_description="Revoked: it is refused from now on.",
    responses=problems(NOT_FOUND, INVALID_PARAMETER, open_to_all=False),
)  # fmt: skip
async def revoke_token(services: AppServices, caller: Admin, token_id: TokenPath) -> Response:
    """Revokes a token, at once. Should it be the last one, `initshape token create --data-dir` makes another."""
    for name in await services.store.run(tokens.named(token_id)):
        if await services.store.run(tokens.revoke(name, actor(services, caller))):
            return Response(status_code=204)
    raise NotFoundError(f"No token has the id {token_id}: it was revoked, has expired, or never was.")


def _wanted(document: Any, size: int, uploads: Uploads) -> NewToken:
    if not isinstance(document, dict):
        problem = ProblemError(pointer="", value=None, allowed=list[JsonValue](NewToken.model_fields), hint="an object")
        raise SpecError("The document is not an object.", (problem,))
    try:
        return NewToken.model_validate(document)
    except ValidationError as error:
        raise SpecError("The document is not valid.", explain(error, NewToken)) from None


def _view(found: Identity) -> TokenView:
    return TokenView(
        id=found.digest[:ID_LENGTH], user=found.user, role=found.role, label=found.label,
        created=datetime.fromisoformat(found.created), expires=found.expires,
        last_used=found.used and found.used.astimezone(UTC).replace(second=0, microsecond=0),
    )  # fmt: skip
