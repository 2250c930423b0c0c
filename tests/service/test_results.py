"""What a finished experiment answers."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import httpx2
import numpy as np
import pytest

from initshape.datasets import build
from initshape.spec.experiment import Experiment
from initshape.spec.result import Result
from initshape.store import Store
from initshape.store.keys import key

Json = dict[str, Any]
FILES = ("result", "arrays.npz", "arrays/w_flow.csv", "dataset.npz", "figure.png", "figure.svg?kind=loss")


@pytest.fixture
def done(api: httpx2.Client, document: Json, worker: Any) -> str:
    """Path of a finished experiment."""
    api.post("/v1/experiments", json=document)
    return f"/v1/experiments/{worker.compute()[0]}"


def load(content: bytes) -> dict[str, np.ndarray[Any, Any]]:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def test_result_document(api: httpx2.Client, done: str) -> None:
    answer = api.get(f"{done}/result")
    assert answer.headers["content-type"] == "application/json"
    assert Result.model_validate(answer.json()).flow.population_error == 0.25  # type: ignore[union-attr]


def test_no_result_yet(api: httpx2.Client, document: Json, worker: Any) -> None:
    job_id = api.post("/v1/experiments", json=document).json()["id"]
    for name in FILES:
        answer = api.get(f"/v1/experiments/{job_id}/{name}")
        assert (answer.status_code, answer.json()["job"]["status"]) == (409, "queued")
    worker.claim()
    worker.fail(job_id)
    answer = api.get(f"/v1/experiments/{job_id}/result")
    assert answer.status_code == 409
    assert answer.json()["job"] == {
        "id": job_id,
        "status": "failed",
        "error": {"code": "internal", "detail": "It broke.", "advice": "Mend it."},
    }
    assert "failed: It broke." in answer.json()["detail"]


def test_expired_result(api: httpx2.Client, done: str, store: Store) -> None:
    store.client.unlink(key("result", done.rsplit("/", 1)[1]))
    for name in FILES:
        answer = api.get(f"{done}/{name}")
        assert (answer.status_code, answer.json()["type"]) == (410, "/problems/expired")
    assert api.get(done).json()["expired"] is True


@pytest.mark.parametrize("name", FILES)
def test_conditional_requests(api: httpx2.Client, done: str, worker: Any, name: str) -> None:
    first = api.get(f"{done}/{name}")
    tag = first.headers["etag"]
    assert first.status_code == 200
    assert tag.startswith('"')
    assert api.get(f"{done}/{name}").content == first.content
    for given in (tag, f'"other", W/{tag}', "*"):
        again = api.get(f"{done}/{name}", headers={"If-None-Match": given})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    api.post(f"{done}/rerun")
    worker.compute(error=0.5)
    changed = api.get(f"{done}/{name}", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_tags_differ_between_addresses(api: httpx2.Client, done: str) -> None:
    tags = [
        api.get(f"{done}/{name}").headers["etag"] for name in (*FILES, "figure.png?kind=loss", "arrays/w_implicit.csv")
    ]
    assert len(set(tags)) == len(tags)


def test_arrays(api: httpx2.Client, done: str) -> None:
    answer = api.get(f"{done}/arrays.npz")
    found = load(answer.content)
    listed = api.get(f"{done}/result").json()["arrays"]
    assert {name: (list(a.shape), str(a.dtype)) for name, a in found.items()} == {
        name: (entry["shape"], entry["dtype"]) for name, entry in listed.items()
    }
    assert found["coordinate_index"].tolist() == [0, 4, 7]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("name", ["w_flow", "w_trajectory", "coordinate_index"])
def test_array_as_csv_reads_back_the_same(api: httpx2.Client, done: str, name: str) -> None:
    answer = api.get(f"{done}/arrays/{name}.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    header, *lines = answer.text.splitlines()
    expected = load(api.get(f"{done}/arrays.npz").content)[name]
    assert header == (name if expected.ndim == 1 else f"{name}_0,{name}_1,{name}_2")
    found = np.array([[float(field) for field in line.split(",")] for line in lines])
    np.testing.assert_array_equal(found.reshape(expected.shape), expected)


def test_array_that_is_not_there(api: httpx2.Client, done: str) -> None:
    answer = api.get(f"{done}/arrays/w_nothing.csv")
    assert answer.status_code == 404
    assert "w_flow" in answer.json()["detail"]


def test_dataset_is_what_the_job_used_and_its_test_set(api: httpx2.Client, document: Json, done: str) -> None:
    found = load(api.get(f"{done}/dataset.npz").content)
    stored = load(api.get(f"{done}/arrays.npz").content)
    built = build(Experiment.model_validate(document["experiment"]).dataset)
    assert set(found) == {"X", "y", "w_true", "X_test", "y_test"}
    np.testing.assert_array_equal(found["X"], stored["X"])  # as stored, although the stand-in made it up
    np.testing.assert_array_equal(found["X_test"], built.X_test)


def test_dataset_too_large_to_build(api: httpx2.Client, document: Json, worker: Any) -> None:
    document["experiment"]["dataset"] |= {"dimension": 100_000, "test_samples": 1000}
    document["experiment"]["trajectory"] = {"coordinates": 0}
    job_id = api.post("/v1/experiments", json=document).json()["id"]
    worker.compute()
    answer = api.get(f"/v1/experiments/{job_id}/dataset.npz")
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")


@pytest.mark.parametrize(
    ("form", "start"), [("png", b"\x89PNG\r\n"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)  # fmt: skip
def test_figures(api: httpx2.Client, done: str, form: str, start: bytes) -> None:
    answer = api.get(f"{done}/figure.{form}")
    assert answer.content.startswith(start)
    assert answer.headers["content-type"].startswith(
        {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}[form]
    )


def test_figures_that_cannot_be(api: httpx2.Client, done: str, document: Json, worker: Any) -> None:
    answer = api.get(f"{done}/figure.png?kind=pie")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/query/kind"
    assert "loss" in answer.json()["errors"][0]["allowed"]
    assert api.get(f"{done}/figure.gif").status_code == 422
    document["experiment"]["flow"] = {"kind": "none"}
    job_id = api.post("/v1/experiments", json=document).json()["id"]
    worker.claim()
    worker.finish(job_id, flow=False)
    assert api.get(f"/v1/experiments/{job_id}/figure.png").status_code == 422
