"""Tokens, roles, and the server without authentication."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from pydantic import ValidationError

from initshape.store import Store, tokens
from initshape.store.tokens import Identity, Role
from service.identities import MOST, Identities
from service.loopback import refusal
from service.settings import Settings

Json = dict[str, Any]
OWN = "x-" + "a" * 26
CLOSED = [("GET", "/v1/experiments"), ("POST", "/v1/experiments"), ("POST", "/v1/experiments/validate"),
          ("GET", f"/v1/experiments/{OWN}"), ("GET", f"/v1/experiments/{OWN}/result"),
          ("DELETE", f"/v1/experiments/{OWN}"),
          ("GET", "/v1/sweeps"), ("POST", "/v1/sweeps"), ("GET", f"/v1/sweeps/s{OWN[1:]}/table.csv"),
          ("GET", f"/v1/experiments/{OWN}?wait=x")]  # fmt: skip


@pytest.mark.parametrize(
    "header", [None, "Bearer wrong", "Bearer", "Basic YTpi", "Bearer " + "x" * 5000, "bearer \u00e9"]
)
def test_without_a_valid_token(server: Any, api: httpx2.Client, header: str | None) -> None:
    headers = [] if header is None else [(b"authorization", header.encode("latin-1"))]
    for method, path in CLOSED:
        answer = httpx2.request(method, server.url + path, headers=headers, trust_env=False)
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthorized")
        assert answer.headers["www-authenticate"] == 'Bearer realm="initshape"'
        assert answer.headers["content-type"] == "application/problem+json"


def test_every_route_of_the_contract_is_closed(server: Any, api: httpx2.Client) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    routes = [(method, path) for path, found in paths.items() for method in found if path.startswith("/v1")]
    assert len(routes) >= 20
    for method, path in routes:
        ids = {f"{name}_id": name[0] + OWN[1:] for name in ("sweep", "dataset", "init")}
        address = path.format(experiment_id=OWN, **ids, name="X", form="png", token_id="0" * 16)
        assert httpx2.request(method, server.url + address, trust_env=False).status_code == 401


def test_revoked_token(api: httpx2.Client, store: Store) -> None:
    token = api.headers["authorization"].removeprefix("Bearer ")
    assert api.get("/v1/experiments").status_code == 200
    store.run(tokens.revoke(tokens.digest(token)))
    assert api.get("/v1/experiments").status_code == 401


def test_reader_reads_only(
    api: httpx2.Client, document: Json, worker: Any, login: Callable[[str, str], httpx2.Client]
) -> None:
    reader = login("rita", "reader")
    job_id = api.post("/v1/experiments", json=document).json()["id"]
    worker.compute()
    assert reader.get(f"/v1/experiments/{job_id}/result").status_code == 200
    assert reader.post("/v1/experiments/validate", json=document).status_code == 200
    for method, path in (("POST", "/v1/experiments"), ("POST", "/v1/sweeps"), ("DELETE", f"/v1/experiments/{job_id}"),
                         ("POST", f"/v1/experiments/{job_id}/cancel"), ("POST", f"/v1/experiments/{job_id}/rerun"),
                         ("POST", f"/v1/sweeps/s{OWN[1:]}/retry"), ("POST", "/v1/datasets"), ("POST", "/v1/inits"),
                         ("DELETE", f"/v1/datasets/d{OWN[1:]}"), ("DELETE", f"/v1/inits/i{OWN[1:]}")):  # fmt: skip
        answer = reader.request(method, path)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")


def test_health_is_open(server: Any) -> None:
    assert httpx2.get(f"{server.url}/health/live", trust_env=False).json() == {"status": "ok"}


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org", "127.0.0.1.example.org", ""])
def test_no_auth_binds_to_loopback_only(host: str) -> None:
    with pytest.raises(ValidationError, match="loopback"):
        Settings(auth=False, host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "localhost", "::1"])
def test_no_auth_on_loopback(host: str) -> None:
    assert Settings(auth=False, host=host).host == host


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8000"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "10.0.0.1"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "[::1"}, 403),
        ({"Host": "localhost:8000", "Origin": "http://localhost:8000"}, 200),
        ({"Host": "localhost:8000", "Origin": "http://localhost:9000"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[::1"}, 403),
    ],
)
def test_no_auth_answers_this_machine_only(open_server: Any, headers: dict[str, str], status: int) -> None:
    for path in ("/v1/experiments", "/health/live", "/openapi.json"):
        answer = httpx2.get(open_server.url + path, headers=headers, trust_env=False)
        assert answer.status_code == status
        if status == 403:
            assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("server", "refused"),
    [(("192.168.1.5", 8000), True), (("::", 8000), True), (("127.0.0.1", 8000), False), (("::1", 8000), False),
     (("/run/initshape.sock", None), False), (None, False)],
)  # fmt: skip
def test_no_auth_answers_at_no_other_address(server: Any, refused: bool) -> None:
    """Whatever the Host says, and whoever has opened the socket: uvicorn also serves one that it is handed."""
    scope = {"type": "http", "server": server, "headers": [(b"host", b"localhost:8000")]}
    assert (refusal(scope) is not None) is refused


def test_no_auth_makes_everybody_local(open_server: Any, store: Store, document: Json) -> None:
    job_id = httpx2.post(f"{open_server.url}/v1/experiments", json=document, trust_env=False).json()["id"]
    state = httpx2.get(f"{open_server.url}/v1/experiments/{job_id}", trust_env=False).json()
    assert (state["owner"], state["submitters"][0]["user"]) == ("local", "local")


def test_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INITSHAPE_REDIS_PASSWORD", "hunter2")
    settings = Settings(redis_url="redis://ada:hunter3@localhost:1/0")
    assert settings.store.password == "hunter2"
    shown = f"{settings!r} {settings} {settings.redacted()}"
    assert "hunter" not in shown
    assert settings.redacted()["redis_url"] == "redis://ada@localhost:1/0"


def test_no_more_than_so_many_tokens_are_remembered() -> None:
    known, who = Identities(), Identity("ann", Role.member, "", "", "")
    for k in range(MOST + 1):
        known.keep(f"token {k}", who)
    assert known.find("token 0") is None
    assert known.find("token 1") == known.find(f"token {MOST}") == who
