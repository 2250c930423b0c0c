"""Request ids and log lines of the API."""

from __future__ import annotations

import io
import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from initshape import logs
from initshape.logs.context import Trace, current
from initshape.store import Store, keys, leases

Json = dict[str, Any]


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What this process logs, as JSON lines."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def read(stream: io.StringIO) -> list[Json]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def wait_for(stream: io.StringIO, wanted: Callable[[Json], bool]) -> Json:
    """The one line that is wanted; lines come after their answers."""
    end = time.monotonic() + 10
    while not (found := [line for line in read(stream) if wanted(line)]):
        assert time.monotonic() < end, stream.getvalue()
        time.sleep(0.01)
    (line,) = found
    return line


def access(stream: io.StringIO, status: int) -> Json:
    return wait_for(stream, lambda line: line["logger"] == "service.access" and line["status"] == status)


def test_the_id_of_a_request_goes_everywhere(api: httpx2.Client, store: Store, document: Json, lines: Any) -> None:
    answer = api.post("/v1/experiments", json=document, headers={"X-Request-ID": "my-request.1"})
    assert answer.headers.get_list("x-request-id") == ["my-request.1"]
    job_id = answer.json()["id"]
    assert store.client.hget(keys.key("job", job_id), "request") == b"my-request.1"
    (claim,) = store.run(leases.claim("w", "cpu"))
    assert claim.trace == {"job": job_id, "attempt": 1, "request": "my-request.1"}
    line = access(lines, 202)
    told = {name: line[name] for name in ("level", "message", "request", "job", "answer", "user", "status")}
    assert told == {
        "level": "info", "message": "POST /v1/experiments", "request": "my-request.1", "job": job_id,
        "answer": "queued", "user": "ada", "status": 202,
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])


def test_sweeps_and_batches_store_it_too(api: httpx2.Client, store: Store, document: Json) -> None:
    axes = [{"path": "init.scale", "values": [0.1, 0.2]}]
    sweep = {"sweep": {"base": document["experiment"], "axes": axes}}
    api.post("/v1/sweeps", json=sweep, headers={"X-Request-ID": "of-the-sweep"})
    body = json.dumps(document)
    api.post("/v1/batch", content=body, headers={"X-Request-ID": "of-the-batch",
                                                 "Content-Type": "application/jsonl"})  # fmt: skip
    claims = [claim for _ in range(3) for claim in store.run(leases.claim("w", "cpu"))]
    assert sorted(claim.request for claim in claims) == ["of-the-batch", "of-the-sweep", "of-the-sweep"]


@pytest.mark.parametrize("sent", [None, "", "two words", "x" * 65, "a\tb", "a;b"])
def test_an_id_that_is_none_is_replaced(api: httpx2.Client, sent: str | None) -> None:
    headers = {} if sent is None else {"X-Request-ID": sent}
    answer = api.get("/v1/experiments/nonsense", headers=headers)
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-request-id"])
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_a_defect_is_found_by_its_id(server: Any, api: httpx2.Client, lines: Any, monkeypatch: Any) -> None:
    from service.routers import experiments

    monkeypatch.setattr(experiments, "cursor_number", lambda *_: 1 / 0)
    answer = api.get("/v1/experiments")
    assert answer.status_code == 500
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert access(lines, 500)["request"] == answer.headers["x-request-id"]
    defect = wait_for(lines, lambda line: "exception" in line)
    assert "ZeroDivisionError" in defect["exception"]
    assert defect["request"] == answer.headers["x-request-id"]


def test_no_secret_is_logged(api: httpx2.Client, server: Any, document: Json, lines: Any) -> None:
    """Whatever is sent: accepted, refused, in the wrong place."""
    token = api.headers["authorization"].removeprefix("Bearer ")
    api.post("/v1/experiments", json=document)
    api.get("/v1/experiments", params={"token": token})
    api.get("/v1/experiments", params={"cursor": token})
    api.post("/v1/experiments", content=token)
    httpx2.get(f"{server.url}/v1/experiments", headers={"Authorization": f"Basic {token}"}, trust_env=False)
    wait_for(lines, lambda line: line.get("status") == 401)
    text = lines.getvalue()
    assert text.count("service.access") == 5
    assert token not in text
    assert (server.store.password or "-") not in text
    assert "authorization" not in text.lower()


def test_a_path_stays_on_its_line(api: httpx2.Client, lines: Any) -> None:
    api.get("/v1/%0aexperiments%22")
    assert access(lines, 404)["message"] == "GET /v1/%0aexperiments%22"


def test_health_checks_are_not_told(api: httpx2.Client, lines: Any) -> None:
    assert api.get("/health/live").status_code == 200
    assert "service.access" not in lines.getvalue()


def test_readable_lines() -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logs.configure("info", "text", stream)
        token = current.set(Trace("abc"))
        logging.getLogger("service.x").warning("it is %s", "so", extra={"job": "x-1"})
        current.reset(token)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    pattern = r"\d\d:\d\d:\d\d warning service\.x: it is so \(job x-1, request abc\)\n"
    assert re.fullmatch(pattern, stream.getvalue())
