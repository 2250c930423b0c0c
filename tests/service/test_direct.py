"""The busiest route goes around FastAPI's solving of parameters where none is given: the answers are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

PATH = "/v1/experiments"
ABOUT_TIME = ("date", "x-request-id")


def told(answer: httpx2.Response) -> tuple[Any, ...]:
    headers = {name: value for name, value in answer.headers.items() if name not in ABOUT_TIME}
    body = answer.json()
    body.pop("request_id", None)
    return answer.status_code, headers, body


@pytest.mark.parametrize("spoil", ["nothing", "a field", "the JSON", "the type"])
def test_with_and_without_parameters(api: httpx2.Client, document: Any, spoil: str) -> None:
    if spoil == "a field":
        document["experiment"]["init"]["scale"] = -1.0
    sent: dict[str, Any] = {"json": document}
    if spoil == "the JSON":
        sent = {"content": b"{", "headers": {"Content-Type": "application/json"}}
    if spoil == "the type":
        sent = {"content": b"a=1", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}
    plain, waiting = api.post(PATH, **sent), api.post(PATH, params={"wait": 0}, **sent)
    assert told(plain) == told(waiting)
    keyed = api.post(PATH, json=document, headers={"Idempotency-Key": "one"})
    assert keyed.status_code == (422 if spoil == "a field" else 202)


@pytest.mark.parametrize("token", ["Bearer nonsense", "Basic YTpi", "Bearer", "Bearer " + "x" * 600, None])
def test_who_may_not(server: Any, document: Any, token: str | None) -> None:
    headers = {} if token is None else {"Authorization": token}
    with httpx2.Client(base_url=server.url, headers=headers, trust_env=False) as stranger:
        plain, waiting = stranger.post(PATH, json=document), stranger.post(PATH, params={"wait": 0}, json=document)
    assert plain.status_code == 401
    assert told(plain) == told(waiting)


def test_a_reader_may_not(login: Callable[[str, str], httpx2.Client], document: Any) -> None:
    reader = login("rea", "reader")
    assert told(reader.post(PATH, json=document)) == told(reader.post(PATH, params={"wait": 0}, json=document))
    assert reader.post(PATH, json=document).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "hint"),
    [
        ("POST", "/experiments?wiat=30", "did you mean 'wait'?"),
        ("POST", "/experiments?colour=red", "remove it"),
        ("POST", "/experiments?wait=0&wait=1", "give it once"),
        ("POST", "/experiments/validate?wait=1", "remove it"),
        ("POST", "/experiments/{id}/cancel?forec=true", "did you mean 'force'?"),
        ("POST", "/experiments/{id}/rerun?force=true", "remove it"),
        ("DELETE", "/experiments/{id}?forse=true", "did you mean 'force'?"),
        ("PATCH", "/experiments/{id}?fource=true", "did you mean 'force'?"),
        ("POST", "/sweeps?wait=0&wat=1", "did you mean 'wait'?"),
        ("POST", "/sweeps/preview?limit=3", "remove it"),
        ("POST", "/batch?wait=1", "remove it"),
        ("POST", "/datasets?lable=y", "did you mean 'label'?"),
        ("POST", "/tokens?role=admin", "remove it"),
        ("POST", "/regularizers/evaluate?points=3", "remove it"),
    ],
)
def test_unknown_parameters_are_refused_and_nothing_is_done(
    api: httpx2.Client, server: Any, document: Any, method: str, path: str, hint: str
) -> None:
    sent = api.post(PATH, json=document).json()["id"] if "{id}" in path else None
    where = f"/v1{path.replace('{id}', sent or '')}"
    answer = api.request(method, where, json=document)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-parameter")
    (problem,) = answer.json()["errors"]
    assert problem["hint"] == hint
    assert f"{problem['pointer'].removeprefix('/query/')}=" in path
    assert [item["status"] for item in api.get(PATH).json()["items"]] == ["queued"] * (sent is not None)
    with httpx2.Client(base_url=server.url, trust_env=False) as stranger:
        assert stranger.request(method, where, json=document).status_code == 401


def test_parameters_are_still_checked(api: httpx2.Client, document: Any) -> None:
    answer = api.post(PATH, params={"wait": "soon"}, json=document)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/query/wait")
    assert api.post(PATH, json=document, headers={"Idempotency-Key": ""}).status_code == 422
