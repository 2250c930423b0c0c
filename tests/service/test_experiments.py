"""Submitting, following and stopping experiments."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from initshape.spec.identity import experiment_id
from initshape.spec.parse import parse_submission
from initshape.store import Queue, Store, presence

Json = dict[str, Any]
UNKNOWN = "x-" + "a" * 26


def test_submission_is_accepted_stored_and_rung_for(
    api: httpx2.Client, document: Json, store: Store, worker: Any
) -> None:
    store.run(presence.announce("w", Queue.cpu, 1, {}))
    answer = api.post("/v1/experiments", json=document)
    identity = experiment_id(parse_submission(document).experiment)
    assert answer.status_code == 202
    assert answer.json()["id"] == identity
    assert answer.json()["status"] == "queued"
    assert answer.headers["location"] == answer.json()["links"]["self"] == f"/v1/experiments/{identity}"
    end = time.monotonic() + 5
    while not store.client.llen(Queue.cpu.celery):  # the doorbell thread imports Celery first
        assert time.monotonic() < end, "nobody rang"
        time.sleep(0.02)
    assert worker.claim() == [identity]
    (claim,) = worker.claims.values()
    assert claim.document["dataset"]["dimension"] == 12
    assert claim.max_seconds == 3600.0


def test_known_result_is_answered_at_once_and_adds_no_attempt(api: httpx2.Client, document: Json, worker: Any) -> None:
    api.post("/v1/experiments", json=document)
    (job_id,) = worker.compute()
    answer = api.post("/v1/experiments", json=document)
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    assert "location" not in answer.headers
    assert api.get(f"/v1/experiments/{job_id}").json()["attempt"] == 1


def test_result_that_is_never_known_is_computed_again(api: httpx2.Client, document: Json, worker: Any) -> None:
    api.post("/v1/experiments", json=document)
    (job_id,) = worker.claim()
    worker.finish(job_id, known=False)
    assert api.post("/v1/experiments", json=document).status_code == 202
    assert worker.claim() == [job_id]


def test_two_spellings_are_one_job(api: httpx2.Client, document: Json, store: Store) -> None:
    first = api.post("/v1/experiments", json={**document, "name": "mine", "tags": ["a"], "priority": 3}).json()
    spelled = document["experiment"] | {
        "flow": {"kind": "gradient_flow"},
        "regularizers": ["l2", "l1", "implicit", "kernel"],
    }
    spelled["init"] = {"shape": 5e-1, "scale": 1e-2, "kind": "scale_shape"}
    spelled["stop"] = {"max_seconds": 60}
    second = api.post("/v1/experiments", json={"experiment": spelled})
    assert second.json()["id"] == first["id"]
    yaml = "experiment: {dataset: {kind: sparse_regression, dimension: 12, samples: 4, sparsity: 2, test_samples: 8},\n"
    yaml += "  model: {kind: diagonal}, init: {kind: scale_shape, scale: 1e-2, shape: 0.5}}\n"
    third = api.post("/v1/experiments", content=yaml, headers={"Content-Type": "application/yaml; charset=utf-8"})
    assert third.json()["id"] == first["id"]
    assert len(api.get("/v1/experiments").json()["items"]) == 1


def test_concurrent_identical_submissions_are_one_job(api: httpx2.Client, document: Json, store: Store) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: api.post("/v1/experiments", json=document), range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(api.get("/v1/experiments").json()["items"]) == 1


def test_an_idempotency_key_belongs_to_one_submission(api: httpx2.Client, document: Json) -> None:
    key = {"Idempotency-Key": "first"}
    first = api.post("/v1/experiments", json=document, headers=key)
    again = api.post("/v1/experiments", json=document, headers=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]

    other = {**document, "experiment": {**document["experiment"], "flow": {"kind": "none"}}}
    refused = api.post("/v1/experiments", json=other, headers=key)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/header/idempotency-key"
    listed = api.get("/v1/experiments").json()["items"]
    assert [item["id"] for item in listed] == [first.json()["id"]]  # what was refused was not stored
    assert api.post("/v1/experiments", json=other, headers={"Idempotency-Key": "second"}).status_code == 202
    assert api.post("/v1/experiments", json=other, headers={"Idempotency-Key": "a b"}).status_code == 422

    sweep = {"sweep": {"base": document["experiment"], "axes": [{"path": "init.scale", "values": [0.1, 0.2]}]}}
    assert api.post("/v1/sweeps", json=sweep, headers=key).status_code == 202  # keys of sweeps are their own
    sweep["sweep"]["axes"][0]["values"] = [0.3]
    assert api.post("/v1/sweeps", json=sweep, headers=key).status_code == 422


def test_missing_content_type_is_json(api: httpx2.Client) -> None:
    answer = api.post("/v1/experiments/validate", content=b'{"experiment": {}}')
    assert "content-type" not in answer.request.headers
    assert answer.status_code == 422


def test_validate_fills_in_estimates_and_stores_nothing(api: httpx2.Client, document: Json) -> None:
    found = api.post("/v1/experiments/validate", json={**document, "name": "n"}).json()
    assert found["id"] == experiment_id(parse_submission(document).experiment)
    assert found["spec"]["name"] == "n"
    assert found["spec"]["experiment"]["flow"]["rtol"] == 1e-8
    assert found["estimate"]["memory"] > 0 < found["estimate"]["seconds"]
    assert api.post("/v1/experiments/validate", json=found["spec"]).json()["id"] == found["id"]
    assert api.get(f"/v1/experiments/{found['id']}").status_code == 404


def test_validate_warns(api: httpx2.Client, document: Json) -> None:
    document["experiment"] |= {
        "flow": {"kind": "gradient_flow", "completion": "off"},
        "stop": {"relative_residual": 1e-13},
    }
    assert "rounding floor" in api.post("/v1/experiments/validate", json=document).json()["warnings"][0]


def test_validate_warns_of_theories_without_an_answer(api: httpx2.Client, document: Json) -> None:
    document["experiment"]["model"] = {"kind": "fully_connected", "width": 8, "activation": "relu"}
    (warning,) = api.post("/v1/experiments/validate", json=document).json()["warnings"]
    assert "implicit, l1, l2 will answer none_known" in warning


def test_state_of_a_running_job(api: httpx2.Client, document: Json, worker: Any, store: Store) -> None:
    from initshape.store import leases

    job_id = api.post("/v1/experiments", json={**document, "name": "n", "tags": ["t"], "notes": "why"}).json()["id"]
    assert api.get(f"/v1/experiments/{job_id}").json()["queue_position"] == 0
    worker.claim()
    time.sleep(0.05)
    store.run(leases.renew(job_id, worker.claims[job_id].fence, {"stage": "flow", "fraction": 0.5}))
    state = api.get(f"/v1/experiments/{job_id}").json()
    assert (state["status"], state["attempt"], state["progress"]["fraction"]) == ("running", 1, 0.5)
    assert state["queue_position"] is None
    assert state["started"].endswith("Z")
    assert state["started"] < state["eta"]
    assert state["submitters"] == [{"user": "ada", "name": "n", "tags": ["t"], "notes": "why", "priority": 0}]


def test_failed_job_says_why(api: httpx2.Client, document: Json, worker: Any) -> None:
    job_id = api.post("/v1/experiments", json=document).json()["id"]
    worker.claim()
    worker.fail(job_id, "lost")
    state = api.get(f"/v1/experiments/{job_id}").json()
    assert (state["status"], state["error"]["code"], state["error"]["advice"]) == ("failed", "lost", "Mend it.")
    assert state["attempts"][0]["how"] == "failed"
    assert api.post("/v1/experiments", json=document).json()["status"] == "queued"


@pytest.mark.parametrize("end", ["finish", "fail"])
def test_wait_returns_at_the_end(api: httpx2.Client, document: Json, worker: Any, end: str) -> None:
    (job_id,) = (api.post("/v1/experiments", json=document).json()["id"],)
    worker.claim()
    timer = threading.Timer(0.4, getattr(worker, end), [job_id])
    timer.start()
    begin = time.monotonic()
    state = api.get(f"/v1/experiments/{job_id}", params={"wait": 20}).json()
    took = time.monotonic() - begin
    timer.join()
    assert state["status"] == {"finish": "succeeded", "fail": "failed"}[end]
    assert 0.3 < took < 2.0


def test_wait_on_submission(api: httpx2.Client, document: Json, worker: Any) -> None:
    begin = time.monotonic()
    answer = api.post("/v1/experiments", json=document, params={"wait": 0.5})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert 0.4 < time.monotonic() - begin < 1.5
    timer = threading.Timer(0.3, worker.compute)
    timer.start()
    answer = api.post("/v1/experiments", json=document, params={"wait": 20})
    timer.join()
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    assert set(answer.json()) == {"id", "status", "links"}


@pytest.mark.parametrize("wait", ["-1", "61", "nan", "soon"])
def test_wait_has_bounds(api: httpx2.Client, wait: str) -> None:
    answer = api.get(f"/v1/experiments/{UNKNOWN}?wait={wait}")
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/invalid-parameter"
    assert answer.json()["errors"][0]["pointer"] == "/query/wait"


def test_cancel_is_idempotent_and_spares_what_ended(api: httpx2.Client, document: Json, worker: Any) -> None:
    job_id = api.post("/v1/experiments", json=document).json()["id"]
    for _ in range(2):
        assert api.post(f"/v1/experiments/{job_id}/cancel").json()["status"] == "cancelled"
    api.post("/v1/experiments", json=document)
    worker.compute()
    answer = api.post(f"/v1/experiments/{job_id}/cancel")
    assert (answer.status_code, answer.json()["answer"], answer.json()["status"]) == (200, "unchanged", "succeeded")


def test_cancel_withdraws_one_of_two_submitters(
    api: httpx2.Client, document: Json, login: Callable[[str, str], httpx2.Client]
) -> None:
    bob = login("bob", "member")
    job_id = api.post("/v1/experiments", json=document).json()["id"]
    assert bob.post(f"/v1/experiments/{job_id}/cancel").status_code == 403
    bob.post("/v1/experiments", json=document)
    withdrawn = bob.post(f"/v1/experiments/{job_id}/cancel").json()
    assert (withdrawn["answer"], withdrawn["status"]) == ("withdrawn", "queued")
    assert bob.post(f"/v1/experiments/{job_id}/cancel?force=true").status_code == 403
    assert api.post(f"/v1/experiments/{job_id}/cancel?force=true").json()["status"] == "cancelled"


def test_rerun_serves_the_old_result_and_keeps_the_label(api: httpx2.Client, document: Json, worker: Any) -> None:
    job_id = api.post("/v1/experiments", json={**document, "name": "mine"}).json()["id"]
    worker.compute()
    answer = api.post(f"/v1/experiments/{job_id}/rerun")
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert api.get(f"/v1/experiments/{job_id}/result").status_code == 200
    worker.compute(error=0.5)
    state = api.get(f"/v1/experiments/{job_id}").json()
    assert (state["attempt"], state["submitters"][0]["name"]) == (2, "mine")
    assert api.get(f"/v1/experiments/{job_id}/result").json()["flow"]["population_error"] == 0.5


def test_delete_forgets(api: httpx2.Client, document: Json, worker: Any) -> None:
    job_id = api.post("/v1/experiments", json=document).json()["id"]
    worker.compute()
    assert api.delete(f"/v1/experiments/{job_id}").json()["answer"] == "deleted"
    for path in ("", "/result"):
        assert api.get(f"/v1/experiments/{job_id}{path}").status_code == 404
    assert api.delete(f"/v1/experiments/{job_id}").status_code == 404


def test_list_pages_are_stable_under_inserts(api: httpx2.Client, document: Json, worker: Any) -> None:
    ids = []
    for seed in range(5):
        document["experiment"]["dataset"]["seed"] = seed
        ids.append(api.post("/v1/experiments", json={**document, "tags": ["odd"] if seed % 2 else []}).json()["id"])
    first = api.get("/v1/experiments", params={"limit": 2}).json()
    assert [item["id"] for item in first["items"]] == ids[:2:-1]
    document["experiment"]["dataset"]["seed"] = 99
    api.post("/v1/experiments", json=document)
    second = api.get("/v1/experiments", params={"limit": 3, "cursor": first["next"]}).json()
    assert [item["id"] for item in second["items"]] == ids[2::-1]
    tagged = api.get("/v1/experiments", params={"tag": "odd"}).json()
    assert [item["id"] for item in tagged["items"]] == [ids[3], ids[1]]
    (done,) = worker.compute()
    assert [i["id"] for i in api.get("/v1/experiments?status=succeeded").json()["items"]] == [done]
    assert api.get("/v1/experiments?owner=nobody").json() == {"items": [], "next": None}
    assert len(api.get("/v1/experiments?owner=ada").json()["items"]) == 6


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("statsu=queued", "/query/statsu"), ("cursor=zzz", "/query/cursor"), ("limit=0", "/query/limit"),
     ("status=done", "/query/status"), ("limit=many", "/query/limit")],
)  # fmt: skip
def test_list_refuses_what_it_does_not_know(api: httpx2.Client, query: str, pointer: str) -> None:
    answer = api.get(f"/v1/experiments?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    "name", ["x-short", "s-" + "a" * 26, UNKNOWN.upper(), UNKNOWN + "%0A", "x-" + "a" * 25 + "*",
             "%7Binitshape%7D:tokens", "x-" + "1" * 26, "a:b", "%00"],
)  # fmt: skip
def test_ids_that_cannot_be_are_unknown(api: httpx2.Client, name: str) -> None:
    for method, path in (("GET", ""), ("GET", "/result"), ("POST", "/cancel"), ("DELETE", "")):
        answer = api.request(method, f"/v1/experiments/{name}{path}")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


def test_unknown_id(api: httpx2.Client) -> None:
    for path in ("", "/result", "/arrays.npz", "/dataset.npz", "/figure.png", "/arrays/w_flow.csv"):
        answer = api.get(f"/v1/experiments/{UNKNOWN}{path}")
        assert (answer.status_code, answer.json()["title"]) == (404, "Not found")
        assert UNKNOWN in answer.json()["detail"]
    for action in ("cancel", "rerun"):
        assert api.post(f"/v1/experiments/{UNKNOWN}/{action}").status_code == 404
