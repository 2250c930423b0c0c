"""HEAD says what GET would, without a body."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import httpx2

Json = dict[str, Any]
CHANGING = {"date", "x-request-id"}
EVENTS = "/events"


def paths(api: httpx2.Client, ids: Json) -> list[str]:
    """Every path that has a GET, with ids that are known."""
    found = api.get("/openapi.json").json()["paths"]
    filled = ids | {"name": "w_flow", "form": "png", "slug": "not-found"}
    return [
        re.sub(r"{(\w+)}", lambda name: filled.get(name[1], f"{name[1][0]}-{'a' * 26}"), path)
        for path, methods in found.items()
        if "get" in methods
    ]


def known(api: httpx2.Client, document: Json, worker: Any) -> Json:
    job_id = api.post("/v1/experiments", json=document).json()["id"]
    worker.compute()
    axes = [{"path": "init.scale", "values": [0.1, 0.2]}]
    sweep_id = api.post("/v1/sweeps", json={"sweep": {"base": document["experiment"], "axes": axes}}).json()["id"]
    return {"experiment_id": job_id, "sweep_id": sweep_id}


def told(answer: httpx2.Response) -> Json:
    kept = {name: value for name, value in answer.headers.items() if name not in CHANGING}
    if answer.request.url.path == "/metrics":  # counts the request itself
        del kept["content-length"]
    return {"status": answer.status_code, **kept}


def test_every_get_and_no_event_stream(api: httpx2.Client, server: Any, document: Json, worker: Any) -> None:
    asked = [*paths(api, known(api, document, worker)), "/docs", "/openapi.json", "/nothing", "/v1/experiments?limit=0"]
    assert len(asked) > 30
    with httpx2.Client(base_url=server.url, trust_env=False) as stranger:
        for path in asked:
            for client in (api, stranger):
                head = client.head(path)
                if path.endswith(EVENTS):
                    assert (head.status_code, head.headers["allow"]) == (405, "GET"), path
                else:
                    assert told(head) == told(client.get(path)), path  # a body would be read as the next answer
                assert head.content == b""


def test_conditions_ranges_and_other_methods(api: httpx2.Client, document: Json, worker: Any) -> None:
    path = f"/v1/experiments/{known(api, document, worker)['experiment_id']}/arrays.npz"
    whole = api.head(path)
    assert whole.status_code == 200
    assert int(whole.headers["content-length"]) == len(api.get(path).content)
    assert api.head(path, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    part = api.head(path, headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.headers["content-length"], part.content) == (206, "10", b"")
    posts = api.head("/v1/batch")
    assert (posts.status_code, posts.headers["allow"], posts.content) == (405, "POST", b"")


def test_a_long_poll_ends_and_the_counters_see_head(api: httpx2.Client, document: Json) -> None:
    path = api.post("/v1/experiments", json=document).json()["links"]["self"]
    begin = time.monotonic()
    assert api.head(path, params={"wait": 0.2}).status_code == 200
    assert time.monotonic() - begin < 10
    route = "/v1/experiments/{experiment_id:experiment}"
    assert f'initshape_http_requests_total{{method="HEAD",route="{route}",status="200"}}' in api.get("/metrics").text


def test_nobody_reads_without_a_token(login: Callable[[str, str], httpx2.Client], server: Any) -> None:
    with httpx2.Client(base_url=server.url, trust_env=False) as stranger:
        assert stranger.head("/v1/experiments").status_code == 401
    assert login("rita", "reader").head("/v1/audit").status_code == 403
