"""Many experiments in one request: every line as if it had come alone."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_outage import frozen

from initshape.store import Queue, Store, leases, tokens
from initshape.store.server import RedisServer
from initshape.store.tokens import Role

Json = dict[str, Any]


def seeded(document: Json, seed: int, **more: Any) -> Json:
    found = copy.deepcopy(document) | more
    found["experiment"]["dataset"]["seed"] = seed
    return found


def send(api: httpx2.Client, lines: Iterable[Json | bytes], **headers: str) -> httpx2.Response:
    body = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    return api.post("/v1/batch", content=body, headers={"Content-Type": "application/jsonl"} | headers)


def answers(response: httpx2.Response) -> list[Json]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("application/jsonl")
    return [json.loads(line) for line in response.text.splitlines()]


def test_mixed_lines(api: httpx2.Client, store: Store, worker: Any, document: Json) -> None:
    known = api.post("/v1/experiments", json=seeded(document, 1)).json()["id"]
    worker.compute()
    wrong = seeded(document, 3)
    wrong["experiment"]["init"]["shape"] = 1.5
    lines: list[Json | bytes] = [
        seeded(document, 1), b"", seeded(document, 2, name="two", tags=["t"]), wrong, b'{"experiment": ',
        seeded(document, 2, name="two again"), b"[]", b"\xff\xfe", b'{"a": 1, "a": 2}', {"sweep": {}}, b"[" * 100_000,
        seeded(document, 4) | {"experiment": {**document["experiment"], "flow": {"kind": "nothing"}}},
        seeded(document, 5), b"   ",
    ]  # fmt: skip
    found = answers(send(api, lines))
    assert [line["line"] for line in found] == [1, *range(3, 14)]
    assert [line["status"] for line in found] == [200, 202, 422, 400, 202, 422, 400, 400, 422, 400, 422, 202]
    for line in found:
        assert (line["body"] is None) != (line["problem"] is None)
    assert found[0]["body"]["id"] == known
    assert found[1]["body"] == found[4]["body"]
    assert found[1]["body"]["status"] == "queued"
    assert found[2]["problem"]["errors"][0]["pointer"] == "/experiment/init/shape"
    alone = api.post("/v1/experiments", json=wrong).json()
    own = {"instance": None, "request_id": None}  # of the request, not of the line
    assert found[2]["problem"] | own == alone | own
    assert store.run(leases.waiting(Queue.cpu)) == 2
    names = {job["id"]: job["name"] for job in api.get("/v1/experiments").json()["items"]}
    assert names[found[1]["body"]["id"]] == "two again", "the later line of one user says what it is called"


def test_sent_again_it_is_the_same_jobs(api: httpx2.Client, store: Store, document: Json) -> None:
    lines = [seeded(document, seed) for seed in range(20)]
    first, second = answers(send(api, lines)), answers(send(api, lines))
    assert first == second
    assert store.run(leases.waiting(Queue.cpu)) == 20


def test_chunks_keep_the_order(
    api: httpx2.Client, store: Store, document: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.batches.CHUNK", 7)
    lines: list[Json | bytes] = [seeded(document, k) if k % 3 else b"{}" for k in range(50)]
    found = answers(send(api, lines))
    assert [line["line"] for line in found] == list(range(1, 51))
    assert [line["status"] for line in found] == [202 if k % 3 else 422 for k in range(50)]
    alone = [api.post("/v1/experiments", json=line).json()["id"] for line in lines if isinstance(line, dict)]
    assert [line["body"]["id"] for line in found if line["body"]] == alone


def test_an_idempotency_key_belongs_to_one_body(
    api: httpx2.Client, login: Callable[[str, str], httpx2.Client], document: Json
) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = answers(send(api, [seeded(document, 1)], **key))
    assert answers(send(api, [seeded(document, 1)], **key)) == first
    refused = send(api, [seeded(document, 2)], **key)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/header/idempotency-key")
    assert answers(send(login("bob", "member"), [seeded(document, 2)], **key))[0]["status"] == 202


def test_limits_and_types(
    start: Callable[..., Any], connect: Callable[..., httpx2.Client], store: Store, document: Json
) -> None:
    found = start(store.settings, max_batch=8192, max_batch_lines=3, max_body=2048)
    api = connect(found, store.run(tokens.create("ada", Role.admin)))
    assert send(api, [b"x" * 10_000]).status_code == 413
    assert send(api, [b"{}"] * 4).status_code == 422
    for nothing in ([], [b"", b" ", b"\r"]):
        assert send(api, nothing).status_code == 422
    long, short = answers(send(api, [b"{" + b" " * 3000 + b"}", seeded(document, 1)]))
    assert (long["status"], short["status"]) == (413, 202)
    assert "Line 1" in long["problem"]["detail"]
    for media in ("application/json", "text/plain", ""):
        answer = send(api, [b"{}"], **{"Content-Type": media})
        assert (answer.status_code, answer.json()["type"]) == (415, "/problems/unsupported-media-type")
    assert send(api, [b"{}"], **{"Content-Type": "application/x-ndjson; charset=utf-8"}).status_code == 200
    assert send(api, [b"{}"], **{"Content-Encoding": "gzip"}).status_code == 415


def test_a_reader_sends_nothing(login: Callable[[str, str], httpx2.Client], document: Json) -> None:
    assert send(login("eve", "reader"), [document]).status_code == 403


def test_a_frozen_redis(
    start: Callable[..., Any], connect: Callable[..., httpx2.Client], own_server: RedisServer, document: Json
) -> None:
    store = Store(own_server.settings)
    api = connect(start(own_server.settings), store.run(tokens.create("ada", Role.admin)))
    lines = [seeded(document, seed) for seed in range(3)]
    assert {line["status"] for line in answers(send(api, lines))} == {202}
    with frozen(own_server):
        begin = time.monotonic()
        answer = send(api, lines)
        assert answer.status_code == 503
        assert time.monotonic() - begin < 5
    assert len(answers(send(api, lines))) == 3
    store.close()


def test_a_full_redis_takes_no_line(
    start: Callable[..., Any], connect: Callable[..., httpx2.Client], own_server: RedisServer, document: Json
) -> None:
    store = Store(own_server.settings)
    api = connect(start(own_server.settings), store.run(tokens.create("ada", Role.admin)))
    assert answers(send(api, [document]))[0]["status"] == 202
    store.client.config_set("maxmemory", "1mb")
    assert send(api, [seeded(document, 1)]).status_code == 507
    store.close()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
PATHS = [("experiment",), ("experiment", "init"), ("experiment", "init", "scale"), ("experiment", "dataset"), ("tags",),
         ("experiment", "dataset", "seed"), ("experiment", "model"), ("priority",), ("name",)]  # fmt: skip


@st.composite
def malformed(draw: st.DrawFn) -> bytes:
    """Bytes, JSON of anything, a valid document cut short, or one with anything in one place."""
    document: Json = {"experiment": {
        "dataset": {"kind": "sparse_regression", "dimension": 12, "samples": 4, "sparsity": 2},
        "model": {"kind": "diagonal"}, "init": {"kind": "scale_shape", "scale": 0.01, "shape": 0.5},
    }}  # fmt: skip
    kind = draw(st.sampled_from(["bytes", "value", "cut", "place"]))
    if kind == "bytes":
        return draw(st.binary(max_size=60)).replace(b"\n", b"")
    if kind == "value":
        return json.dumps(draw(VALUES)).encode()
    if kind == "place":
        place: Any = document
        *path, last = draw(st.sampled_from(PATHS))
        for name in path:
            place = place[name]
        place[last] = draw(VALUES)
        return json.dumps(document).encode()
    text = json.dumps(document).encode()
    return text[: draw(st.integers(1, len(text) - 1))]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bad=st.lists(malformed(), min_size=1, max_size=8), at=st.integers(0, 8))
def test_malformed_lines_never_spoil_a_good_one(api: httpx2.Client, document: Json, bad: list[bytes], at: int) -> None:
    good = json.dumps(seeded(document, 77)).encode()
    lines = [*bad[:at], good, *bad[at:]]
    found = {line["line"]: line for line in answers(send(api, lines))}
    assert found[lines.index(good) + 1]["status"] == 202
    for line in found.values():
        assert line["status"] in (200, 202, 400, 422), line
    assert len(found) == sum(1 for line in lines if line.strip())
