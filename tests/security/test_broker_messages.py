"""What somebody who can write to the broker sends to a real worker: refused, and the worker goes on."""

from __future__ import annotations

import base64
import json
import pickle
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from initshape.spec.status import Status
from initshape.store import TASK, Queue, StoreSettings, jobs
from service.doorbell import sender
from tests.workers.factory import Factory, at_work, experiment, until
from workers.app import create_app

BELL = Queue.cpu.celery


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Factory]:
    """A worker on a server of its own."""
    with at_work(tmp_path_factory.mktemp("hostile")) as found:
        yield found


class Trap:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def envelope(body: bytes, content_type: str, *, encoding: str = "utf-8", task: str = TASK, **headers: Any) -> bytes:
    """A message as Celery puts it into the list of its queue."""
    tag = str(uuid.uuid4())
    return json.dumps({
        "body": base64.b64encode(body).decode(), "content-type": content_type, "content-encoding": encoding,
        "headers": {"lang": "py", "task": task, "id": tag, "root_id": tag, "parent_id": None, "argsrepr": "()",
                    "kwargsrepr": "{}", "retries": 0, "timelimit": [None, None], "eta": None, "expires": None,
                    "group": None, "origin": "stranger", **headers},
        "properties": {"correlation_id": tag, "reply_to": tag, "delivery_mode": 2, "priority": 0,
                       "body_encoding": "base64", "delivery_tag": tag,
                       "delivery_info": {"exchange": "", "routing_key": BELL}},
    }).encode()  # fmt: skip


def hostile(trap: Path) -> dict[str, bytes]:
    """Messages by what is wrong with them."""
    call = [["cpu"], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    pickled = pickle.dumps([[Trap(trap)], {}, call[2]])
    objects = f"!!python/object/apply:pathlib.Path.touch [[!!python/object/apply:pathlib.Path ['{trap}']]]".encode()
    return {
        "a pickle": envelope(pickled, "application/x-python-serialize", encoding="binary"),
        "a pickle that says it is JSON": envelope(pickled, "application/json"),
        "YAML with an object": envelope(objects, "application/x-yaml"),
        "unknown to everybody": envelope(b"x", "application/x-nothing"),
        "no task of ours": envelope(json.dumps(call).encode(), "application/json", task="os.system"),
        "arguments of another form": envelope(b'[["no queue", 1, 2], {"self": 1}, {}]', "application/json"),
        "not a list": envelope(b'{"a": 1}', "application/json"),
        "too short a list": envelope(b'[["cpu"]]', "application/json"),
        "numbers only": envelope(b"[1, 2, 3]", "application/json"),
        "nested without end": envelope(b"[" * 100_000, "application/json"),
        "a queue that is none": envelope(b'[["../../etc/passwd"], {}, {}]', "application/json"),
    }


def no_messages() -> dict[str, bytes]:
    """Entries of the list that are no messages at all, by what they are."""
    good = json.loads(envelope(b'[["cpu"], {}, {}]', "application/json"))
    return {
        "no JSON": b"work, work",
        "no text": b"\xff\xfe\x00",
        "nothing": b"",
        "nested without end": b"[" * 100_000,
        **{f"JSON, {text.decode()}": text for text in (b"5", b"null", b'"ring"', b"[]", b"{}", b'{"properties": 1}')},
        "no headers": json.dumps(good | {"headers": [1]}).encode(),
        "no tag": json.dumps(good | {"properties": good["properties"] | {"delivery_tag": [1]}}).encode(),
        "no such encoding": json.dumps(good | {"properties": good["properties"] | {"body_encoding": "rot13"}}).encode(),
        "no base64": json.dumps(good | {"body": "x"}).encode(),
        "no body": json.dumps({name: part for name, part in good.items() if name != "body"}).encode(),
        "compressed": json.dumps(good | {"headers": good["headers"] | {"compression": "application/x-gzip"}}).encode(),
    }


def test_the_traps_work(tmp_path: Path) -> None:
    """Else the next test could not fail."""
    trap = tmp_path / "sprung"
    pickle.loads(pickle.dumps(Trap(trap)))
    assert trap.exists()
    assert yaml.__version__  # kombu could decode it


@pytest.mark.parametrize("wrong", sorted(hostile(Path("/nowhere"))))
def test_a_hostile_message_harms_nothing(factory: Factory, tmp_path: Path, wrong: str) -> None:
    assert factory.process is not None
    trap = tmp_path / "sprung"
    before = factory.process.pid
    factory.store.client.lpush(BELL, hostile(trap)[wrong])
    until(lambda: factory.store.client.llen(BELL) == 0)
    # the next job is computed by the same worker: what was sent before it has been dealt with
    request = experiment(seed=len(wrong))
    assert factory.ended(factory.submit(request)).status is Status.succeeded
    assert factory.process.poll() is None
    assert factory.process.pid == before
    assert not trap.exists()
    assert factory.store.run(jobs.read(request.id)).attempt == 1  # type: ignore[union-attr]


@pytest.mark.parametrize("what", sorted(no_messages()))
def test_an_entry_that_is_no_message_is_dropped_and_the_worker_goes_on(factory: Factory, what: str) -> None:
    assert factory.process is not None
    said, before = factory.log().count("dropped an entry"), factory.process.pid
    factory.store.client.lpush(BELL, no_messages()[what])
    until(lambda: factory.store.client.llen(BELL) == 0)
    request = experiment(seed=1000 + sorted(no_messages()).index(what))
    assert factory.ended(factory.submit(request)).status is Status.succeeded
    assert factory.read(request.id).attempt == 1
    assert factory.process.poll() is None
    assert factory.process.pid == before
    until(lambda: factory.store.client.hlen("unacked") == 0)
    assert factory.log().count("dropped an entry") == said + 1


def test_a_heap_of_such_entries_costs_nobody_a_job(factory: Factory) -> None:
    """Each would otherwise end a worker, and a job that is at three ends is given up."""
    assert factory.process is not None
    waiting = [factory.submit(experiment(seed=2000 + k)) for k in range(20)]
    factory.store.client.lpush(BELL, *[b"work, work"] * 50)
    assert {factory.ended(id).status for id in waiting} == {Status.succeeded}
    assert {factory.read(id).attempt for id in waiting} == {1}
    until(lambda: factory.store.client.llen(BELL) == 0)
    assert factory.process.poll() is None


def test_nothing_else_is_accepted_or_sent(settings: StoreSettings) -> None:
    for app in (create_app(settings), sender(settings)):
        assert app.conf.accept_content == ["json"]
        assert app.conf.task_serializer == "json"
        assert (app.conf.event_serializer, app.conf.result_serializer) == ("json", "json")
        assert app.conf.result_backend is None
        assert app.conf.task_ignore_result is True
        app.close()


def test_commands_to_workers_are_off(settings: StoreSettings) -> None:
    """Celery's remote control could kill jobs, or set rates, for whoever reaches the broker."""
    app = create_app(settings)
    assert app.conf.worker_enable_remote_control is False
    app.close()


def test_what_rings_is_json(factory: Factory) -> None:
    """A real message of the API, taken from the queue before the worker sees it."""
    app = sender(factory.server.settings)
    app.send_task(TASK, args=["cpu"], queue="initshape-test")
    (raw,) = factory.store.client.lrange("initshape-test", 0, -1)
    message = json.loads(raw)
    assert message["content-type"] == "application/json"
    assert json.loads(base64.b64decode(message["body"]))[0] == ["cpu"]
    factory.store.client.delete("initshape-test")
    app.close()
