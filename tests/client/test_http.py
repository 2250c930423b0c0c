"""One request: patience, exceptions, the token. The other end is a function, so that it can fail as we like."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx2
import pytest

from initshape.client import (
    ApiError,
    Client,
    ExpiredError,
    NoResultError,
    NotPermittedError,
    RejectedError,
    ServerError,
    UnknownIdError,
    UnreachableError,
    WaitTimeoutError,
)
from initshape.client.http import Http

URL = "http://127.0.0.1:1"
PROBLEM = {
    "type": "/problems/invalid-document", "title": "Invalid document", "status": 422, "detail": "It is wrong.",
    "errors": [{"pointer": "/experiment/init/shape", "value": 1.5, "allowed": "< 1", "hint": "must be less than 1"}],
    "job": {"an": "extension"},
}  # fmt: skip


def http(handler: Callable[[httpx2.Request], httpx2.Response], patience: float = 5.0, **more: Any) -> Http:
    return Http(URL, more.pop("token", None), patience=patience, transport=httpx2.MockTransport(handler), **more)


def test_an_unavailable_server_is_asked_again_when_it_says() -> None:
    waits: list[float] = []
    answers = [
        httpx2.Response(503, headers={"Retry-After": "2"}, json=PROBLEM | {"status": 503}),
        httpx2.Response(429, json=PROBLEM | {"status": 429}),
        httpx2.Response(200, json={"id": "x"}),
    ]
    seen: list[bytes] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.read())
        return answers[len(seen) - 1]

    assert http(handler, sleep=waits.append).request("POST", "/", json={"a": 1}).json() == {"id": "x"}
    assert len(set(seen)) == 1
    assert waits[0] == 2.0
    assert len(waits) == 2


@pytest.mark.parametrize(
    ("first", "tries"),
    [(httpx2.ConnectError("refused"), 2), (httpx2.ReadTimeout("silence"), 1), (429, 2), (503, 1)],
)
def test_a_rerun_is_repeated_only_where_nothing_was_done(first: Exception | int, tries: int) -> None:
    calls = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        calls.append(request)
        if len(calls) == 1 and isinstance(first, Exception):
            raise first
        status = first if len(calls) == 1 and isinstance(first, int) else 202
        return httpx2.Response(status, json=PROBLEM | {"status": status, "id": "x-a"})

    client = Client(URL, transport=httpx2.MockTransport(handler))
    if tries == 1:
        with pytest.raises((UnreachableError, ServerError)):
            client.rerun("x-a")
    else:
        assert client.rerun("x-a").id == "x-a"
    assert len(calls) == tries


def test_a_date_to_retry_after() -> None:
    waits: list[float] = []
    answers = [
        httpx2.Response(503, headers={"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=3))}),
        httpx2.Response(503, headers={"Retry-After": "soon"}),
        httpx2.Response(200, json={}),
    ]
    http(lambda request: answers.pop(0), sleep=waits.append).request("GET", "/")
    assert 1.0 <= waits[0] <= 3.0
    assert waits[1] == 0.2 * 2


def test_the_key_of_a_submission() -> None:
    seen = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers.get("Idempotency-Key"))
        return httpx2.Response(200, json={"id": "x-a", "status": "succeeded"})

    client = Client(URL, transport=httpx2.MockTransport(handler))
    client.submit({}, key="mine")
    client.submit_sweep({})
    assert seen == ["mine", None]


def test_patience_ends() -> None:
    calls = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        calls.append(request)
        return httpx2.Response(503, json=PROBLEM | {"status": 503})

    with pytest.raises(ServerError):
        http(handler, patience=0.5).request("GET", "/")
    assert len(calls) == 2  # at once and after 0.2 s; the next pause of 0.4 s would end too late


def test_a_server_that_is_not_there() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("Connection refused", request=request)

    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1 does not answer: Connection refused"):
        http(handler, patience=0.1).request("GET", "/")


def test_nobody_listens() -> None:
    with pytest.raises(UnreachableError), Client(URL, patience=0.0) as client:
        client.status("x-aaaaaaaaaaaaaaaaaaaaaaaaaa")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, RejectedError), (401, NotPermittedError), (403, NotPermittedError), (404, UnknownIdError),
     (409, NoResultError), (410, ExpiredError), (413, RejectedError), (415, RejectedError), (422, RejectedError),
     (500, ServerError), (507, ServerError)],
)  # fmt: skip
def test_every_problem_is_an_exception(status: int, kind: type[ApiError]) -> None:
    calls = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        calls.append(request)
        return httpx2.Response(status, json=PROBLEM | {"status": status})

    with pytest.raises(kind) as caught:
        http(handler).request("GET", "/")
    assert len(calls) == 1, "only an unavailable server is asked again"
    assert caught.value.status == status
    assert caught.value.errors[0].pointer == "/experiment/init/shape"
    assert "/experiment/init/shape: must be less than 1" in str(caught.value)


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"[]", b"{}", b'{"status": "x"}'])
def test_an_answer_that_is_no_problem_document(body: bytes) -> None:
    with pytest.raises(ServerError, match="not problem details") as caught:
        http(lambda request: httpx2.Response(502, content=body)).request("GET", "/")
    assert caught.value.status == 502


def test_the_token_travels_in_the_header_alone() -> None:
    seen = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={})

    client = http(handler, token="initshape_secret")
    client.request("GET", "/")
    assert seen[0].headers["Authorization"] == "Bearer initshape_secret"
    assert "secret" not in str(seen[0].url)
    assert "secret" not in repr(client) + repr(Client(URL, "initshape_secret"))


def test_waiting_can_end_before_the_job() -> None:
    waits = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        waits.append(float(request.url.params.get("wait", 0.0)))
        time.sleep(waits[-1])
        return httpx2.Response(200, json={"id": "x-a", "status": "running"})

    client = Client(URL, transport=httpx2.MockTransport(handler))
    with pytest.raises(WaitTimeoutError, match=r"x-a is still running after 0\.3 s; it goes on"):
        client.wait("x-a", timeout=0.3)
    assert 0 < sum(waits) <= 0.3
    seen = client.updates("x-a", every=0.1, timeout=0.3)
    assert next(seen)["status"] == "running"


def test_ids_cannot_leave_their_path() -> None:
    seen = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.url.raw_path)
        return httpx2.Response(200, json={})

    client = Client(URL, transport=httpx2.MockTransport(handler))
    client.status("x-../../health?a=b")
    assert seen == [b"/v1/experiments/x-..%2F..%2Fhealth%3Fa%3Db"]
