"""Whatever the server does, the clients can ask for: every operation of the OpenAPI document has its method."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2

from initshape.client import Client, WaitTimeoutError
from initshape.uploads import to_npz

OPENAPI = Path(__file__).parents[2] / "openapi" / "openapi.json"
WITHOUT_A_METHOD = {
    "health_live", "health_ready", "read_metrics",  # for what watches the server
    "explain_problem",  # a page for whoever follows the `type` of a problem
    "get_array_csv",  # `arrays` brings them all
}  # fmt: skip
EXPERIMENT, SWEEP, DATASET, INIT = (f"{letter}-{'a' * 26}" for letter in "xsdi")
ASKED: tuple[Callable[[Client], Any], ...] = (
    lambda c: c.submit({}),
    lambda c: c.submit_many([{}]),
    lambda c: c.submit_sweep({}),
    lambda c: c.upload_dataset(X=[[1.0]], y=[1.0]),
    lambda c: c.upload_init(w=[1.0]),
    *(lambda c, id=id: c.uploaded(id) for id in (DATASET, INIT)),
    *(lambda c, id=id: len(c.uploaded_arrays(id)) for id in (DATASET, INIT)),
    *(lambda c, id=id: c.delete_upload(id) for id in (DATASET, INIT)),
    lambda c: c.validate({}),
    lambda c: c.preview({}),
    *(lambda c, id=id: c.status(id) for id in (EXPERIMENT, SWEEP)),
    *(lambda c, id=id: c.edit(id, name="a") for id in (EXPERIMENT, SWEEP)),
    *(lambda c, id=id: c.wait(id, timeout=0.05) for id in (EXPERIMENT, SWEEP)),
    lambda c: c.result(EXPERIMENT),
    lambda c: len(c.arrays(EXPERIMENT)),
    lambda c: len(c.dataset(EXPERIMENT)),
    lambda c: c.table(SWEEP),
    lambda c: c.table_csv(SWEEP),
    *(lambda c, id=id: c.figure(id) for id in (EXPERIMENT, SWEEP)),
    lambda c: list(c.experiments()),
    lambda c: list(c.sweeps()),
    *(lambda c, id=id: c.cancel(id) for id in (EXPERIMENT, SWEEP)),
    lambda c: c.rerun(EXPERIMENT),
    lambda c: c.retry(SWEEP),
    *(lambda c, id=id: c.delete(id) for id in (EXPERIMENT, SWEEP)),
    lambda c: c.catalog(),
    lambda c: c.presets(),
    lambda c: c.evaluate({}),
    lambda c: c.draw({}),
    lambda c: c.me(),
    lambda c: c.create_token("ada"),
    lambda c: c.tokens(),
    lambda c: c.revoke_token("0" * 16),
    lambda c: list(c.audit()),
    lambda c: c.webhook_secret(),
)
ANSWER = {
    "id": EXPERIMENT, "status": "running", "secret": "",
    "axes": [], "columns": [], "rows": [], "items": [],
}  # fmt: skip


def operations() -> dict[str, tuple[str, re.Pattern[str]]]:
    """Method and path of every operation."""
    paths = json.loads(OPENAPI.read_text())["paths"]
    return {
        told["operationId"]: (method.upper(), re.compile(re.sub(r"\{\w+\}", "[^/]+", path.replace(".", r"\."))))
        for path, methods in paths.items()
        for method, told in methods.items()
        if "operationId" in told
    }


def test_every_operation_has_a_method() -> None:
    asked: list[tuple[str, str]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append((request.method, request.url.path))
        if request.url.path.endswith("/events"):
            return httpx2.Response(204)
        if request.url.path.endswith(".npz"):
            return httpx2.Response(200, content=to_npz({}))
        return httpx2.Response(200, json=ANSWER)

    with Client("http://127.0.0.1:1", transport=httpx2.MockTransport(answer)) as client:
        for ask in ASKED:
            with contextlib.suppress(WaitTimeoutError):
                ask(client)
    known = operations()
    reached = {
        name
        for name, (method, path) in known.items()
        if any(method == verb and path.fullmatch(where) for verb, where in asked)
    }
    assert known.keys() - reached == WITHOUT_A_METHOD
    for verb, where in asked:
        assert any(method == verb and path.fullmatch(where) for method, path in known.values()), f"{verb} {where}"
