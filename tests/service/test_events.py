"""Streams of events over real sockets: order, resume, the final event, limits, outages."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from sse import Event, opened, whole
from test_outage import frozen

from initshape.store import Store, StoreSettings, leases, tokens
from initshape.store.events import PAGE
from initshape.store.keys import key
from initshape.store.server import RedisServer
from initshape.store.tokens import Role

Json = dict[str, Any]
UNKNOWN = "x-" + "a" * 26


def path_of(job_id: str) -> str:
    return f"/v1/experiments/{job_id}/events"


def submit(api: httpx2.Client, document: Json) -> str:
    answer = api.post("/v1/experiments", json=document)
    assert answer.status_code == 202, answer.text
    found: str = answer.json()["id"]
    return found


def progress(worker: Any, job_id: str, fraction: float) -> None:
    worker.store.run(leases.renew(job_id, worker.claims[job_id].fence, {"fraction": fraction}))


def told(events: list[Event]) -> list[tuple[str, Any]]:
    return [(event.name, event.data.get("status", event.data.get("fraction"))) for event in events]


def test_a_job_from_queue_to_end(api: httpx2.Client, worker: Any, document: Json) -> None:
    job_id = submit(api, document)
    with opened(api, path_of(job_id)) as events:
        first = next(events)
        assert (first.name, first.data) == ("status", {"status": "queued", "attempt": 0})
        worker.claim()
        second = next(events)
        assert (second.name, second.data) == ("status", {"status": "running", "attempt": 1})
        progress(worker, job_id, 0.5)
        assert next(events).data == {"fraction": 0.5}
        worker.finish(job_id)
        rest = list(events)
    assert told(rest) == [("status", "succeeded"), ("end", "succeeded")]
    assert rest[-1].data["outcome"] == "converged"
    assert rest[-1].data["links"]["result"].endswith("/result")


def test_the_connection_breaks_after_each_event(api: httpx2.Client, worker: Any, document: Json) -> None:
    job_id = submit(api, document)
    worker.claim()
    for k in range(4):
        progress(worker, job_id, k / 4)
    worker.finish(job_id)
    at_once = whole(api, path_of(job_id))
    assert len(at_once) == 7
    pieces: list[Event] = []
    while not pieces or pieces[-1].name != "end":
        with opened(api, path_of(job_id), pieces[-1].id if pieces else None) as events:
            pieces.append(next(events))
    assert pieces == at_once
    headers = {"Last-Event-ID": pieces[-1].id or ""}
    assert api.get(path_of(job_id), headers=headers).status_code == 204


def test_it_breaks_while_the_job_runs(api: httpx2.Client, worker: Any, document: Json) -> None:
    """Every event lives in its own connection, and some happen while there is none."""
    job_id = submit(api, document)
    worker.claim()
    seen: list[Event] = []
    for k in range(6):
        if k % 2:
            progress(worker, job_id, k / 8)
            progress(worker, job_id, (k + 0.5) / 8)
        with opened(api, path_of(job_id) + "?seconds=0.05", seen[-1].id if seen else None) as events:
            seen += [event for event in events if event.name != "reconnect"]
    worker.fail(job_id)
    seen += whole(api, path_of(job_id), seen[-1].id)
    assert seen == whole(api, path_of(job_id))
    assert [e.data["fraction"] for e in seen if e.name == "progress"] == [k / 16 for k in (2, 3, 6, 7, 10, 11)]
    assert len({event.id for event in seen}) == len(seen)
    assert seen[-1].data["error"]["detail"] == "It broke."


def test_final_event_of_every_end(api: httpx2.Client, worker: Any, document: Json) -> None:
    cancelled = submit(api, document)
    api.post(f"/v1/experiments/{cancelled}/cancel")
    assert told(whole(api, path_of(cancelled))) == [("status", "cancelled"), ("end", "cancelled")]
    again = submit(api, document)
    assert again == cancelled
    worker.claim()
    worker.fail(again)
    events = whole(api, path_of(again))
    assert told(events)[-2:] == [("status", "failed"), ("end", "failed")]
    assert [e.data["how"] for e in events if e.name == "log"] == ["failed"]


def test_deleted_while_somebody_listens(api: httpx2.Client, document: Json) -> None:
    job_id = submit(api, document)
    with opened(api, path_of(job_id)) as events:
        next(events)
        assert api.delete(f"/v1/experiments/{job_id}").json()["answer"] == "deleted"
        assert told(list(events)) == [("end", "deleted")]
    assert api.get(path_of(job_id)).status_code == 404


def test_a_rerun_goes_on_after_the_final_event(api: httpx2.Client, worker: Any, document: Json) -> None:
    job_id = submit(api, document)
    worker.compute()
    last = whole(api, path_of(job_id))[-1]
    api.post(f"/v1/experiments/{job_id}/rerun")
    worker.compute()
    rest = whole(api, path_of(job_id), last.id)
    assert told(rest) == [
        ("status", "queued"), ("status", "running"), ("status", "succeeded"), ("end", "succeeded"),
    ]  # fmt: skip
    assert rest[-1].data["attempt"] == 2


def test_events_that_are_no_longer_kept(api: httpx2.Client, store: Store, worker: Any, document: Json) -> None:
    job_id = submit(api, document)
    worker.claim()
    for k in range(5):
        progress(worker, job_id, k / 8)
    early = whole(api, path_of(job_id) + "?seconds=0")[1]
    store.client.xtrim(key("stream", job_id), maxlen=2, approximate=False)
    worker.finish(job_id)
    events = whole(api, path_of(job_id), early.id)
    assert [event.name for event in events] == ["log", "progress", "progress", "status", "end"]
    assert events[0].data["how"] == "trimmed"
    store.client.delete(key("stream", job_id))
    (only,) = whole(api, path_of(job_id))
    assert told([only]) == [("end", "succeeded")]
    assert api.get(path_of(job_id), headers={"Last-Event-ID": only.id or ""}).status_code == 204
    assert told(whole(api, path_of(job_id), events[-2].id)) == [("end", "succeeded")]


def test_what_a_rerun_has_lost_is_told_to_one_who_saw_the_end_alone(
    api: httpx2.Client, store: Store, worker: Any, document: Json
) -> None:
    """An end whose entries have outlived their time has a place all the same: after them and before a rerun's."""
    job_id = submit(api, document)
    worker.compute()
    last = whole(api, path_of(job_id))[-2].id or ""
    store.client.delete(key("stream", job_id))
    (only,) = whole(api, path_of(job_id))
    assert milliseconds(only.id) >= milliseconds(last)
    api.post(f"/v1/experiments/{job_id}/rerun")
    worker.compute()
    assert told(whole(api, path_of(job_id), only.id))[-4:] == [
        ("status", "queued"), ("status", "running"), ("status", "succeeded"), ("end", "succeeded"),
    ]  # fmt: skip
    store.client.xtrim(key("stream", job_id), maxlen=1, approximate=False)
    rest = whole(api, path_of(job_id), only.id)
    assert [event.name for event in rest] == ["log", "status", "end"]
    assert rest[0].data["how"] == "trimmed"


def milliseconds(event_id: str | None) -> int:
    return int((event_id or "").split("-")[0])


def test_problems_come_before_the_stream(
    server: Any, api: httpx2.Client, store: Store, worker: Any, document: Json
) -> None:
    assert api.get(path_of(UNKNOWN)).json()["type"] == "/problems/not-found"
    assert api.get(f"/v1/sweeps/s-{'a' * 26}/events").status_code == 404
    with httpx2.Client(base_url=server.url, trust_env=False) as stranger:
        assert stranger.get(path_of(UNKNOWN)).json()["type"] == "/problems/unauthorized"
    job_id = submit(api, document)
    for wrong in ("x", "1", "1-1.END", "9" * 16 + "-0", "1-1\x01"):
        answer = api.get(path_of(job_id), headers={"Last-Event-ID": wrong})
        assert answer.status_code in (400, 422), wrong
    assert api.get(path_of(job_id) + "?seconds=nan").json()["type"] == "/problems/invalid-parameter"
    worker.compute()
    store.client.delete(key("result", job_id))
    assert api.get(path_of(job_id)).json()["type"] == "/problems/expired"


@pytest.mark.timeout(60)
def test_a_connection_does_not_last_for_ever(
    start: Callable[..., Any], connect: Callable[..., httpx2.Client], store: Store, document: Json
) -> None:
    found = start(store.settings, stream_seconds=0.3)
    api = connect(found, store.run(tokens.create("ada", Role.admin)))
    events = whole(api, path_of(submit(api, document)) + "?seconds=3600")
    assert [event.name for event in events] == ["status", "reconnect"]
    assert (events[1].id, events[1].data, events[1].retry) == (None, {"reason": "time"}, 2000)


def test_fifty_streams_hang_on_one_subscription(api: httpx2.Client, store: Store, worker: Any, document: Json) -> None:
    job_id = submit(api, document)
    worker.claim()
    started = threading.Barrier(51, timeout=60)

    def listen(_: int) -> list[Event]:
        with opened(api, path_of(job_id)) as events:
            first = next(events)
            started.wait()
            return [first, *events]

    limits = httpx2.Limits(max_connections=60)
    with httpx2.Client(base_url=api.base_url, headers=api.headers, limits=limits, timeout=60, trust_env=False) as many:
        api = many
        with ThreadPoolExecutor(50) as pool:
            futures = [pool.submit(listen, k) for k in range(50)]
            started.wait()
            subscribed = [c for c in store.client.client_list() if int(c["sub"]) > 0]
            for k in range(3):
                progress(worker, job_id, k / 4)
            worker.finish(job_id)
            answers = [future.result(timeout=60) for future in futures]
    assert len(subscribed) <= 2, "one for each API of this session"
    assert all(answer == answers[0] for answer in answers)
    assert told(answers[0]) == [
        ("status", "running"), ("progress", 0.0), ("progress", 0.25), ("progress", 0.5), ("status", "succeeded"),
        ("end", "succeeded"),
    ]  # fmt: skip


def test_one_who_does_not_read_holds_nobody_up(api: httpx2.Client, worker: Any, document: Json) -> None:
    job_id = submit(api, document)
    worker.claim()
    with api.stream("GET", path_of(job_id)):  # and never reads
        for k in range(600):
            worker.store.run(leases.renew(job_id, worker.claims[job_id].fence, {"fraction": k, "note": "n" * 2000}))
        worker.finish(job_id)
        events = whole(api, path_of(job_id))
    assert len(events) > PAGE, "more than one reading of the store"
    assert told(events[-2:]) == [("status", "succeeded"), ("end", "succeeded")]


def test_a_frozen_redis_ends_streams_and_blocks_nothing(
    start: Callable[..., Any], connect: Callable[..., httpx2.Client], own_server: RedisServer, document: Json
) -> None:
    store = Store(own_server.settings)
    api = connect(start(own_server.settings), store.run(tokens.create("ada", Role.admin)))
    job_id = submit(api, document)
    with ThreadPoolExecutor(1) as pool, opened(api, path_of(job_id)) as events:
        queued = next(events)
        with frozen(own_server):
            future = pool.submit(lambda: list(events))
            begin = time.monotonic()
            while not future.done() and time.monotonic() - begin < 20:
                assert api.get("/health/live").status_code == 200
                time.sleep(0.1)
            rest = future.result(timeout=1)
    assert [(event.name, event.data) for event in rest] == [("reconnect", {"reason": "store"})]
    api.post(f"/v1/experiments/{job_id}/cancel")
    assert told(whole(api, path_of(job_id), queued.id)) == [("status", "cancelled"), ("end", "cancelled")]
    store.close()


def test_a_subscription_that_is_cut_loses_no_event(
    api: httpx2.Client, store: Store, worker: Any, document: Json
) -> None:
    job_id = submit(api, document)
    with opened(api, path_of(job_id)) as events:
        next(events)
        store.client.client_kill_filter(_type="pubsub")
        worker.compute()
        assert told(list(events)) == [("status", "running"), ("status", "succeeded"), ("end", "succeeded")]


@pytest.mark.parametrize("number", [1, 3])
def test_the_server_stops_with_open_streams(
    settings: StoreSettings, store: Store, document: Json, number: int, connect: Callable[..., httpx2.Client],
    serve_until_stopped: Callable[..., Any],
) -> None:  # fmt: skip
    found, stop = serve_until_stopped(settings)
    api = connect(found, store.run(tokens.create("ada", Role.admin)))
    job_id = submit(api, document)
    with ThreadPoolExecutor(number) as pool:
        futures = [pool.submit(whole, api, path_of(job_id)) for _ in range(number)]
        time.sleep(0.5)
        begin = time.monotonic()
        stop()
        took = time.monotonic() - begin
        for future in futures:
            events = future.result(timeout=5)
            assert (events[-1].name, events[-1].data) == ("reconnect", {"reason": "stopping"})
    assert took < 4, "within uvicorn's time of grace"


def test_a_sweep(api: httpx2.Client, worker: Any, document: Json) -> None:
    sweep = {"sweep": {"base": document["experiment"], "axes": [{"path": "init.scale", "values": [0.1, 0.2, 0.3]}]}}
    sweep_id = api.post("/v1/sweeps", json=sweep).json()["id"]
    path = f"/v1/sweeps/{sweep_id}/events"
    with opened(api, path) as events:
        first = next(events)
        assert (first.name, first.data["status"], first.data["counts"]["queued"]) == ("progress", "queued", 3)
        worker.compute(2)
        while (second := next(events)).data["counts"]["succeeded"] < 2:
            pass
    assert [event.name for event in whole(api, path + "?seconds=0.3", second.id)] == ["reconnect"]
    (last,) = worker.claim()
    worker.fail(last)
    rest = whole(api, path, second.id)
    assert told(rest) == [("progress", "failed"), ("end", "failed")]
    assert told(whole(api, path, rest[0].id)) == [("end", "failed")]
    assert api.get(path, headers={"Last-Event-ID": rest[-1].id or ""}).status_code == 204
