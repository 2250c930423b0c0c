"""How many event streams may be open, and that closed ones count no longer."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import httpx2

from initshape.store import Store, tokens
from initshape.store.tokens import Role

Json = dict[str, Any]


def test_streams_are_limited_by_user_and_by_process(
    start: Callable[..., Any], connect: Callable[..., httpx2.Client], store: Store, document: Json
) -> None:
    found = start(store.settings, max_streams=3, max_user_streams=2)
    ann, bob = (connect(found, store.run(tokens.create(user, Role.member))) for user in ("ann", "bob"))
    job = ann.post("/v1/experiments", json=document).json()["links"]["self"]
    events = f"{job}/events"

    def status(api: httpx2.Client, path: str = events) -> int:
        with api.stream("GET", path, params={"seconds": 0.01}) as answer:
            answer.read()
            return answer.status_code

    with ExitStack() as opened:
        first, second = (opened.enter_context(ann.stream("GET", events)) for _ in range(2))
        assert (first.status_code, second.status_code) == (200, 200)
        with ann.stream("GET", events) as refused:
            refused.read()
        assert (refused.status_code, refused.json()["type"]) == (429, "/problems/too-many-streams")
        assert refused.headers["retry-after"]
        assert status(bob) == 200
        opened.enter_context(bob.stream("GET", events))
        with bob.stream("GET", events) as refused:
            refused.read()
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/unavailable")
        assert ann.get(job, params={"wait": 0.01}).status_code == 200  # polling is no stream

    def wait_for(api: httpx2.Client) -> None:
        end = time.monotonic() + 20
        while status(api) != 200:  # the server notices a closed connection when it next writes or looks
            assert time.monotonic() < end
            time.sleep(0.05)

    wait_for(ann)
    for _ in range(5):  # problems and ended streams give their place back
        assert status(ann, "/v1/experiments/x-" + "a" * 26 + "/events") == 404
        assert status(ann) == 200
