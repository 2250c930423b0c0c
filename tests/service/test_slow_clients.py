"""Clients that say too much, or too slowly, before anybody knows who they are."""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from service import bodies, protocol


def dial(server: Any) -> socket.socket:
    parts = urlsplit(server.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


def rest(line: socket.socket) -> bytes:
    """All that the server sends until it closes."""
    found = b""
    while True:
        try:
            piece = line.recv(65_536)
        except ConnectionError:
            return found
        if not piece:
            return found
        found += piece


def problem(answer: bytes) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    assert b"connection: close" in head.lower()
    return dict(json.loads(body))


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same limits, shorter."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(bodies, "FIRST_SECONDS", 0.3)


@pytest.mark.parametrize("name", [b"X-Header: ", b"GET /"])
def test_a_head_without_an_end_is_refused_soon(server: Any, name: bytes) -> None:
    with dial(server) as line:
        if name != b"GET /":
            line.sendall(b"GET /health/live HTTP/1.1\r\nHost: here\r\n")
        try:
            line.sendall(name)
            for _ in range(1000):
                line.sendall(b"a" * 65_536)
        except ConnectionError:
            pass  # closed before the 64 MB were sent
        else:
            pytest.fail("all of it was taken")


def test_the_refusal_says_why(server: Any) -> None:
    with dial(server) as line:
        line.sendall(b"GET /health/live HTTP/1.1\r\nHost: here\r\nX: " + b"a" * protocol.HEAD_BYTES)
        said = problem(rest(line))
    assert (said["status"], said["type"]) == (431, "/problems/head-too-large")


@pytest.mark.parametrize("said", [b"", b"GET /hea", b"\r\n", b"GET /health/live HTTP/1.1\r\nHost: here\r\n"])
def test_a_client_that_does_not_finish_its_head_is_let_go(server: Any, hasty: None, said: bytes) -> None:
    with dial(server) as line:
        line.sendall(said)
        answer = rest(line)
    assert not answer if said in (b"", b"\r\n") else problem(answer)["type"] == "/problems/request-timeout"


def test_drops_do_not_prolong_it(server: Any, hasty: None) -> None:
    """One header now and then was enough to keep a connection for ever."""
    begun = time.monotonic()
    with dial(server) as line:
        line.sendall(b"GET /health/live HTTP/1.1\r\n")
        while time.monotonic() < begun + 5:
            try:
                line.sendall(b"X: 1\r\n")
            except ConnectionError:
                break
            time.sleep(0.05)
    assert time.monotonic() < begun + 3


def test_connections_that_are_kept_alive_are_served_again(server: Any, hasty: None) -> None:
    """The time of one request does not count for the next, nor does a pause between them."""
    with dial(server) as line:
        for pause in (0.2, 0.5, 0.0, 0.2):
            line.sendall(b"GET /health/live HTTP/1.1\r\nHo")
            time.sleep(0.1)
            line.sendall(b"st: here\r\n\r\n")
            answer = line.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 200 OK")
            time.sleep(pause)


def ask_once(line: socket.socket) -> None:
    """A request and its answer, after which the connection is kept."""
    line.sendall(b"GET /health/live HTTP/1.1\r\nHost: here\r\n\r\n")
    assert line.recv(65_536).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("said", [b"GET /hea", b"GET /health/live HTTP/1.1\r\nHost: here\r\n"])
def test_a_later_head_that_is_not_finished_is_let_go(server: Any, hasty: None, said: bytes) -> None:
    with dial(server) as line:
        ask_once(line)
        line.sendall(said)
        assert problem(rest(line))["type"] == "/problems/request-timeout"


def test_a_later_head_is_as_short_as_the_first(server: Any) -> None:
    with dial(server) as line:
        for _ in range(2):
            ask_once(line)
        line.sendall(b"GET /health/live HTTP/1.1\r\nHost: here\r\nX: " + b"a" * protocol.HEAD_BYTES)
        assert problem(rest(line))["type"] == "/problems/head-too-large"


def test_a_long_poll_is_not_cut(api: httpx2.Client, hasty: None, document: Any) -> None:
    job_id = api.post("/v1/experiments", json=document).json()["id"]
    assert api.get(f"/v1/experiments/{job_id}", params={"wait": 1.0}).json()["status"] == "queued"


def post(line: socket.socket, token: str, size: int) -> None:
    head = f"POST /v1/experiments HTTP/1.1\r\nHost: here\r\n{token}Content-Type: application/json\r\n"
    line.sendall(f"{head}Content-Length: {size}\r\n\r\n".encode())


def test_a_body_that_does_not_come_is_given_up(server: Any, api: httpx2.Client, hasty: None) -> None:
    token = f"Authorization: {api.headers['authorization']}\r\n"
    with dial(server) as line:
        post(line, token, 100_000)
        line.sendall(b"{")
        assert problem(rest(line))["type"] == "/problems/request-timeout"
    with dial(server) as line:  # faster than the least rate
        post(line, token, 8000)
        for _ in range(8):
            line.sendall(b" " * 1000)
            time.sleep(0.1)
        assert line.recv(65_536).startswith(b"HTTP/1.1 400")  # read to its end, and empty


def test_a_body_of_which_nothing_comes_is_given_up(server: Any, api: httpx2.Client, hasty: None) -> None:
    with dial(server) as line:
        post(line, f"Authorization: {api.headers['authorization']}\r\n", 100_000)
        assert problem(rest(line))["type"] == "/problems/request-timeout"


def test_a_body_in_drops_is_given_up(server: Any, api: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then is less than the least rate, however long it goes on."""
    monkeypatch.setattr(bodies, "FIRST_SECONDS", 2.0)  # far above any pause of this test's own
    answer = b""
    with dial(server) as line:
        post(line, f"Authorization: {api.headers['authorization']}\r\n", 100_000)
        line.settimeout(0.05)
        for _ in range(300):
            line.sendall(b" ")
            with suppress(TimeoutError):
                answer = line.recv(65_536)
                break
        assert answer, "it was still read"
        line.settimeout(10)
        assert problem(answer + rest(line))["type"] == "/problems/request-timeout"


def test_a_stranger_is_refused_before_the_body(server: Any) -> None:
    with dial(server) as line:
        post(line, "", 1_000_000)
        assert line.recv(65_536).startswith(b"HTTP/1.1 401")


def test_websockets_are_not_spoken(server: Any) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x" * 24,
               "Sec-WebSocket-Version": "13"}  # fmt: skip
    assert httpx2.get(f"{server.url}/health/live", headers=headers, trust_env=False).status_code == 200


def test_two_lengths_or_two_ways_to_say_it_are_refused(server: Any) -> None:
    """What a proxy and this server could read differently (request smuggling)."""
    one = b"POST /v1/experiments HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
    hidden = b"GET /health/live HTTP/1.1\r\nHost: here\r\n\r\n"
    for lengths in (
        b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(hidden),
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % len(hidden),
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: +0\r\n\r\n",
        b"Content-Length : 0\r\n\r\n",
    ):
        with dial(server) as line:
            line.sendall(one + lengths + hidden)
            answer = line.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 400"), lengths
        assert answer.count(b"HTTP/1.1") == 1, lengths
