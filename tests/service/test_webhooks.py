"""Webhooks to a real receiver on this machine."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from pydantic import ValidationError
from uvicorn.loops.auto import auto_loop_factory

from initshape.store import Store, tokens
from initshape.store.tokens import Role
from service.settings import Settings

Json = dict[str, Any]
SECRET = "a secret of the server, long enough"


@dataclass
class Receiver:
    """Answers what it is told to, and remembers what came."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def wait(self, count: int) -> None:
        end = time.monotonic() + 20
        while len(self.got) < count:
            assert time.monotonic() < end, f"{len(self.got)} of {count} deliveries"
            time.sleep(0.02)


@contextlib.contextmanager
def receiving(address: str = "127.0.0.1", port: int = 0) -> Iterator[Receiver]:
    """An HTTP server on loopback."""
    found = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            status = found.answers.pop(0) if found.answers else 204
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"{found.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer((address, port), Handler) as server:
        found.url = f"http://localhost:{server.server_port}/hook"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Who is told."""
    with receiving() as found:
        yield found


@pytest.fixture
def hooked(start: Callable[..., Any], connect: Callable[..., httpx2.Client], store: Store) -> httpx2.Client:
    """ada's client of a server that calls private addresses."""
    found = start(store.settings, webhooks=True, webhook_secret=SECRET, webhook_private=True)
    return connect(found, store.run(tokens.create("ada", Role.admin)))


def verified(api: httpx2.Client, headers: dict[str, str], body: bytes) -> Json:
    """The event, if its signature is good: written from the text of the standard."""
    key = base64.b64decode(api.get("/v1/webhooks/secret").json()["secret"].removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert f"v1,{expected}" in headers["webhook-signature"].split()
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert headers["content-type"] == "application/json"
    event: Json = json.loads(body)
    return event


def settled(api: httpx2.Client, path: str, attempts: int) -> list[Json]:
    """The log of deliveries, when it has so many entries."""
    end = time.monotonic() + 20
    while len(log := api.get(path).json()["webhooks"]) < attempts:
        assert time.monotonic() < end
        time.sleep(0.02)
    return list(log)


def test_the_end_is_told_signed_and_again_after_a_failure(
    hooked: httpx2.Client, receiver: Receiver, worker: Any, document: Json
) -> None:
    receiver.answers = [302, 204]  # a redirection is a failure: it is not followed
    first = hooked.post("/v1/experiments", json={**document, "webhook": {"url": f"{receiver.url}?key=secret"}})
    assert first.status_code == 202
    assert hooked.post("/v1/experiments", json=document).json()["id"] == first.json()["id"]  # not of the identity
    (job_id,) = worker.compute()
    receiver.wait(2)
    events = [verified(hooked, *one) for one in receiver.got]
    assert events[0] == events[1]
    assert events[0]["type"] == "experiment.ended"
    assert events[0]["data"] == {"id": job_id, "status": "succeeded", "attempt": 1, "outcome": "converged",
                                 "links": first.json()["links"]}  # fmt: skip
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert receiver.got[0][0]["host"] == receiver.url.split("/")[2]
    log = settled(hooked, f"/v1/experiments/{job_id}", 2)
    assert [(entry["answer"], entry["left"], entry["tries"]) for entry in log] == [(302, True, 1), (204, False, 2)]
    assert log[0]["target"] == receiver.url.removesuffix("/hook")
    assert "secret" not in json.dumps(log)


def test_a_sweep_and_a_batch(hooked: httpx2.Client, receiver: Receiver, worker: Any, document: Json) -> None:
    hook = {"webhook": {"url": receiver.url}}
    sweep = {"base": document["experiment"], "axes": [{"path": "init.shape", "values": [0.1, 0.2]}]}
    view = hooked.post("/v1/sweeps", json={"sweep": sweep, **hook}).json()
    worker.compute(2)
    receiver.wait(1)
    event = verified(hooked, *receiver.got[0])
    assert (event["type"], event["data"]["id"], event["data"]["status"]) == ("sweep.ended", view["id"], "succeeded")
    assert event["data"]["counts"]["succeeded"] == 2
    assert [entry["answer"] for entry in settled(hooked, view["links"]["self"], 1)] == [204]
    lines = json.dumps({**document, **hook})
    assert hooked.post("/v1/batch", content=lines, headers={"Content-Type": "application/jsonl"}).status_code == 200
    worker.compute()
    receiver.wait(2)
    assert verified(hooked, *receiver.got[1])["type"] == "experiment.ended"


def test_a_receiver_that_is_gone_or_not_there(
    hooked: httpx2.Client, receiver: Receiver, worker: Any, document: Json
) -> None:
    receiver.answers = [410]
    job = hooked.post("/v1/experiments", json={**document, "webhook": {"url": receiver.url}}).json()["links"]["self"]
    worker.compute()
    (entry,) = settled(hooked, job, 1)
    assert (entry["answer"], entry["left"]) == (410, False)
    assert (
        hooked.post("/v1/experiments", json={**document, "webhook": {"url": "http://127.0.0.1:1/"}}).status_code == 200
    )
    assert settled(hooked, job, 2)[1]["error"] == "ConnectError"


def test_private_addresses_are_not_called(
    start: Callable[..., Any], connect: Callable[..., httpx2.Client], store: Store, receiver: Receiver, worker: Any,
    document: Json, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    found = start(store.settings, webhooks=True, webhook_secret=SECRET)
    api = connect(found, store.run(tokens.create("ada", Role.member)))
    for url in (receiver.url, "http://10.0.0.1/", "http://[::1]/", "http://169.254.169.254/latest", "http://0.0.0.0/"):
        for path in ("/v1/experiments", "/v1/experiments/validate"):
            refused = api.post(path, json={**document, "webhook": {"url": url}})
            assert refused.status_code == 422, url
            assert refused.json()["errors"][0]["pointer"] == "/webhook/url"
    # a name that leads to a private address is found out when it is called
    monkeypatch.setattr("service.webhooks.address.is_loopback", lambda host: False)
    job = api.post("/v1/experiments", json={**document, "webhook": {"url": receiver.url}}).json()["links"]["self"]
    worker.compute()
    (entry,) = settled(api, job, 1)
    assert (entry["answer"], entry["error"]) == (None, "the host has an address that is not public")
    assert receiver.got == []


def loop_of_the_server() -> Any:
    """The class whose method resolves names, for the courier and for whatever connects."""
    with contextlib.closing(auto_loop_factory()()) as loop:
        return type(loop)


def test_a_name_that_changes_its_address_gains_nothing(
    start: Callable[..., Any], connect: Callable[..., httpx2.Client], store: Store, worker: Any, document: Json,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """DNS rebinding: one loopback address stands for the public internet, the other one for what must not be called."""
    public, private, name = "127.0.0.2", "127.0.0.3", "rebind.example.org"
    asked: list[str] = []
    kind = loop_of_the_server()
    look_up = kind.getaddrinfo

    async def rebind(loop: Any, host: Any, *arguments: Any, **options: Any) -> Any:
        if host not in (name, name.encode()):
            return await look_up(loop, host, *arguments, **options)
        asked.append(private if asked else public)
        return await look_up(loop, asked[-1], *arguments, **options)

    # Only names and what counts as public are not the real ones, so that no packet leaves this machine.
    monkeypatch.setattr(kind, "getaddrinfo", rebind)
    monkeypatch.setattr("service.webhooks.address.is_public", lambda address: address in (public, name))
    api = connect(
        start(store.settings, webhooks=True, webhook_secret=SECRET), store.run(tokens.create("ada", Role.admin))
    )
    with receiving(public) as receiver, receiving(private, urlsplit(receiver.url).port or 0) as trap:
        receiver.answers = [500]
        url = receiver.url.replace("localhost", name)
        job = api.post("/v1/experiments", json={**document, "webhook": {"url": url}}).json()["links"]["self"]
        worker.compute()
        log = settled(api, job, 2)
        assert asked[:2] == [public, private], "one question an attempt"
    assert [(entry["answer"], entry["error"]) for entry in log[:2]] == [
        (500, "answered 500"), (None, "the host has an address that is not public"),
    ]  # fmt: skip
    assert [headers["host"] for headers, _ in receiver.got] == [urlsplit(url).netloc]
    assert trap.got == []


def test_proxies_of_the_environment_are_not_asked(
    start: Callable[..., Any], connect: Callable[..., httpx2.Client], store: Store, receiver: Receiver, worker: Any,
    document: Json, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A proxy would resolve the name anew, and reach what the server may not."""
    with receiving() as proxy:
        for variable in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(variable, proxy.url.removesuffix("/hook"))
            monkeypatch.setenv(variable.upper(), proxy.url.removesuffix("/hook"))
        for variable in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(variable, raising=False)
        found = start(store.settings, webhooks=True, webhook_secret=SECRET, webhook_private=True)
        api = connect(found, store.run(tokens.create("ada", Role.admin)))
        job = api.post("/v1/experiments", json={**document, "webhook": {"url": receiver.url}}).json()["links"]["self"]
        worker.compute()
        settled(api, job, 1)
    assert (len(receiver.got), proxy.got) == (1, [])


def test_off_by_default(api: httpx2.Client, document: Json, login: Callable[[str, str], httpx2.Client]) -> None:
    hook = {"webhook": {"url": "https://lab.example.org/hook"}}
    for path, body in (("/v1/experiments", document), ("/v1/sweeps", {"sweep": {"base": document["experiment"],
                       "axes": [{"path": "init.shape", "values": [0.1]}]}})):  # fmt: skip
        answer = api.post(path, json={**body, **hook})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/webhook")
    batch = api.post("/v1/batch", content=json.dumps({**document, **hook}),
                     headers={"Content-Type": "application/jsonl"})  # fmt: skip
    assert batch.json()["problem"]["errors"][0]["pointer"] == "/webhook"
    assert api.get("/v1/webhooks/secret").status_code == 403
    with pytest.raises(ValidationError, match="INITSHAPE_WEBHOOK_SECRET"):
        Settings(webhooks=True, webhook_secret="short")
    assert SECRET not in str(Settings(webhooks=True, webhook_secret=SECRET).redacted())


@pytest.mark.parametrize(
    "url", ["ftp://a.org/", "https://", "https://u:p@a.org/", "https://a.org/#f", "https://a.org:99999/", "https://a.org:0/",
            "https://ü.org/", "javascript:1", "https://a b.org", "https://[::1", "x" * 2001, 5, None],
)  # fmt: skip
def test_wrong_urls_are_refused(hooked: httpx2.Client, document: Json, url: Any) -> None:
    answer = hooked.post("/v1/experiments", json={**document, "webhook": {"url": url}})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/webhook/url"


def test_secrets_of_users_differ(hooked: httpx2.Client, connect: Callable[..., httpx2.Client], store: Store) -> None:
    mine = hooked.get("/v1/webhooks/secret").json()["secret"]
    hooked.headers["Authorization"] = f"Bearer {store.run(tokens.create('bob', Role.member))}"
    assert hooked.get("/v1/webhooks/secret").json()["secret"] != mine
    hooked.headers["Authorization"] = f"Bearer {store.run(tokens.create('eve', Role.reader))}"
    assert hooked.get("/v1/webhooks/secret").status_code == 403
