"""One Idempotency-Key, two bodies, many requests at the same moment: one body gets the key, whoever sends it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx2
import pytest

from initshape.store import Store

Json = dict[str, Any]
MANY = 20


def seeded(document: Json, seed: int) -> Json:
    found = copy.deepcopy(document)
    found["experiment"]["dataset"]["seed"] = seed
    return found


def swept(document: Json, seed: int) -> Json:
    axes = [{"path": "init.scale", "values": [0.1, 0.2, 0.3]}]
    return {"sweep": {"base": seeded(document, seed)["experiment"], "axes": axes}}


def lines(document: Json, seed: int) -> str:
    return "".join(f"{json.dumps(seeded(document, seed + k))}\n" for k in (0, 100))


SENT: dict[str, Callable[[Json, int], Json | str]] = {
    "/v1/experiments": seeded,
    "/v1/sweeps": swept,
    "/v1/batch": lines,
}


def identity(answer: httpx2.Response) -> Any:
    """What was made of an accepted body."""
    if answer.headers["content-type"] == "application/json":
        return answer.json()["id"]
    return tuple(json.loads(line)["body"]["id"] for line in answer.text.splitlines())


@pytest.mark.parametrize("path", SENT)
def test_one_body_owns_the_key_and_all_who_send_it_are_answered(
    api: httpx2.Client, document: Json, store: Store, path: str
) -> None:
    bodies = [SENT[path](document, seed) for seed in (1, 2)]
    together = Barrier(MANY)

    def send(number: int) -> httpx2.Response:
        body = bodies[number % 2]
        kind = "application/json" if isinstance(body, dict) else "application/jsonl"
        together.wait()
        return api.post(path, content=body if isinstance(body, str) else json.dumps(body),
                        headers={"Content-Type": kind, "Idempotency-Key": "at-once"})  # fmt: skip

    with ThreadPoolExecutor(MANY) as pool:
        answers = list(pool.map(send, range(MANY)))
    accepted = {number for number, answer in enumerate(answers) if answer.is_success}
    winner = min(accepted) % 2
    assert accepted == {number for number in range(MANY) if number % 2 == winner}
    assert len({identity(answers[number]) for number in accepted}) == 1
    for number in set(range(MANY)) - accepted:
        assert answers[number].status_code == 422
        assert answers[number].json()["errors"][0]["pointer"] == "/header/idempotency-key"

    made = {"/v1/experiments": 1, "/v1/sweeps": 3, "/v1/batch": 2}[path]
    assert len(api.get("/v1/experiments").json()["items"]) == made  # of the refused body nothing is stored
