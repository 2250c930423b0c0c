"""Tokens, the audit and the caller's own limits, over HTTP."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from initshape.client.http import Http

Json = dict[str, Any]


def me(http: Http) -> Json:
    """User, role, limits, and what is used of them."""
    return dict(http.request("GET", "/v1/me").json())


def create_token(http: Http, user: str, role: str, label: str, expires_seconds: int | None) -> Json:
    """A new token, shown this once. Errors: NotPermittedError for all but admins."""
    wanted = {"user": user, "role": role, "label": label, "expires_seconds": expires_seconds}
    return dict(http.request("POST", "/v1/tokens", json=wanted, patience=0.0).json())


def list_tokens(http: Http) -> list[Json]:
    """Every token that holds, without the token itself."""
    return list(http.request("GET", "/v1/tokens").json()["items"])


def revoke_token(http: Http, token_id: str) -> None:
    """Revokes a token, at once. Errors: UnknownIdError."""
    http.request("DELETE", f"/v1/tokens/{quote(token_id, safe='')}")
