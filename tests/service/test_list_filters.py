"""Lists filtered by fields of the experiment, over HTTP."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from initshape.client import Client
from initshape.spec.filters import fields
from service.filters import documented

Json = dict[str, Any]


def send(api: httpx2.Client, document: Json) -> dict[tuple[float, int], str]:
    """Four experiments: two shapes, two dimensions."""
    sent = {}
    for shape in (0.0, 0.5):
        for dimension in (12, 16):
            experiment = document["experiment"]
            experiment["init"]["shape"], experiment["dataset"]["dimension"] = shape, dimension
            wanted = {"experiment": experiment, "tags": [f"d{dimension}"]}
            sent[shape, dimension] = api.post("/v1/experiments", json=wanted).json()["id"]
    return sent


def found(api: httpx2.Client, query: str) -> list[str]:
    answer = api.get(f"/v1/experiments?{query}")
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def test_any_field_filters_and_filters_combine(api: httpx2.Client, document: Json) -> None:
    sent = send(api, document)
    assert found(api, "init.shape=0.5") == [sent[0.5, 16], sent[0.5, 12]]
    assert found(api, "init.shape=5e-1&dataset.dimension=12") == [sent[0.5, 12]]
    assert found(api, "init.shape=0&tag=d16&status=queued") == [sent[0.0, 16]]
    assert len(found(api, "model.kind=diagonal&regularizers=kernel&flow.rtol=1e-8")) == 4
    assert found(api, "model.kind=single_neuron") == []
    first = api.get("/v1/experiments?init.shape=0.5&limit=1").json()
    assert found(api, f"init.shape=0.5&limit=1&cursor={first['next']}") == [sent[0.5, 12]]


@pytest.mark.parametrize(
    ("query", "pointer", "hint"),
    [
        ("init.shpe=0.5", "/query/init.shpe", "init.shape"), ("init.shape=half", "/query/init.shape", "allowed"),
        ("dataset.dimension=12.5", "/query/dataset.dimension", "allowed"), ("statsu=queued", "/query/statsu", "status"),
        ("init.shape=0.5&init.shape=0", "/query/init.shape", "once"), ("%00=1", "/query/\0", "such as init.shape"),
        ("init.shape=%F0%9F%98%80", "/query/init.shape", "allowed"),
    ],
)  # fmt: skip
def test_wrong_filters_are_refused(api: httpx2.Client, query: str, pointer: str, hint: str) -> None:
    answer = api.get(f"/v1/experiments?{query}")
    (problem,) = answer.json()["errors"]
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-parameter")
    assert problem["pointer"] == pointer
    assert hint in problem["hint"]


def test_the_client_goes_on_through_pages_without_entries(
    api: httpx2.Client, document: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = send(api, document)
    monkeypatch.setattr("initshape.store.listing.SCANNED", 1)
    assert api.get("/v1/experiments?dataset.dimension=12").json()["items"] == []
    token = api.headers["Authorization"].removeprefix("Bearer ")
    with Client(str(api.base_url), token) as client:
        where = {"dataset.dimension": 12}
        assert [job["id"] for job in client.experiments(where=where)] == [sent[0.5, 12], sent[0.0, 12]]
        assert [job["id"] for job in client.experiments(where=where, limit=1)] == [sent[0.5, 12]]


def test_every_filter_is_documented(api: httpx2.Client) -> None:
    operation = api.get("/openapi.json").json()["paths"]["/v1/experiments"]["get"]
    named = {parameter["name"] for parameter in operation["parameters"]}
    assert {*fields(), "status", "owner", "tag", "name", "limit", "cursor"} == named
    assert len(documented()) == len(fields())
