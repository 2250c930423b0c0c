"""Sweeps: preview, submit, follow, table, figure, cancel, retry."""

from __future__ import annotations

import csv
import io
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from initshape.client import Client
from initshape.figures.table import SCALARS
from initshape.spec.expand import expand, sweep_id
from initshape.spec.parse import parse_sweep

Json = dict[str, Any]
UNKNOWN = "s-" + "a" * 26


@pytest.fixture
def sweep(document: Json) -> Json:
    """Two scales times two shapes."""
    base = document["experiment"] | {"init": {"kind": "scale_shape"}}
    axes = [{"path": "init.scale", "logspace": [-3, -2, 2]}, {"path": "init.shape", "values": [0, 0.5]}]
    return {"name": "four", "tags": ["t"], "sweep": {"base": base, "axes": axes}}


def test_preview_stores_nothing(api: httpx2.Client, sweep: Json) -> None:
    found = api.post("/v1/sweeps/preview", json=sweep).json()
    cells = expand(parse_sweep(sweep).sweep)
    assert found["id"] == sweep_id(cells)
    assert found["counts"] == {"cells": 4, "cached": 0}
    assert found["axes"] == {"init.scale": "scale", "init.shape": "shape"}
    assert [cell["id"] for cell in found["cells"]] == [cell.id for cell in cells]
    assert found["cells"][1]["values"] == {"init.scale": 1e-3, "init.shape": 0.5}
    assert found["estimate"]["seconds"] > 0.04
    assert api.get(f"/v1/sweeps/{found['id']}").status_code == 404
    assert api.get("/v1/experiments").json()["items"] == []


def test_life_of_a_sweep(api: httpx2.Client, sweep: Json, worker: Any) -> None:
    answer = api.post("/v1/sweeps", json=sweep)
    view = answer.json()
    path = view["links"]["self"]
    assert (answer.status_code, answer.headers["location"], view["status"]) == (202, path, "queued")
    assert view["counts"] == {"cells": 4, "cached": 0, "queued": 4, "running": 0, "succeeded": 0, "failed": 0,
                              "cancelled": 0, "missing": 0}  # fmt: skip
    worker.compute(2)
    (running,) = worker.claim()
    view = api.get(path).json()
    assert (view["status"], view["counts"]["succeeded"], view["counts"]["running"]) == ("running", 2, 1)
    worker.fail(running)
    worker.compute()
    view = api.get(path).json()
    assert (view["status"], view["counts"]["failed"], view["counts"]["succeeded"]) == ("failed", 1, 3)
    assert api.post(f"{path}/retry").json()["counts"]["queued"] == 1
    assert worker.compute() == [running]
    again = api.post("/v1/sweeps", json=sweep)
    assert (again.status_code, again.json()["status"], again.json()["counts"]["cached"]) == (200, "succeeded", 4)
    attempts = [
        api.get(f"/v1/experiments/{row['id']}").json()["attempt"]
        for row in api.get(f"{path}/table.json").json()["rows"]
    ]
    assert sorted(attempts) == [1, 1, 1, 2]
    listed = api.get("/v1/sweeps").json()["items"]
    assert [(item["id"], item["name"], item["tags"], item["owner"]) for item in listed] == [
        (view["id"], "four", ["t"], "ada")
    ]
    assert api.post("/v1/sweeps/preview", json=sweep).json()["counts"]["cached"] == 4


def test_cells_are_experiments(api: httpx2.Client, sweep: Json, document: Json, worker: Any) -> None:
    document["experiment"]["init"] = {"kind": "scale_shape", "scale": 0.01, "shape": 0.5}
    job_id = api.post("/v1/experiments", json=document).json()["id"]
    worker.compute()
    view = api.post("/v1/sweeps", json=sweep).json()
    assert (view["counts"]["cached"], view["counts"]["queued"]) == (1, 3)
    assert api.get(f"/v1/sweeps/{view['id']}/table.json").json()["rows"][3]["id"] == job_id
    assert api.get("/v1/experiments?tag=t&limit=10").json()["items"][0]["name"] == "four"


def test_wait(api: httpx2.Client, sweep: Json, worker: Any) -> None:
    path = api.post("/v1/sweeps", json=sweep).json()["links"]["self"]
    timer = threading.Timer(0.3, worker.compute, [4])
    timer.start()
    begin = time.monotonic()
    view = api.get(path, params={"wait": 30}).json()
    timer.join()
    assert view["status"] == "succeeded"
    assert time.monotonic() - begin < 3
    begin = time.monotonic()
    assert api.post("/v1/sweeps", json=sweep, params={"wait": 30}).status_code == 200
    assert time.monotonic() - begin < 1


def test_table_shows_every_cell_in_order(api: httpx2.Client, sweep: Json, worker: Any) -> None:
    path = api.post("/v1/sweeps", json=sweep).json()["links"]["self"]
    worker.compute(error=0.125)
    worker.claim(2)
    failed = sorted(worker.claims)[0]
    worker.fail(failed, "out_of_memory")
    table = api.get(f"{path}/table.json").json()
    assert table["axes"] == ["scale", "shape"]
    assert table["columns"] == ["scale", "shape", *SCALARS]
    assert [(row["scale"], row["shape"]) for row in table["rows"]] == [(1e-3, 0), (1e-3, 0.5), (1e-2, 0), (1e-2, 0.5)]
    by_id = {row["id"]: row for row in table["rows"]}
    assert (by_id[failed]["status"], by_id[failed]["error"]) == ("failed", "out_of_memory")
    assert sorted(row["status"] for row in table["rows"]) == ["failed", "queued", "running", "succeeded"]
    for row in table["rows"]:
        assert list(row) == table["columns"]
        if row["status"] != "succeeded":
            assert {row[name] for name in SCALARS[4:]} == {None}
    (row,) = (row for row in table["rows"] if row["status"] == "succeeded")
    expected = {
        "outcome": "converged", "population_error": 0.125, "test_error": 0.135, "train_loss": 1e-22,
        "relative_residual": 1e-11, "fit_relative_residual": 1e-15, "relative_distance": 2e-9, "cosine_distance": 1e-17,
        "kkt_residual": 1e-9, "excess_value": 1e-12, "exactness": "exact", "time": 123.5, "steps": 77,
        "stopped_by": "relative_residual", "invariant_drift": 1e-12, "regime": "rich", "distance_to_l1": 0.01,
        "distance_to_l2": 0.9, "distance_to_kernel": 0.8,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    lines = list(csv.DictReader(io.StringIO(api.get(f"{path}/table.csv").text)))
    assert [line["id"] for line in lines] == [row["id"] for row in table["rows"]]
    for line, row in zip(lines, table["rows"], strict=True):
        assert line == {name: "" if value is None else str(value) for name, value in row.items()}


def test_csv_is_the_same_byte_for_byte(api: httpx2.Client, sweep: Json, worker: Any) -> None:
    path = api.post("/v1/sweeps", json=sweep).json()["links"]["self"]
    ids = worker.compute(4)
    first = api.get(f"{path}/table.csv")
    for job_id in ids:  # the same numbers, computed at another time and in another order
        api.post(f"/v1/experiments/{job_id}/rerun")
    worker.claim(4)
    for job_id in reversed(ids):
        worker.finish(job_id)
    second = api.get(f"{path}/table.csv", headers={"If-None-Match": first.headers["etag"]})
    assert second.status_code == 304
    assert api.get(f"{path}/table.csv").content == first.content


def test_fit_only_cells_report_the_fit(api: httpx2.Client, sweep: Json, worker: Any) -> None:
    sweep["sweep"]["base"]["flow"] = {"kind": "none"}
    path = api.post("/v1/sweeps", json=sweep).json()["links"]["self"]
    worker.claim(4)
    for job_id in list(worker.claims):
        worker.finish(job_id, flow=False)
    row = api.get(f"{path}/table.json").json()["rows"][0]
    assert (row["population_error"], row["test_error"]) == (0.25 + 1e-9, 0.5)
    assert (row["relative_residual"], row["fit_relative_residual"]) == (None, 1e-15)


def test_columns_of_paths_that_share_a_name(api: httpx2.Client, sweep: Json) -> None:
    sweep["sweep"]["axes"].append({"path": "stop.relative_residual", "values": [1e-9]})
    sweep["sweep"]["list"] = [{"init.scale": 1.0, "init.shape": 0.1, "flow.rtol": 1e-6}]
    path = api.post("/v1/sweeps", json=sweep).json()["links"]["self"]
    table = api.get(f"{path}/table.json").json()
    assert table["axes"] == ["scale", "shape", "stop.relative_residual", "rtol"]
    assert [row["stop.relative_residual"] for row in table["rows"]] == [1e-9] * 4 + [1e-10]  # that of the base
    assert [row["rtol"] for row in table["rows"]] == [1e-8] * 4 + [1e-6]


def test_columns_show_what_a_cell_leaves_to_the_base(api: httpx2.Client, sweep: Json) -> None:
    given = {
        "kind": "explicit",
        "u_plus": [1.0] * 12,
        "v_plus": [1.0] * 12,
        "u_minus": [1.0] * 12,
        "v_minus": [1.0] * 12,
    }
    sweep["sweep"] = {"base": sweep["sweep"]["base"] | {"init": {"kind": "scale_shape", "scale": 0.5, "shape": 0}},
                      "list": [{"init.scale": 0.1}, {"init.shape": 0.5}, {"init": given},
                               {"regularizers": ["l2"], "init.scale": 2.0}]}  # fmt: skip
    before = sweep_id(expand(parse_sweep(sweep).sweep))
    preview = api.post("/v1/sweeps/preview", json=sweep).json()
    view = api.post("/v1/sweeps", json=sweep).json()
    assert preview["id"] == view["id"] == before
    rows = api.get(f"{view['links']['self']}/table.json").json()["rows"]
    assert [(row["scale"], row["shape"]) for row in rows] == [(0.1, 0), (0.5, 0.5), (None, None), (2.0, 0)]
    assert [row["init"] for row in rows] == [None, None, given, None]  # a section of the base is not shown
    assert [row["regularizers"] for row in rows] == [None, None, None, ["l2"]]
    assert preview["cells"][1]["values"] == {"init.scale": 0.5, "init.shape": 0.5}


def test_deleted_cells_stay_visible(api: httpx2.Client, sweep: Json, worker: Any) -> None:
    path = api.post("/v1/sweeps", json=sweep).json()["links"]["self"]
    gone = worker.compute(4)[2]
    api.delete(f"/v1/experiments/{gone}")
    row = next(row for row in api.get(f"{path}/table.json").json()["rows"] if row["id"] == gone)
    assert (row["status"], row["population_error"]) == ("missing", None)
    assert api.get(path).json()["counts"]["missing"] == 1


def test_figure(api: httpx2.Client, sweep: Json, worker: Any) -> None:
    sweep["sweep"]["replicate"] = {"path": "dataset.seed", "values": [1, 2]}
    path = api.post("/v1/sweeps", json=sweep).json()["links"]["self"]
    empty = api.get(f"{path}/figure.svg")
    assert empty.status_code == 200
    worker.compute(8)
    full = api.get(f"{path}/figure.svg")
    assert full.content.startswith(b"<?xml")
    assert full.headers["etag"] != empty.headers["etag"]
    assert api.get(f"{path}/figure.svg", headers={"If-None-Match": full.headers["etag"]}).status_code == 304
    assert api.get(f"{path}/table.json").json()["replicate"] == "seed"
    assert "scale_curve" in api.get(f"{path}/figure.svg?kind=pie").json()["errors"][0]["allowed"]


def test_cancel(api: httpx2.Client, sweep: Json, worker: Any, login: Callable[[str, str], httpx2.Client]) -> None:
    path = api.post("/v1/sweeps", json=sweep).json()["links"]["self"]
    worker.compute()
    assert login("eve", "member").post(f"{path}/cancel").json()["counts"]["queued"] == 3
    view = api.post(f"{path}/cancel").json()
    assert (view["status"], view["counts"]["cancelled"], view["counts"]["succeeded"]) == ("cancelled", 3, 1)
    assert api.post(f"{path}/retry").json()["counts"]["queued"] == 3


def test_list_pages(api: httpx2.Client, sweep: Json) -> None:
    ids = []
    for seed in range(3):
        sweep["sweep"]["base"]["dataset"] = sweep["sweep"]["base"]["dataset"] | {"seed": seed}
        ids.append(api.post("/v1/sweeps", json=sweep).json()["id"])
    first = api.get("/v1/sweeps?limit=2").json()
    assert [item["id"] for item in first["items"]] == [ids[2], ids[1]]
    second = api.get("/v1/sweeps", params={"limit": 2, "cursor": first["next"]}).json()
    assert [item["id"] for item in second["items"]] == [ids[0]]
    assert second["next"] is None


def test_lists_are_filtered(
    api: httpx2.Client, sweep: Json, worker: Any, login: Callable[[str, str], httpx2.Client]
) -> None:
    ids = []
    for seed, (client, name) in enumerate([(api, "night"), (login("eve", "member"), "nightly"), (api, "nightly")]):
        base = sweep["sweep"]["base"] | {"dataset": sweep["sweep"]["base"]["dataset"] | {"seed": seed}}
        sent = {"name": name, "tags": [f"seed{seed}"], "sweep": sweep["sweep"] | {"base": base}}
        ids.append(client.post("/v1/sweeps", json=sent).json()["id"])
        worker.compute(4 if seed == 0 else 0)

    def found(query: str) -> list[str]:
        answer = api.get(f"/v1/sweeps?{query}")
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()["items"]]

    assert found("name=nightly") == [ids[2], ids[1]]
    assert found("owner=ada") == [ids[2], ids[0]]
    assert found("name=nightly&owner=eve&tag=seed1") == [ids[1]]
    assert (len(found("status=queued")), len(found("status=succeeded")), found("status=failed")) == (2, 1, [])
    assert found("tag=seed") == found("name=nigh") == found("owner=eve&tag=seed0") == []
    first = api.get("/v1/sweeps?name=nightly&limit=1").json()
    assert found(f"name=nightly&limit=1&cursor={first['next']}") == [ids[1]]
    token = api.headers["Authorization"].removeprefix("Bearer ")
    with Client(str(api.base_url), token) as client:
        assert [one.id for one in client.sweeps(name="nightly", owner="ada")] == [ids[2]]
        assert {one["name"] for one in client.experiments(name="nightly")} == {"nightly"}
        assert len(list(client.experiments(name="nightly"))) == 8
    for query, hint in (("nmae=a", "name"), ("name=a&name=b", "once"), ("status=done", ""), ("init.shape=1", "remove")):
        answer = api.get(f"/v1/sweeps?{query}")
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-parameter")
        assert hint in answer.json()["errors"][0]["hint"]


def test_unknown(api: httpx2.Client) -> None:
    for name in (UNKNOWN, "x-" + "a" * 26, "nonsense"):
        for method, path in (("GET", ""), ("GET", "/table.json"), ("GET", "/table.csv"), ("GET", "/figure.png"),
                             ("POST", "/cancel"), ("POST", "/retry")):  # fmt: skip
            assert api.request(method, f"/v1/sweeps/{name}{path}").status_code == 404


def test_document_times_cells_is_bounded(api: httpx2.Client, sweep: Json) -> None:
    sweep["sweep"]["base"]["dataset"] = {"kind": "explicit", "X": [[1.0] * 20_000], "y": [1.0]}
    sweep["sweep"]["axes"] = [{"path": "init.scale", "linspace": [1, 2, 5000]}, {"path": "init.shape", "values": [0]}]
    begin = time.monotonic()
    answer = api.post("/v1/sweeps/preview", json=sweep)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/sweep")
    assert time.monotonic() - begin < 2
