"""Ranges of files, so that a download that broke off goes on where it was."""

from __future__ import annotations

from typing import Any

import httpx2
import numpy as np
import pytest

from initshape.uploads import to_npz

Json = dict[str, Any]
FILES = ("arrays.npz", "arrays/w_flow.csv", "dataset.npz")


@pytest.fixture
def done(api: httpx2.Client, document: Json, worker: Any) -> str:
    """Path of a finished experiment."""
    api.post("/v1/experiments", json=document)
    return f"/v1/experiments/{worker.compute()[0]}"


@pytest.fixture(params=[*FILES, "upload"])
def file(request: pytest.FixtureRequest, api: httpx2.Client, done: str) -> str:
    """Path of a file that has ranges."""
    if request.param != "upload":
        return f"{done}/{request.param}"
    body = to_npz({"X": np.eye(3), "y": np.ones(3)})
    sent = api.post("/v1/datasets", content=body, headers={"Content-Type": "application/zip"})
    return str(sent.json()["links"]["content"])


def test_parts_make_the_whole(api: httpx2.Client, file: str) -> None:
    whole = api.get(file)
    size, tag = len(whole.content), whole.headers["etag"]
    assert (whole.status_code, whole.headers["accept-ranges"]) == (200, "bytes")
    assert not tag.startswith("W/")
    asked = (("bytes=0-9", 0, 10), (f"bytes=10-{size + 99}", 10, size), ("bytes=10-", 10, size),
             ("bytes=-7", size - 7, size),
             (f"bytes=-{size + 5}", 0, size), ("bytes=3-3", 3, 4), ("BYTES = 1-2", 1, 3))  # fmt: skip
    for text, start, end in asked:
        part = api.get(file, headers={"Range": text, "If-Range": tag})
        assert part.status_code == 206, text
        assert part.content == whole.content[start:end]
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        assert part.headers["content-length"] == str(end - start)
        assert part.headers["etag"] == tag


def test_what_is_no_single_range_gets_the_whole(api: httpx2.Client, file: str) -> None:
    whole = api.get(file)
    for text in (
        "bytes=0-1,3-4",
        "items=0-1",
        "bytes=5-2",
        "bytes=-",
        "bytes=a-b",
        "0-1",
        "bytes=٣-",
        f"bytes={'9' * 40}-",
    ):
        answer = api.get(file, headers={"Range": text.encode()})
        assert (answer.status_code, answer.content) == (200, whole.content), text
    for tag in ('"other"', "W/" + whole.headers["etag"], "Thu, 26 Nov 2026 06:00:00 GMT"):
        answer = api.get(file, headers={"Range": "bytes=0-1", "If-Range": tag})
        assert (answer.status_code, answer.content) == (200, whole.content), tag
    same = api.get(file, headers={"Range": "bytes=0-1", "If-None-Match": whole.headers["etag"]})
    assert same.status_code == 304


def test_a_range_behind_the_end_is_refused_with_the_size(api: httpx2.Client, file: str) -> None:
    size = len(api.get(file).content)
    for text in (f"bytes={size}-", f"bytes={size + 5}-{size + 9}", "bytes=-0"):
        answer = api.get(file, headers={"Range": text})
        assert (answer.status_code, answer.headers["content-type"]) == (416, "application/problem+json")
        assert answer.headers["content-range"] == f"bytes */{size}"


@pytest.mark.parametrize("kind", ["", "pie", "%00"])
def test_an_unknown_kind_of_figure_is_refused(api: httpx2.Client, done: str, document: Json, kind: str) -> None:
    sweep = {"base": document["experiment"], "axes": [{"path": "init.shape", "values": [0.1, 0.2]}]}
    for own in (done, api.post("/v1/sweeps", json={"sweep": sweep}).json()["links"]["self"]):
        answer = api.get(f"{own}/figure.png?kind={kind}", headers={"If-None-Match": "*"})
        assert answer.status_code == 422
        (problem,) = answer.json()["errors"]
        assert problem["pointer"] == "/query/kind"
        assert "distance" in problem["allowed"] or "scale_curve" in problem["allowed"]


@pytest.mark.parametrize("query", ["owner=", "tag=", "cursor=", "status=", "limit=", "init.shape="])
def test_empty_parameters_are_refused(api: httpx2.Client, query: str) -> None:
    answer = api.get(f"/v1/experiments?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"/query/{query[:-1]}"
