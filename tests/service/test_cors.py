"""Pages of other origins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from pydantic import ValidationError

from initshape.store import Store, tokens
from initshape.store.tokens import Role
from service.settings import Settings

LAB, OTHER = "https://lab.example.org", "https://other.example.org"
PREFLIGHT = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization,content-type"}


def test_no_page_may_read_by_default(api: httpx2.Client) -> None:
    answer = api.get("/v1/experiments", headers={"Origin": LAB})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]
    refused = api.options("/v1/experiments", headers={"Origin": LAB, **PREFLIGHT})
    assert (refused.status_code, refused.headers["content-type"]) == (405, "application/problem+json")


def test_named_origins_may(start: Callable[..., Any], connect: Callable[..., httpx2.Client], store: Store) -> None:
    found = start(store.settings, cors_origins=(LAB, "http://localhost:8080"))
    api = connect(found, store.run(tokens.create("ada", Role.member)))
    answer = api.get("/v1/experiments", headers={"Origin": LAB})
    assert answer.headers["access-control-allow-origin"] == LAB
    assert "etag" in answer.headers["access-control-expose-headers"].lower()
    assert "access-control-allow-credentials" not in answer.headers
    assert answer.headers["vary"] == "Origin"
    allowed = api.options("/v1/experiments", headers={"Origin": LAB, **PREFLIGHT})
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, LAB)

    assert "access-control-allow-origin" not in api.get("/v1/experiments", headers={"Origin": OTHER}).headers
    refused = api.options("/v1/experiments", headers={"Origin": OTHER, **PREFLIGHT})
    assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
    assert "access-control-allow-origin" not in refused.headers
    wrong = api.get("/v1/experiments?limit=0", headers={"Origin": LAB})  # a problem can be read, too
    assert (wrong.status_code, wrong.headers["access-control-allow-origin"]) == (422, LAB)


def test_origins_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().cors_origins == ()
    monkeypatch.setenv("INITSHAPE_CORS_ORIGINS", f"{LAB}, http://localhost:8080")
    assert Settings().cors_origins == (LAB, "http://localhost:8080")
    monkeypatch.setenv("INITSHAPE_CORS_ORIGINS", "lab.example.org")
    with pytest.raises(ValidationError, match="is no origin"):
        Settings()
