"""A thousand spoilt bodies and uploads: each is refused with problem details, none with a trace of a stack."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from typing import Any

import httpx2
import numpy as np
import pytest

Json = dict[str, Any]
JSON, LINES, ZIP, CSV = "application/json", "application/jsonl", "application/zip", "text/csv"
ROUTES = {
    "/v1/experiments": JSON, "/v1/experiments/validate": JSON, "/v1/sweeps": JSON, "/v1/sweeps/preview": JSON,
    "/v1/regularizers/evaluate": JSON, "/v1/regularizers/figure.png": JSON, "/v1/tokens": JSON,
    "/v1/datasets": ZIP, "/v1/inits": ZIP,
}  # fmt: skip
VALUES: list[Any] = [None, True, -1, 0, 1e308, -0.0, 2**70, "", "x" * 300, "\u0000", "\ud800", [], [[]], {},
                     {"kind": 3}, [1, "a"], "nan", {"": 1}]  # fmt: skip
NO_DOCUMENTS = [b"", b"null", b"[]", b"NaN", b"1", b'"a"', b"{}", b'{"a": Infinity}', b"{'a': 1}", b"\xff\xfe"]
NO_TABLES = [b"", b"a", b"a,b\n1\n", b"a,y\nx,1\n", b"\xff,\n", b"a,y\n1,nan\n", b"a,a\n1,2\n"]
TRACES = ("Traceback", 'File "', ".py", "pydantic", "Error(", "site-packages", "0x")


def documents(document: Json) -> dict[str, Json]:
    sweep = {"sweep": {"base": document["experiment"], "axes": [{"path": "init.scale", "values": [0.1, 0.2]}]}}
    evaluation = {"regularizer": "implicit", "model": {"kind": "diagonal"}, "points": [[0.5]],
                  "init": {"kind": "scale_shape", "scale": 0.1, "shape": 0.0}}  # fmt: skip
    return {"/v1/experiments": document, "/v1/experiments/validate": document, "/v1/sweeps": sweep,
            "/v1/sweeps/preview": sweep, "/v1/regularizers/evaluate": evaluation,
            "/v1/regularizers/figure.png": evaluation, "/v1/tokens": {"user": "mia", "role": "member"}}  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(inner for name, each in items for inner in places(each, (*path, name)))]


def spoilt(rng: random.Random, document: Json) -> bytes:
    """A valid document with one thing wrong in it, as text or as content."""
    whole = json.loads(json.dumps(document))
    text = json.dumps(whole)
    way = rng.randrange(6)
    if way == 0:  # cut off
        return text[: rng.randrange(len(text))].encode()
    if way == 1:  # bytes that are no text
        at = rng.randrange(len(text))
        return text[:at].encode() + bytes(rng.randrange(128, 256) for _ in range(3)) + text[at:].encode()
    if way == 2:  # deep nesting
        return b"[" * rng.choice([10, 2000, 100_000])
    if way == 3:
        return rng.choice(
            [b"", b"null", b"[]", b"NaN", b"1", b'"a"', b"{}", b'{"a": Infinity}', b"{'a': 1}", b"\xff\xfe"]
        )
    path = rng.choice([found for found in places(whole) if found])
    inner = whole
    for name in path[:-1]:
        inner = inner[name]
    if way == 4 and isinstance(inner, dict):  # an unknown key in place of a known one
        inner[f"{path[-1]}_"] = inner.pop(path[-1])
    else:
        inner[path[-1]] = rng.choice(VALUES)
    return json.dumps(whole).encode()


def spoilt_file(rng: random.Random) -> bytes:
    """An archive that is damaged, lies, or holds what nobody reads."""
    arrays: list[dict[str, Any]] = [
        {"X": np.eye(3), "y": np.ones(2)}, {"X": np.full((2, 2), np.nan), "y": np.ones(2)}, {"X": np.eye(2)},
        {"X": np.array([{}], dtype=object), "y": np.ones(1)}, {"X": np.eye(2), "y": np.ones(2), "Z": np.ones(2)},
        {"X": np.zeros((0, 3)), "y": np.zeros(0)}, {"X": np.array(["a"]), "y": np.ones(1)}, {"u_plus": np.ones(3)},
        {"X": np.eye(2, dtype=complex), "y": np.ones(2)}, {"a": np.ones(2), "w": np.ones((2, 2, 2))},
    ]  # fmt: skip
    file = io.BytesIO()
    np.savez(file, allow_pickle=True, **rng.choice(arrays))
    content = bytearray(file.getvalue())
    way = rng.randrange(3)
    if way == 0:
        return bytes(content[: rng.randrange(len(content))])
    if way == 1:
        start = content.find(b"PK\x01\x02")
        content[rng.randrange(start, len(content))] ^= rng.randrange(1, 256)
    return bytes(content)


@pytest.mark.timeout(120)
def test_a_thousand_spoilt_bodies(api: httpx2.Client, document: Json, caplog: pytest.LogCaptureFixture) -> None:
    rng, valid = random.Random(2026), documents(document)
    refused = taken = 0
    for number in range(1000):
        path, media = rng.choice(sorted(ROUTES.items()))
        body = spoilt_file(rng) if media == ZIP else spoilt(rng, valid[path])
        if path == "/v1/datasets" and number % 3 == 0:
            media, body = (
                CSV,
                rng.choice(NO_TABLES),
            )
        answer = api.post(path, content=body, headers={"Content-Type": media})
        told = answer.text
        assert answer.status_code < 500, (path, body[:300], told[:300])
        if answer.is_success:  # a change that happened to leave it valid
            taken += 1
            continue
        refused += 1
        assert answer.headers["content-type"] == "application/problem+json", (path, body[:300])
        problem = answer.json()
        assert (problem["status"], problem["instance"]) == (answer.status_code, path)
        assert problem["title"]
        assert problem["detail"]
        assert not [trace for trace in TRACES if trace in told and trace.encode() not in body], (body[:300], told)
    assert refused > 900, taken
    assert not [line for line in caplog.records if line.exc_info]


def test_spoilt_lines_of_a_batch(api: httpx2.Client, document: Json) -> None:
    rng = random.Random(7)
    lines = [spoilt(rng, document).replace(b"\n", b" ") for _ in range(200)]
    lines = [line for line in lines if line.strip()]
    answer = api.post("/v1/batch", content=b"\n".join(lines), headers={"Content-Type": LINES})
    assert answer.status_code == 200
    answers = [json.loads(text) for text in answer.text.splitlines()]
    assert len(answers) == len(lines)
    assert {one["status"] // 100 for one in answers} <= {2, 4}
    assert not [trace for trace in TRACES[:2] if trace in answer.text]


@pytest.mark.parametrize(
    "media", ["", "text/plain", "multipart/form-data; boundary=x", "application/json; charset=utf-16"]
)
def test_other_types_of_body(login: Callable[[str, str], httpx2.Client], api: httpx2.Client, media: str) -> None:
    for path in ROUTES:
        answer = api.post(path, content=b"--x\r\n\r\n", headers={"Content-Type": media} if media else {})
        assert 400 <= answer.status_code < 500
        assert answer.headers["content-type"] == "application/problem+json"
