"""What every answer tells a browser, and the page at /docs."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from typing import Any

import httpx2
import pytest

from service.app import create_app
from service.headers import ALWAYS, POLICY
from service.settings import Settings

Json = dict[str, Any]
OWN = "a" * 26


def check(answer: httpx2.Response) -> None:
    where = f"{answer.request.method} {answer.request.url} {answer.status_code}"
    for name, value in ALWAYS:
        assert answer.headers.get_list(name.decode()) == [value.decode()], f"{where}: {name.decode()}"
    (policy,) = answer.headers.get_list("content-security-policy")
    assert "default-src 'none'" in policy, where
    assert "frame-ancestors 'none'" in policy, where
    assert len(answer.headers.get_list("cache-control")) == 1, where


def addresses(paths: Json) -> list[tuple[str, str]]:
    ids = {f"{name}_id": f"{name[0]}-{OWN}" for name in ("sweep", "dataset", "init")}
    other = {"experiment_id": f"x-{OWN}", "name": "X", "form": "png", "slug": "not-found"}
    fill = ids | other
    return [
        (method.upper(), re.sub(r"{(\w+)}", lambda found: fill.get(found[1], "x"), path))
        for path, methods in paths.items()
        for method in methods
    ]


def test_every_route_of_the_contract(api: httpx2.Client, server: Any) -> None:
    """Whatever they answer to an admin with ids that nobody knows, and to a stranger."""
    routes = addresses(api.get("/openapi.json").json()["paths"])
    assert len(routes) >= 25
    seen = set()
    for method, path in routes:
        for answer in (api.request(method, path), httpx2.request(method, server.url + path, trust_env=False)):
            seen.add(answer.status_code)
            check(answer)
    assert seen >= {200, 400, 401, 404, 415, 503}


@pytest.mark.parametrize(
    "path", ["/docs", "/docs/swagger-ui.css", "/docs/nothing", "/openapi.json", "/", "/v1", "/%00"]
)
def test_what_is_not_part_of_the_contract(api: httpx2.Client, path: str) -> None:
    check(api.get(path))
    check(api.delete(path))


def test_answers_of_jobs(api: httpx2.Client, document: Json, worker: Any) -> None:
    """Nothing of a user stays in a cache that others share, and figures run nothing."""
    job_id = api.post("/v1/experiments", json=document).json()["id"]
    worker.compute()
    base = f"/v1/experiments/{job_id}"
    for path in ("", "/result", "/arrays.npz", "/arrays/w_flow.csv", "/figure.svg", "/events"):
        answer = api.get(base + path)
        assert answer.status_code == 200, path
        check(answer)
        assert answer.headers["cache-control"] in ("no-store", "no-cache", "private, no-cache"), path
    again = api.get(f"{base}/result", headers={"If-None-Match": api.get(f"{base}/result").headers["etag"]})
    assert again.status_code == 304
    check(again)
    assert api.get(base).headers["cache-control"] == "no-store"
    assert api.get(f"{base}/figure.svg").headers["content-security-policy"] == POLICY


def test_refusals(api: httpx2.Client, open_server: Any) -> None:
    check(httpx2.get(open_server.url, headers={"Host": "evil.example"}, trust_env=False))
    check(api.post("/v1/experiments", content=b"x" * 2_000_000, headers={"Content-Type": "application/json"}))


def test_a_defect_of_the_server() -> None:
    app = create_app(Settings())

    def broken() -> None:
        raise RuntimeError("secret detail")

    app.add_api_route("/broken", broken)
    answer = call(app, "/broken")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    check(answer)


def call(app: Any, path: str) -> httpx2.Response:
    async def go() -> httpx2.Response:
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get(path)

    return asyncio.run(go())


def test_the_reference_loads_nothing_from_elsewhere(api: httpx2.Client) -> None:
    page = api.get("/docs")
    policy = page.headers["content-security-policy"]
    assert "//" not in policy.replace("data:", "")
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) == 3
    for address in loaded:
        answer = httpx2.get(str(api.base_url).rstrip("/") + address, trust_env=False)  # without a token
        assert answer.status_code == 200, address
        assert answer.headers["cache-control"] == "public, max-age=86400"
    assert "https://" not in page.text
    (script,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}';" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]


def test_of_the_assets_only_the_named_ones_are_served(api: httpx2.Client) -> None:
    for name in ("redoc.standalone.js", "..%2fcore.py", "..%2f..%2f..%2fetc%2fpasswd", "__init__.py"):
        assert api.get(f"/docs/{name}").status_code == 404
