"""/metrics: what Prometheus can read, who may, and what is said while Redis is away."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from initshape.store import Queue, Store, leases, presence, results, tallies, tokens
from initshape.store.jobs import JobRequest, Submitter, submit
from initshape.store.server import RedisServer
from initshape.store.tallies import Facts
from initshape.store.tokens import Role

Json = dict[str, Any]
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(answer: httpx2.Response) -> Samples:
    """Every sample by name and labels, read by the library's own parser; none twice."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found: Samples = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation
        for sample in family.samples:
            place = (sample.name, tuple(sorted(sample.labels.items())))
            assert place not in found
            found[place] = sample.value
    return found


def test_everything_is_counted(api: httpx2.Client, store: Store, document: Json, worker: Any) -> None:
    job_id = api.post("/v1/experiments", json=document).json()["id"]
    document["priority"] = 3
    document["experiment"]["dataset"]["seed"] = 9
    assert api.post("/v1/experiments", json=document).status_code == 202
    assert api.get("/v1/experiments/nonsense").status_code == 404
    store.run(presence.announce("w", Queue.cpu, 3, {}))
    found = samples(api.get("/metrics"))
    assert found["initshape_redis_up", ()] == 1
    assert found["initshape_redis_persistent", ()] == 1
    assert found["initshape_redis_memory_bytes", ()] > 100_000
    assert found["initshape_redis_last_save_timestamp_seconds", ()] > 1e9
    assert found["initshape_queue_jobs", (("queue", "cpu"),)] == 2
    assert found["initshape_queue_places", (("priority", "3"), ("queue", "cpu"))] == 1
    assert 0 <= found["initshape_queue_oldest_seconds", (("priority", "0"), ("queue", "cpu"))] < 60
    assert found["initshape_workers_alive", (("queue", "cpu"),)] == 3
    assert found["initshape_submissions_total", (("answer", "queued"),)] == 2
    sent = (("method", "POST"), ("route", "/v1/experiments"), ("status", "202"))
    assert found["initshape_http_requests_total", sent] >= 2
    assert found["initshape_http_requests_total", (("method", "GET"), ("route", "none"), ("status", "404"))] >= 1

    first, second = worker.claim(2)
    claim = worker.claims[first]
    store.run(results.upload(first, claim.fence, b"{}", {}))
    facts = Facts("diagonal", "cpu", "converged", [("implicit", "converged"), ("l1", "stalled")])
    store.run(leases.finish(first, claim.fence, "converged", facts=facts))
    worker.fail(second)
    api.get(f"/v1/experiments/{job_id}")
    found = samples(api.get("/metrics"))
    assert found["initshape_attempts_total", (("how", "finished"),)] == 1
    assert found["initshape_attempts_total", (("how", "failed"),)] == 1
    assert found["initshape_failures_total", (("code", "internal"),)] == 1
    assert found["initshape_results_total", (("outcome", "converged"),)] == 1
    assert found["initshape_flows_total", (("outcome", "converged"),)] == 1
    assert found["initshape_fits_total", (("outcome", "stalled"), ("regularizer", "l1"))] == 1
    assert found["initshape_claims_total", ()] == 2
    assert found["initshape_job_seconds_count", (("device", "cpu"), ("model", "diagonal"))] == 1
    assert found["initshape_jobs", (("status", "failed"),)] == 1
    assert found["initshape_running_jobs", (("queue", "cpu"), ("state", "begun"))] == 0
    got = (("method", "GET"), ("route", "/v1/experiments/{experiment_id:experiment}"), ("status", "200"))
    assert found["initshape_http_requests_total", got] >= 1
    assert not [place for place in found if job_id in str(place) or "ada" in str(place)]


@pytest.mark.parametrize(("milliseconds", "bound"), [(1, 0.001), (2, 0.00316), (10, 0.01), (100_000, 100.0)])
def test_durations_fall_into_their_class(store: Store, milliseconds: int, bound: float) -> None:
    now = 1_800_000_000_000
    store.run(submit(JobRequest("x-1", {}), Submitter("ann")))
    early, late = (Store(store.settings, lambda at=at: at) for at in (now, now + milliseconds))  # type: ignore[misc]
    (claim,) = early.run(leases.claim("w", "cpu"))
    early.run(results.upload("x-1", claim.fence, b"{}", {}))
    late.run(leases.finish("x-1", claim.fence, "converged", facts=Facts("diagonal", "cpu")))
    counters = store.run(tallies.read()).counters
    (place,) = (int(name.split(" ")[3]) for name in counters if name.startswith("took diagonal cpu "))
    assert tallies.BOUNDS[place] == pytest.approx(bound, rel=1e-2)
    assert counters["time diagonal cpu"] == milliseconds
    early.close()
    late.close()


def test_a_lost_lease_is_counted(store: Store) -> None:
    now = [1_800_000_000_000]
    moved = Store(store.settings, lambda: now[0])
    moved.run(submit(JobRequest("x-1", {}), Submitter("ann")))
    moved.run(leases.claim("w", "cpu"))
    for _ in range(24):
        now[0] += 500
        moved.run(leases.reap())
    counters = moved.run(tallies.read()).counters
    assert [counters[name] for name in ("lease lost", "attempt lost", "requeued")] == [1, 1, 1]
    moved.close()


def test_names_are_bounded_in_form() -> None:
    facts = Facts("a model", "NVIDIA H100 80GB HBM3\n", "x\ny", [("b c", "d")])
    assert facts.duration_class == "a_model NVIDIA_H100_80GB_HBM3_"
    assert facts.names == "flow x_y\nfit b_c d"


def test_who_may_read(api: httpx2.Client, server: Any, login: Any, open_server: Any) -> None:
    assert login("eve", "reader").get("/metrics").status_code == 200
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer " + "x" * 600}):
        answer = httpx2.get(f"{server.url}/metrics", headers=headers, trust_env=False)
        assert answer.status_code == 401
        assert answer.json()["type"] == "/problems/unauthorized"
    assert httpx2.get(f"{open_server.url}/metrics", trust_env=False).status_code == 200


def test_frozen_redis(own_server: RedisServer, start: Callable[..., Any], connect: Callable[..., Any]) -> None:
    store = Store(own_server.settings)
    known, other = (store.run(tokens.create("prometheus", Role.reader)) for _ in range(2))
    server = start(own_server.settings)
    api = connect(server, known)
    assert samples(api.get("/metrics"))["initshape_redis_up", ()] == 1
    os.kill(own_server.pid, signal.SIGSTOP)
    try:
        begin = time.monotonic()
        found = samples(api.get("/metrics"))
        assert time.monotonic() - begin < 3.0  # twice the second in which Redis may answer, and scheduling
        assert connect(server, other).get("/metrics").status_code == 503  # never seen before
    finally:
        os.kill(own_server.pid, signal.SIGCONT)
    assert found["initshape_redis_up", ()] == 0
    route = (("method", "GET"), ("route", "/metrics"), ("status", "200"))
    assert found["initshape_http_requests_total", route] == 1
    store.run(tokens.revoke(tokens.digest(known)))
    assert api.get("/metrics").status_code == 401
    store.close()
