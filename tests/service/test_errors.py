"""Every answer that is not 2xx is problem details."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from initshape.spec.problem import Problem
from service.app import create_app
from service.errors import KINDS
from service.settings import Settings


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/v1/experiments", "GET, HEAD, POST"),
        ("PUT", "/v1/experiments/x-" + "a" * 26, "DELETE, GET, HEAD, PATCH"),
        ("GET", "/v1/experiments/x-" + "a" * 26 + "/cancel", "POST"),
        ("DELETE", "/v1/sweeps", "GET, HEAD, POST"),
        ("POST", "/health/live", "GET, HEAD"),
    ],
)
def test_method_that_is_not_there(api: httpx2.Client, method: str, path: str, allow: str) -> None:
    answer = api.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/method-not-allowed"


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/experiments/", "/v2/experiments", "/v1/experiments/a/b", "/%F0%9F", "/\u00fc"]
)
def test_address_that_is_not_there(api: httpx2.Client, path: str) -> None:
    answer = api.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate(answer.json())
    assert (problem.status, problem.type) == (404, "/problems/not-found")


@pytest.mark.parametrize(
    ("address", "pointer", "allowed", "hint"),
    [
        ("/v1/experiments/x-{0}?wait=100", "/query/wait", "at most 60", "must be at most 60"),
        ("/v1/experiments/x-{0}?wait=soon", "/query/wait", None, "write a number"),
        ("/v1/experiments?limit=0", "/query/limit", "at least 1", "must be at least 1"),
        ("/v1/experiments?limit=1.5", "/query/limit", None, "write a whole number"),
        ("/v1/experiments?status=runing", "/query/status",
         "'queued', 'running', 'cancelling', 'succeeded', 'failed' or 'cancelled'", "did you mean 'running'?"),
        ("/v1/experiments/x-{0}/figure.gif", "/path/form", "'png', 'svg' or 'pdf'",
         "choose one of the allowed values"),
        ("/v1/experiments/x-{0}/figure.png?kind=los", "/query/kind", None, "did you mean 'loss'?"),
    ],
)  # fmt: skip
def test_parameters_say_what_to_write(
    api: httpx2.Client, address: str, pointer: str, allowed: str | None, hint: str
) -> None:
    answer = api.get(address.format("a" * 26))
    assert answer.status_code == 422
    (problem,) = answer.json()["errors"]
    assert (problem["pointer"], problem["hint"]) == (pointer, hint)
    assert allowed is None or problem["allowed"] == allowed


@pytest.mark.parametrize(
    "address", ["/v1/experiments?status=failed&status=queued", "/v1/experiments?init.shape=0&init.shape=0.5",
                "/v1/sweeps?limit=1&limit=2"],
)  # fmt: skip
def test_no_parameter_of_a_list_is_dropped_without_a_word(api: httpx2.Client, address: str) -> None:
    answer = api.get(address)
    assert (answer.status_code, answer.json()["errors"][0]["hint"]) == (422, "give it once")


def test_a_wrong_header_is_told_of_once(api: httpx2.Client) -> None:
    answer = api.get("/v1/experiments/x-" + "a" * 26 + "/events", headers={"Last-Event-ID": "3"})
    (problem,) = answer.json()["errors"]
    assert problem["pointer"] == "/header/Last-Event-ID"


def test_types_are_explained(api: httpx2.Client) -> None:
    for slug, kind in KINDS.items():
        answer = api.get(kind.type)
        assert answer.json() == {
            "type": f"/problems/{slug}",
            "title": kind.title,
            "status": kind.status,
            "meaning": kind.meaning,
        }
    assert api.get("/problems/none").status_code == 404


def test_types_are_stable() -> None:
    assert {kind.type: kind.status for kind in KINDS.values()} == {
        "/problems/bad-request": 400, "/problems/unauthorized": 401, "/problems/forbidden": 403,
        "/problems/not-found": 404, "/problems/method-not-allowed": 405,
        "/problems/request-timeout": 408, "/problems/head-too-large": 431, "/problems/not-ready": 409,
            "/problems/in-use": 409,
        "/problems/expired": 410, "/problems/too-large": 413, "/problems/unsupported-media-type": 415,
        "/problems/invalid-document": 422, "/problems/invalid-parameter": 422, "/problems/internal": 500,
        "/problems/unavailable": 503, "/problems/insufficient-storage": 507,
        "/problems/range-not-satisfiable": 416, "/problems/too-many-streams": 429,
        "/problems/too-many-requests": 429, "/problems/quota-exceeded": 429,
    }  # fmt: skip


def test_defect_of_the_server_tells_nothing_of_its_inside() -> None:
    app = create_app(Settings())

    @app.get("/defect")
    async def defect() -> None:
        raise RuntimeError("the secret inside")

    async def ask() -> Any:
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as one:
            return await one.get("/defect")

    answer = asyncio.run(ask())
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/internal"
    assert "secret" not in answer.text
