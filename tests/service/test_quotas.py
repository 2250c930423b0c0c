"""Rates, quotas, tokens and the audit over HTTP; how many round trips a submission takes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from initshape.store import Store, tokens
from initshape.store.channel import Channel
from initshape.store.tokens import Role

Json = dict[str, Any]
Start = Callable[..., Any]
Connect = Callable[..., httpx2.Client]


def numbered(document: Json, number: int) -> Json:
    init = document["experiment"]["init"] | {"scale": 0.01 + number / 1000}
    return {"experiment": document["experiment"] | {"init": init}}


def sweep_of(document: Json, cells: int) -> Json:
    values = [0.1 + k / 100 for k in range(cells)]
    return {"sweep": {"base": document["experiment"], "axes": [{"path": "init.scale", "values": values}]}}


def member(store: Store, start: Start, connect: Connect, **options: Any) -> httpx2.Client:
    return connect(start(store.settings, **options), store.run(tokens.create("mia", Role.member, "script")))


def refused(answer: httpx2.Response, slug: str) -> Json:
    assert answer.status_code == 429, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1
    found: Json = answer.json()
    assert found["type"] == f"/problems/{slug}"
    assert found["errors"][0]["hint"]
    return found


def test_rates_of_reads_and_writes_are_apart(store: Store, start: Start, connect: Connect, document: Json) -> None:
    api = member(store, start, connect, reads_per_second=0.3, writes_per_second=0.2)
    for _ in range(3):
        assert api.get("/v1/experiments").status_code == 200
    refused(api.get("/v1/experiments"), "too-many-requests")
    for k in range(2):
        assert api.post("/v1/experiments", json=numbered(document, k)).status_code == 202
    refused(api.post("/v1/experiments", json=numbered(document, 2)), "too-many-requests")
    refused(api.post("/v1/sweeps", json=sweep_of(document, 2)), "too-many-requests")
    admin = connect(start(store.settings, reads_per_second=0.1), store.run(tokens.create("ada", Role.admin)))
    assert {admin.get("/v1/me").status_code for _ in range(3)} == {200}


def test_what_is_no_submission_is_a_write_too(store: Store, start: Start, connect: Connect) -> None:
    api = member(store, start, connect, reads_per_second=100, writes_per_second=0.2)
    place = f"/v1/experiments/x-{'a' * 26}"
    assert api.post(f"{place}/cancel").status_code == 404
    assert api.delete(place).status_code == 404
    refused(api.post(f"{place}/cancel"), "too-many-requests")
    refused(api.delete(place), "too-many-requests")
    assert api.get(place).status_code == 404


def test_jobs_that_wait_or_run_are_limited(
    store: Store, start: Start, connect: Connect, document: Json, worker: Any
) -> None:
    api = member(store, start, connect, max_active_jobs=3)
    for k in range(3):
        assert api.post("/v1/experiments", json=numbered(document, k)).status_code == 202
    found = refused(api.post("/v1/experiments", json=numbered(document, 3)), "quota-exceeded")
    assert "3 are allowed" in found["detail"]
    assert api.post("/v1/experiments", json=numbered(document, 1)).status_code == 202  # it waits already
    lines = b"".join(json.dumps(numbered(document, k)).encode() + b"\n" for k in (2, 5))
    answers = api.post("/v1/batch", content=lines, headers={"Content-Type": "application/jsonl"}).text.splitlines()
    assert [json.loads(line)["status"] for line in answers] == [202, 429]
    worker.compute()
    assert api.get("/v1/me").json()["usage"]["active_jobs"] == 2
    assert api.post("/v1/experiments", json=numbered(document, 0)).status_code == 200  # known
    assert api.post("/v1/experiments", json=numbered(document, 4)).status_code == 202


def test_a_sweep_is_taken_whole_or_not_at_all(
    store: Store, start: Start, connect: Connect, document: Json, worker: Any
) -> None:
    api = member(store, start, connect, max_active_jobs=5)
    refused(api.post("/v1/sweeps", json=sweep_of(document, 6)), "quota-exceeded")
    assert api.get("/v1/experiments").json()["items"] == []
    assert api.get("/v1/sweeps").json()["items"] == []
    assert api.post("/v1/sweeps", json=sweep_of(document, 4)).status_code == 202
    worker.compute(2)
    # of five cells two are known and two wait: one is new
    assert api.post("/v1/sweeps", json=sweep_of(document, 5)).json()["counts"]["cached"] == 2
    assert api.get("/v1/me").json()["usage"]["active_jobs"] == 3


def test_stored_bytes_are_limited(store: Store, start: Start, connect: Connect, document: Json, worker: Any) -> None:
    api = member(store, start, connect, max_stored=2000)
    job = api.post("/v1/experiments", json=document).json()["id"]
    worker.compute()
    held = api.get("/v1/me").json()["usage"]["stored_bytes"]
    assert held > 2000
    refused(api.post("/v1/experiments", json=numbered(document, 7)), "quota-exceeded")
    refused(api.post("/v1/sweeps", json=sweep_of(document, 2)), "quota-exceeded")
    csv = {"content": b"a,y\n1,2\n", "headers": {"Content-Type": "text/csv"}}
    refused(api.post("/v1/datasets", **csv), "quota-exceeded")
    assert api.post("/v1/experiments", json=document).status_code == 200
    assert api.delete(f"/v1/experiments/{job}").status_code == 200
    assert api.get("/v1/me").json()["usage"]["stored_bytes"] < held
    assert api.get("/v1/me").json()["limits"] == {
        "reads_per_second": 200, "writes_per_second": 100, "active_jobs": 50_000, "stored_bytes": 2000,
    }  # fmt: skip


def test_without_authentication_there_are_no_limits(open_server: Any, store: Store) -> None:
    found = httpx2.get(f"{open_server.url}/v1/me", trust_env=False).json()
    assert (found["user"], found["role"], set(found["limits"].values())) == ("local", "admin", {None})


def test_tokens_over_http(api: httpx2.Client, server: Any, connect: Connect) -> None:
    made = api.post("/v1/tokens", json={"user": "mia", "label": "night", "expires_seconds": 60})
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    body = made.json()
    mia = connect(server, body["token"])
    assert mia.get("/v1/me").json()["token"] == "night"
    listed = {one["id"]: one for one in api.get("/v1/tokens").json()["items"]}
    assert body["token"] not in api.get("/v1/tokens").text
    assert listed[body["id"]]["last_used"] is not None
    assert listed[body["id"]]["expires"] == body["expires"]
    assert mia.post("/v1/experiments", json={}).status_code == 422  # remembered as a holder from here on
    assert api.delete(f"/v1/tokens/{body['id']}").status_code == 204
    assert mia.get("/v1/me").status_code == 401
    assert api.delete(f"/v1/tokens/{body['id']}").status_code == 404


def test_a_revoked_token_submits_nothing(api: httpx2.Client, login: Any, store: Store, document: Json) -> None:
    mia = login("mia", "member")
    assert mia.post("/v1/experiments", json=numbered(document, 1)).status_code == 202
    store.run(tokens.revoke(tokens.digest(mia.headers["authorization"].removeprefix("Bearer "))))
    assert mia.post("/v1/experiments", json=numbered(document, 2)).status_code == 401
    assert len(api.get("/v1/experiments").json()["items"]) == 1


@pytest.mark.parametrize("body", [{}, {"user": ""}, {"user": "a b"}, {"user": "a", "role": "king"}, [], {"user": 1},
                                  {"user": "a", "expires_seconds": 0}, {"user": "a", "rule": "admin"}])  # fmt: skip
def test_wrong_tokens_are_not_made(api: httpx2.Client, body: Any) -> None:
    answer = api.post("/v1/tokens", json=body)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-document")


def test_the_audit_tells_who_did_what(api: httpx2.Client, login: Any, document: Json, worker: Any) -> None:
    mia, rita = login("mia", "member"), login("rita", "reader")
    job = mia.post("/v1/experiments", json=document, headers={"X-Request-ID": "night-7"}).json()["id"]
    mia.post("/v1/sweeps", json=sweep_of(document, 2))
    mia.post(f"/v1/experiments/{job}/cancel")
    mia.post(f"/v1/experiments/{job}/rerun")
    api.delete(f"/v1/experiments/{job}?force=true")
    rita.post("/v1/experiments", json=document)
    api.post("/v1/tokens", json={"user": "new"})
    lines = api.get("/v1/audit").json()["items"]
    told = [(line["user"], line["action"], line["outcome"]) for line in reversed(lines)]
    assert told == [
        ("mia", "submit", "queued"), ("mia", "submit_sweep", "accepted"), ("mia", "cancel", "stopped"),
        ("mia", "rerun", "queued"), ("ada", "force_delete", "deleted"),
        ("rita", "POST /v1/experiments", "forbidden"), ("ada", "create_token", "created"),
    ]  # fmt: skip
    (first,) = api.get("/v1/audit", params={"request_id": "night-7"}).json()["items"]
    assert (first["object"], first["action"]) == (job, "submit")
    pages, cursor = [], None
    while True:
        found = api.get("/v1/audit", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        pages += found["items"]
        cursor = found["next"]
        if cursor is None:
            break
    assert pages == lines
    mine = api.get("/v1/audit", params={"user": "mia", "action": "cancel"}).json()["items"]
    assert [line["object"] for line in mine] == [job]
    assert api.get("/v1/audit", params={"actor": "mia"}).status_code == 422
    assert api.get("/v1/audit", params={"user": ""}).status_code == 422
    assert api.get("/v1/audit", params={"cursor": "0-0"}).json() == {"items": [], "next": None}


def test_a_flood_of_refusals_does_not_flood_the_audit(api: httpx2.Client, server: Any) -> None:
    for _ in range(20):
        httpx2.get(f"{server.url}/v1/experiments", headers={"Authorization": "Bearer no"}, trust_env=False)
    assert 1 <= len(api.get("/v1/audit", params={"outcome": "unauthorized"}).json()["items"]) <= 5


def test_a_submission_is_one_round_trip(
    api: httpx2.Client, login: Any, document: Json, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia = login("mia", "member")
    mia.post("/v1/experiments", json=document)  # now the process knows who holds the token
    worker.compute()
    sent: list[int] = []
    send = Channel.send

    async def counted(self: Channel, commands: Any) -> Any:
        task = asyncio.current_task()
        if task is not None and task.get_name() != "reaper":
            sent.append(len(commands))
        return await send(self, commands)

    monkeypatch.setattr(Channel, "send", counted)
    assert mia.post("/v1/experiments", json=document).status_code == 200
    assert sent == [1]
    assert mia.post("/v1/experiments", json=numbered(document, 9)).status_code == 202
    assert sent == [1, 1]
