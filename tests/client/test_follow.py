"""Waiting by events against a real server with a real worker, and what happens where the events do not come through."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from initshape.client import Client
from initshape.client.sse import Event, Reader

EXPERIMENT: dict[str, Any] = {
    "experiment": {
        "dataset": {"kind": "sparse_regression", "dimension": 20, "samples": 5, "sparsity": 2},
        "model": {"kind": "diagonal"},
        "init": {"kind": "scale_shape", "scale": 0.01, "shape": 0.5},
    }
}


class Wire(httpx2.HTTPTransport):
    """A real connection that remembers what it was asked, and spoils streams of events as it is told."""

    def __init__(self, spoil: Callable[[httpx2.Request, httpx2.Response], httpx2.Response] | None = None) -> None:
        super().__init__()
        self.asked: list[httpx2.Request] = []
        self._spoil = spoil

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        response = super().handle_request(request)
        return self._spoil(request, response) if self._spoil and request.url.path.endswith("/events") else response

    @property
    def polls(self) -> int:
        return sum("wait" in request.url.params for request in self.asked)

    @property
    def streams(self) -> list[httpx2.Request]:
        return [request for request in self.asked if request.url.path.endswith("/events")]


class Cut(httpx2.SyncByteStream):
    """The first event of a stream, and then the line is dead."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        held = b""
        for chunk in self._response.stream:  # type: ignore[union-attr]
            held += chunk
            head, gap, _ = held.partition(b"\n\n")
            if gap and head.startswith(b"event: "):
                yield head + gap
                raise httpx2.ReadError("cut")

    def close(self) -> None:
        self._response.close()


def cut(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
    return httpx2.Response(response.status_code, headers=response.headers, stream=Cut(response))


def dead(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
    response.close()
    raise httpx2.ReadTimeout("a proxy holds the stream back", request=request)


def absent(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
    response.close()
    return httpx2.Response(404, json={"title": "Not found", "status": 404, "detail": "an old server"})


@pytest.fixture
def through(client: Client) -> Callable[[Wire], Client]:
    """A client of the same server on another wire."""
    authorization = client._http._client.headers["Authorization"]
    return lambda wire: Client(client.url, authorization.removeprefix("Bearer "), transport=wire)


def one(seed: int) -> dict[str, Any]:
    document = copy.deepcopy(EXPERIMENT)
    document["experiment"]["dataset"]["seed"] = seed
    return document


def test_a_wait_is_one_stream(through: Callable[[Wire], Client]) -> None:
    wire = Wire()
    with through(wire) as client:
        sent = client.submit(one(101))
        done = client.wait(sent["id"], timeout=120)
    assert (done["status"], done["outcome"]) == ("succeeded", "converged")
    assert wire.polls == 0
    assert len(wire.streams) <= 3  # a queued job is asked for its place now and then


def test_states_of_a_sweep_by_events(through: Callable[[Wire], Client]) -> None:
    wire = Wire()
    axes = [{"path": "init.scale", "values": [0.1, 0.2, 0.3, 0.4]}]
    base = one(102)["experiment"] | {"flow": {"kind": "none"}}
    with through(wire) as client:
        sent = client.submit_sweep({"sweep": {"base": base, "axes": axes}})
        counts = [state["counts"]["succeeded"] for state in client.updates(sent["id"], timeout=60)]
    assert counts == sorted(counts)
    assert counts[-1] == 4
    assert wire.polls == 0


def test_a_line_that_dies_after_every_event(through: Callable[[Wire], Client]) -> None:
    wire = Wire(cut)
    with through(wire) as client:
        states = list(client.updates(client.submit(one(103))["id"], timeout=120))
    assert states[-1]["status"] == "succeeded"
    assert wire.polls == 0
    told = [request.headers["Last-Event-ID"] for request in wire.streams]
    assert len(set(told)) == len(told), "nothing is told twice"


@pytest.mark.parametrize("spoil", [dead, absent])
def test_long_polls_where_no_events_come_through(
    through: Callable[[Wire], Client], spoil: Callable[..., httpx2.Response]
) -> None:
    wire = Wire(spoil)
    with through(wire) as client:
        done = client.wait(client.submit(one(104 if spoil is dead else 105))["id"], timeout=120)
    assert done["status"] == "succeeded"
    assert len(wire.streams) <= 3  # a warm worker may be quicker than the first poll; test_http.py counts the polls


def test_bytes_in_any_pieces() -> None:
    first = ': ping\n\nevent: status\ndata: {"a": "\u2028"}\nid: 1-0\n\nretry: 5\n\n'
    body = (first + "event: x\ndata: [1]\n\nevent: y\ndata: {}\n\n").encode()
    expected = [Event("status", "1-0", {"a": "\u2028"}), Event("y", None, {})]
    for size in (1, 2, 7, len(body)):
        reader = Reader()
        pieces = (body[k : k + size] for k in range(0, len(body), size))
        assert [event for piece in pieces for event in reader.read(piece)] == expected
