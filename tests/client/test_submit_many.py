"""Many documents in few requests, with a server and without one."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from initshape.client import Client, Local
from initshape.client.lines import pieces

DOCUMENT: dict[str, Any] = {
    "experiment": {
        "dataset": {"kind": "sparse_regression", "dimension": 20, "samples": 5, "sparsity": 2},
        "model": {"kind": "diagonal"},
        "init": {"kind": "scale_shape", "scale": 0.01, "shape": 0.5},
        "flow": {"kind": "none"},
    }
}


def scaled(scale: Any) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    document["experiment"]["init"]["scale"] = scale
    return document


def test_the_same_with_and_without_a_server(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("initshape.client.lines.MOST_LINES", 2)
    documents = [scaled(0.1), scaled(-1.0), scaled(0.2), scaled(0.1), {"sweep": {}}]
    sent, here = client.submit_many(documents), Local().submit_many(documents)
    assert [answer["line"] for answer in sent] == [answer["line"] for answer in here] == [1, 2, 3, 4, 5]
    for told, found in zip(sent, here, strict=True):
        assert (told["body"] or {}).get("id") == (found["body"] or {}).get("id")
        assert (told["problem"] or {}).get("errors") == (found["problem"] or {}).get("errors")
    assert [answer["status"] for answer in here] == [200, 422, 200, 200, 422]
    for answer in sent:
        if answer["body"]:
            assert client.wait(answer["body"]["id"], timeout=60)["status"] == "succeeded"
    assert [answer["status"] for answer in client.submit_many(documents)] == [200, 422, 200, 200, 422]


def test_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [len(piece) for piece in pieces([{"a": k} for k in range(2500)])] == [1000, 1000, 500]
    monkeypatch.setattr("initshape.client.lines.MOST_BYTES", 30)
    assert [len(piece) for piece in pieces([{"a": "x" * 5}] * 4 + [{"a": "x" * 99}])] == [2, 2, 1]
    assert list(pieces([])) == []
    with pytest.raises(ValueError, match="JSON"):
        list(pieces([{"a": float("nan")}]))
