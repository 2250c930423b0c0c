"""Labels, pins and retention over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from initshape.client import Client
from initshape.store import Store, keys, leases

Json = dict[str, Any]


@pytest.fixture
def done(api: httpx2.Client, document: Json, worker: Any) -> str:
    """Path of a finished experiment of ada's."""
    path = api.post("/v1/experiments", json={**document, "name": "first", "tags": ["a"]}).json()["links"]["self"]
    worker.compute()
    return str(path)


def test_labels_are_changed_and_indexes_follow(api: httpx2.Client, done: str) -> None:
    found = api.patch(done, json={"tags": ["b", "c"], "notes": "n"}).json()
    assert found["submitters"] == [
        {"user": "ada", "name": "first", "tags": ["b", "c"], "notes": "n", "priority": 0}
    ]  # fmt: skip
    assert api.get("/v1/experiments?tag=a").json()["items"] == []
    (listed,) = api.get("/v1/experiments?tag=c").json()["items"]
    assert (listed["name"], listed["tags"], listed["pinned"]) == ("first", ["b", "c"], False)
    assert (
        api.patch(done, content="{name: x, tags: []}", headers={"Content-Type": "application/yaml"}).status_code == 200
    )
    assert api.patch(done, json={"name": None}).json()["submitters"][0]["name"] is None
    assert api.get(f"{done}/result").status_code == 200  # the identity has nothing to do with it


@pytest.mark.parametrize(
    ("edit", "pointer"),
    [({}, ""), ({"nmae": "x"}, "/nmae"), ({"tags": ["a b"]}, "/tags/0"), ({"tags": None}, "/tags"),
     ({"pinned": 1}, "/pinned"),
     ({"pinned": "yes"}, "/pinned"), ({"name": "x" * 201}, "/name"), ({"priority": 1}, "/priority"), ([], ""),
     ({"kept": True}, "/kept")],
)  # fmt: skip
def test_wrong_changes_are_refused(api: httpx2.Client, done: str, edit: Any, pointer: str) -> None:
    answer = api.patch(done, json=edit)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_who_may_change_what(
    api: httpx2.Client, done: str, document: Json, login: Callable[[str, str], httpx2.Client]
) -> None:
    bob, reader = login("bob", "member"), login("eve", "reader")
    assert reader.patch(done, json={"pinned": True}).status_code == 403
    assert bob.patch(done, json={"name": "his"}).status_code == 403
    assert bob.patch(f"{done}?force=true", json={"pinned": True}).status_code == 403
    assert bob.post("/v1/experiments", json=document).status_code == 200
    assert bob.patch(done, json={"name": "his", "pinned": True}).json()["pinned_by"] == ["user:bob"]
    assert api.get(done).json()["submitters"][0]["name"] == "first"
    assert api.patch(done, json={"pinned": False}).json()["pinned"]  # bob's pin holds
    assert not api.patch(f"{done}?force=true", json={"pinned": False}).json()["pinned"]
    unknown = "/v1/experiments/x-" + "a" * 26
    assert api.patch(unknown, json={"pinned": True}).status_code == 404
    assert api.patch("/v1/sweeps/s-" + "a" * 26, json={"kept": True}).status_code == 404


def test_tags_are_kept_once_in_their_order(api: httpx2.Client, document: Json) -> None:
    twice, once = ["q", "b", "q", "a", "b"], ["q", "b", "a"]
    place = api.post("/v1/experiments", json={**document, "tags": twice}).json()["links"]["self"]
    assert api.get(place).json()["submitters"][0]["tags"] == once
    assert api.patch(place, json={"tags": twice[::-1]}).json()["submitters"][0]["tags"] == ["b", "a", "q"]
    sweep = {"tags": twice, "sweep": {"base": document["experiment"], "axes": [{"path": "init.scale", "values": [1]}]}}
    sent = api.post("/v1/sweeps", json=sweep).json()
    assert sent["tags"] == once
    assert api.patch(sent["links"]["self"], json={"tags": ["z", "z"]}).json()["tags"] == ["z"]
    assert api.post("/v1/experiments", json={**document, "tags": ["q"] * 21}).status_code == 422
    assert api.get("/v1/experiments?tag=q").json()["items"][0]["tags"] == ["a", "b", "q"]


def test_expiry_410_then_404_and_pins_against_it(
    api: httpx2.Client, document: Json, worker: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real expiries: the lifetimes of two results are cut to milliseconds, one of them is pinned."""
    paths = []
    for seed in (1, 2):
        document["experiment"]["dataset"]["seed"] = seed
        paths.append(api.post("/v1/experiments", json=document).json()["links"]["self"])
    worker.compute(2)
    free, pinned = paths
    assert api.patch(pinned, json={"pinned": True}).json()["pinned"]

    def shorten(family: str, seconds: float) -> None:
        for path in paths:
            place = keys.key(family, path.rpartition("/")[2])
            if store.client.ttl(place) > 0:
                store.client.pexpire(place, int(seconds * 1000))

    def status(path: str) -> int:
        return api.get(path).status_code

    shorten("result", 0.05)
    time.sleep(0.1)
    assert (status(f"{free}/result"), status(f"{pinned}/result")) == (410, 200)
    assert api.get(f"{free}/result").json()["type"] == "/problems/expired"
    assert api.get(free).json()["expired"]
    for family in ("job", "submitters", "attempts"):
        shorten(family, 0.05)
    time.sleep(0.1)
    assert (status(f"{free}/result"), status(free), status(pinned)) == (404, 404, 200)
    store.run(leases.prune())
    assert [item["links"]["self"] for item in api.get("/v1/experiments").json()["items"]] == [pinned]


def test_a_kept_sweep(api: httpx2.Client, document: Json, worker: Any, store: Store) -> None:
    sweep = {"base": document["experiment"], "axes": [{"path": "init.shape", "values": [0.1, 0.2]}]}
    view = api.post("/v1/sweeps", json={"name": "n", "notes": "first", "sweep": sweep}).json()
    assert (view["kept"], view["notes"]) == (False, "first")
    worker.compute(2)
    own = view["links"]["self"]
    found = api.patch(own, json={"kept": True, "notes": "as published", "tags": ["p"]}).json()
    assert (found["kept"], found["notes"], found["tags"], found["name"]) == (True, "as published", ["p"], "n")
    cells = [item["id"] for item in api.get("/v1/experiments").json()["items"]]
    assert {store.client.ttl(keys.key("result", cell)) for cell in cells} == {-1}
    assert api.get(f"/v1/experiments/{cells[0]}").json()["pinned_by"] == [f"sweep:{view['id']}"]
    assert api.delete(own).json() == {"id": view["id"], "answer": "deleted"}
    assert (api.get(own).status_code, api.get(f"/v1/experiments/{cells[0]}").status_code) == (404, 404)


def test_the_client_edits_and_deletes(api: httpx2.Client, done: str) -> None:
    job_id = done.rpartition("/")[2]
    with Client(str(api.base_url), api.headers["Authorization"].removeprefix("Bearer ")) as client:
        assert client.edit(job_id, pinned=True, name="mine")["pinned"]
        assert client.delete(job_id)["answer"] == "deleted"
