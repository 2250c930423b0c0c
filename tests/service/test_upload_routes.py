"""Uploads over HTTP: idempotent, bounded, refused with problem details whatever is sent, and deleted with care."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import httpx2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from initshape.store import Store
from initshape.uploads import dataset_upload, to_npz

X = np.random.default_rng(3).normal(size=(4, 12))
Y = np.array([1.0, -2.0, 0.5, 3.0])
DATA = to_npz({"X": X, "y": Y})
INIT = to_npz({name: np.full(12, 0.1) for name in ("u_plus", "v_plus", "u_minus", "v_minus")})
NPZ, CSV = {"Content-Type": "application/zip"}, {"Content-Type": "text/csv"}


def send(
    client: httpx2.Client, body: bytes = DATA, headers: dict[str, str] = NPZ, where: str = "datasets", **options: Any
) -> Any:
    return client.post(f"/v1/{where}", content=body, headers=headers, **options)


def refused(answer: Any, status: int, pointer: str | None = None) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    if pointer is not None:
        assert {error["pointer"] for error in problem["errors"]} == {pointer}
    return problem


def naming(document: dict[str, Any], dataset: str | None = None, init: str | None = None) -> dict[str, Any]:
    if dataset:
        document["experiment"]["dataset"] = {"kind": "uploaded", "dataset_id": dataset}
    if init:
        document["experiment"]["init"] = {"kind": "uploaded", "init_id": init}
    return document


def test_equal_content_is_one_upload(api: httpx2.Client, login: Callable[..., httpx2.Client]) -> None:
    first = send(api)
    assert first.status_code == 201
    view = first.json()
    assert view["id"] == dataset_upload({"X": X, "y": Y}).id
    assert view["arrays"] == {"X": [4, 12], "y": [4]}
    assert (view["owner"], view["bytes"]) == ("ada", 8 * 52)
    assert first.headers["location"] == view["links"]["self"]
    file = io.BytesIO()
    np.savez_compressed(file, y=Y, X=np.asfortranarray(X))
    rows = "\n".join(",".join(map(repr, [*row, label])) for row, label in zip(X.tolist(), Y.tolist(), strict=True))
    table = ",".join([*(f"f{k}" for k in range(12)), "y"]) + "\n" + rows
    for body, headers in ((DATA, NPZ), (file.getvalue(), NPZ), (table.encode(), CSV)):
        again = send(login("ben", "member"), body, headers)
        assert (again.status_code, again.json()) == (200, view)
    assert api.get(view["links"]["self"]).json() == view


def test_the_content_comes_back(api: httpx2.Client) -> None:
    for body, where in ((DATA, "datasets"), (INIT, "inits")):
        link = send(api, body, where=where).json()["links"]["content"]
        answer = api.get(link)
        with np.load(io.BytesIO(answer.content), allow_pickle=False) as found, np.load(io.BytesIO(body)) as sent:
            assert sorted(found.files) == sorted(sent.files)
            for name in sent.files:
                np.testing.assert_array_equal(found[name], sent[name])
        assert api.get(link, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_roles(api: httpx2.Client, login: Callable[..., httpx2.Client], server: Any) -> None:
    reader = login("eve", "reader")
    refused(send(reader), 403)
    refused(send(reader, INIT, where="inits"), 403)
    link = send(api).json()["links"]["self"]
    assert reader.get(link).status_code == 200
    assert reader.get(f"{link}/content.npz").status_code == 200
    refused(reader.delete(link), 403)
    refused(login("ben", "member").delete(link), 403)
    refused(login("ben", "member").delete(link, params={"force": True}), 403)
    for call in (httpx2.post, httpx2.get, httpx2.delete):
        refused(call(server.url + (link if call is not httpx2.post else "/v1/datasets"), trust_env=False), 401)


def test_deletion_waits_for_jobs_and_for_the_last_owner(
    api: httpx2.Client, login: Callable[..., httpx2.Client], document: dict[str, Any], worker: Any
) -> None:
    ben = login("ben", "member")
    data, init = send(api).json(), send(api, INIT, where="inits").json()
    send(ben)
    assert api.post("/v1/experiments", json=naming(document, data["id"], init["id"])).status_code == 202
    assert api.delete(data["links"]["self"]).json() == {"id": data["id"], "answer": "withdrawn"}
    assert refused(ben.delete(data["links"]["self"]), 409)["type"] == "/problems/in-use"
    refused(api.delete(init["links"]["self"], params={"force": True}), 409)
    (job,) = worker.compute()
    assert ben.delete(data["links"]["self"]).json()["answer"] == "deleted"
    refused(ben.delete(data["links"]["self"]), 404)
    refused(ben.get(data["links"]["self"]), 404)
    refused(ben.get(data["links"]["content"]), 404)
    assert api.get(f"/v1/experiments/{job}/result").status_code == 200  # what was computed stays
    refused(api.get(f"/v1/experiments/{job}/dataset.npz"), 410)
    assert api.delete(init["links"]["self"], params={"force": True}).json()["answer"] == "deleted"


def test_experiments_may_name_uploads(api: httpx2.Client, document: dict[str, Any], worker: Any) -> None:
    data, init = send(api).json()["id"], send(api, INIT, where="inits").json()["id"]
    valid = api.post("/v1/experiments/validate", json=naming(document, data, init)).json()
    assert valid["spec"]["experiment"]["dataset"] == {"kind": "uploaded", "dataset_id": data}
    escaped = json.dumps(naming(document, data, init)).replace('"d-', '"\\u0064-').replace('"i-', '"\\u0069\\u002d')
    hidden = api.post("/v1/experiments/validate", content=escaped, headers={"Content-Type": "application/json"})
    assert hidden.json()["id"] == valid["id"]
    line = api.post("/v1/batch", content=escaped, headers={"Content-Type": "application/jsonl"})
    assert line.json()["body"]["id"] == valid["id"]
    assert api.post("/v1/experiments", json=naming(document, data, init)).json()["id"] == valid["id"]
    sweep = {"sweep": {"base": document["experiment"], "axes": [{"path": "dataset.dataset_id", "values": [data]}]}}
    assert api.post("/v1/sweeps/preview", json=sweep).json()["cells"][0]["id"] == valid["id"]
    assert api.post("/v1/sweeps", json=sweep).status_code == 202
    (job,) = worker.compute()
    with np.load(io.BytesIO(api.get(f"/v1/experiments/{job}/dataset.npz").content)) as found:
        assert set(found.files) == {"X", "y"}


def test_wrong_names_and_data_that_do_not_fit_are_422(api: httpx2.Client, document: dict[str, Any]) -> None:
    unknown = naming(document, "d-" + "a" * 26)
    refused(api.post("/v1/experiments", json=unknown), 422, "/experiment/dataset/dataset_id")
    short = send(api, to_npz({"X": X[:, :5], "y": Y}), where="datasets").json()["id"]
    init = send(api, INIT, where="inits").json()["id"]
    refused(api.post("/v1/experiments", json=naming(document, short, init)), 422, "/experiment/init/init_id")
    tall = send(api, to_npz({"X": np.vstack([X, X]), "y": np.arange(8.0)})).json()["id"]
    document["experiment"]["init"] = {"kind": "scale_shape", "scale": 0.1, "shape": 0.5}
    found = refused(api.post("/v1/experiments", json=naming(document, tall)), 422, "/experiment/dataset/dataset_id")
    assert found["errors"][0]["value"] > 1e-10
    refused(api.post("/v1/experiments", json=naming(document, "d-nonsense")), 422, "/experiment/dataset/dataset_id")


def test_types_and_encodings(api: httpx2.Client) -> None:
    for headers in ({"Content-Type": "application/json"}, {"Content-Type": ""}, NPZ | {"Content-Encoding": "gzip"}):
        refused(send(api, headers=headers), 415)
    refused(send(api, b"a,y\n1,2\n", CSV, "inits"), 415)
    refused(send(api, b"a,y\n1,2\n", CSV, params={"label": "z"}), 422, "/query/label")
    refused(send(api, b"a,y\n1,2\n", NPZ), 422, "")
    refused(send(api, INIT), 422, "")
    refused(send(api, DATA, where="inits"), 422, "")


def test_limits(store: Store, start: Callable[..., Any]) -> None:
    small = start(store.settings, auth=False, max_upload=4096)
    with httpx2.Client(base_url=small.url, trust_env=False) as client:
        assert send(client).status_code == 201
        refused(send(client, to_npz({"X": np.ones((1, 600)), "y": np.ones(1)})), 413)
        refused(send(client, b"PK" + bytes(70_000)), 413)
        file = io.BytesIO()
        np.savez_compressed(file, X=np.zeros((1000, 1000)), y=np.zeros(1000))
        refused(send(client, file.getvalue()), 413)
        refused(send(client, b"a,y\n" + b"1,2\n" * 1000, CSV), 413)
        refused(send(client, b"a,y\n" + b"1,2\n" * 30_000, CSV), 413)
        refused(client.post("/v1/inits", content=b"PK" + bytes(70_000), headers=NPZ), 413)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["datasets", "inits"]),
    st.sampled_from([NPZ, CSV]),
    st.binary(max_size=200)
    | st.tuples(st.integers(0, len(DATA) - 1), st.integers(0, 255)).map(
        lambda change: DATA[: change[0]] + bytes([change[1]]) + DATA[change[0] + 1 :]
    )
    | st.dictionaries(st.sampled_from(["X.npy", "y.npy", "a.npy"]), st.binary(max_size=50), max_size=3).map(
        lambda members: zipped(members)
    ),
)
def test_whatever_is_sent_no_answer_is_a_failure_of_the_server(
    api: httpx2.Client, where: str, headers: dict[str, str], body: bytes
) -> None:
    answer = send(api, body, headers, where)
    if answer.status_code not in (200, 201):
        refused(answer, answer.status_code)
        assert answer.status_code in (400, 413, 415, 422)
        assert "Traceback" not in answer.text


def zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in members.items():
            out.writestr(name, content)
    return file.getvalue()


def test_sent_by_many_at_once_it_is_created_once(api: httpx2.Client) -> None:
    """Sent twice at once, it is one upload, created once."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: send(api).status_code, range(8)))
    assert sorted(answers) == [200] * 7 + [201]


@pytest.mark.parametrize("name", ["d-short", "x-" + "a" * 26, "i-" + "a" * 26])
def test_an_id_that_cannot_be_is_not_found(api: httpx2.Client, name: str) -> None:
    refused(api.get(f"/v1/datasets/{name}"), 404)
