"""The examples of the HTTP reference: every operation has some, all of them work, and the answers look as they say.

Run with INITSHAPE_WRITE_EXAMPLES=1, it writes the answers that it gets into the files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import httpx2
import jsonschema
import numpy as np
import pytest
from openapi_scenario import ORDER, places, send

from initshape.store import Queue, Store, leases, presence, tokens
from initshape.store.tokens import Role
from initshape.uploads import to_npz
from service import examples, openapi
from service.app import create_app
from service.settings import Settings

Json = dict[str, Any]
SECRET = "a secret of the server, long enough"
WRITE = bool(os.environ.get("INITSHAPE_WRITE_EXAMPLES"))


@pytest.fixture(scope="module")
def document() -> Json:
    return openapi.document(create_app(Settings()))


def shape(value: Any) -> Any:
    """Names and kinds of a JSON value; numbers, words and lengths of lists are free."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def short(value: Any) -> Any:
    """At most two entries of each list, for the reference."""
    if isinstance(value, dict):
        return {name: short(each) for name, each in value.items()}
    return [short(each) for each in value[:2]] if isinstance(value, list) else value


def test_every_operation_has_a_file_and_every_file_an_operation(document: Json) -> None:
    files = {path.stem for path in examples.folder().glob("*.json")} - {"ids"}
    assert files == set(places(document)) == set(ORDER) - {"compute"}


def test_every_example_works(
    document: Json, start: Callable[..., Any], connect: Callable[..., httpx2.Client], store: Store, worker: Any
) -> None:
    store.run(presence.announce("w", Queue.cpu, 1, {}))
    found = start(store.settings, webhooks=True, webhook_secret=SECRET)
    api = connect(found, store.run(tokens.create("ada", Role.admin)))
    ids = _ids(api)
    if WRITE:
        (examples.folder() / "ids.json").write_text(json.dumps(ids, indent=2) + "\n")
        examples.ids.cache_clear()
    assert examples.ids() == ids
    made: Json = {}
    for operation in ORDER:
        if operation == "compute":
            while claimed := store.run(leases.claim("w", "cpu", lease_seconds=60.0)):
                for claim in claimed:
                    worker.claims[claim.id] = claim
                    worker.finish(claim.id)
            continue
        for sent in send(api, document, operation, made):
            assert sent.answer.is_success, f"{operation} {sent.body}: {sent.answer.text}"
            documented = places(document)[operation][2]["responses"]
            assert str(sent.answer.status_code) in documented
        if operation == "create_token":
            made["token_id"] = sent.answer.json()["id"]
        if WRITE:
            _write(operation, sent.answer)
        given = examples.of(operation)
        media = sent.answer.headers.get("content-type", "").partition(";")[0]
        assert sent.answer.status_code == given["status"], operation
        if media == "application/json":
            missing = _missing(given["answer"], sent.answer.json())
            assert not missing, f"{operation}: {missing}"
            schema = documented[str(given["status"])]["content"][media]["schema"]
            whole = {**schema, "components": document["components"]}
            jsonschema.Draft202012Validator(whole).validate(given["answer"])
        elif media.startswith("text/"):
            assert sent.answer.text.splitlines()[0] == given["text"].splitlines()[0]


def _ids(api: httpx2.Client) -> dict[str, str]:
    """What the documents among the examples are called."""
    first = {name: next(iter(examples.of(name)["bodies"].values()))["value"]
             for name in ("submit_experiment", "submit_sweep", "upload_dataset")}  # fmt: skip
    arrays = {name: np.array(value) for name, value in examples.of("upload_init")["npz"].items()}
    csv, archive = {"Content-Type": "text/csv"}, {"Content-Type": "application/zip"}
    return {
        "experiment_id": api.post("/v1/experiments/validate", json=first["submit_experiment"]).json()["id"],
        "sweep_id": api.post("/v1/sweeps/preview", json=first["submit_sweep"]).json()["id"],
        "dataset_id": api.post("/v1/datasets", content=first["upload_dataset"], headers=csv).json()["id"],
        "init_id": api.post("/v1/inits", content=to_npz(arrays), headers=archive).json()["id"],
    }


def _missing(example: Any, actual: Any, where: str = "") -> list[str]:
    """What the example has that the answer has not, by name; entries of lists are compared with the first."""
    if isinstance(example, dict) and isinstance(actual, dict):
        gone = [f"{where}.{name}" for name in example if name not in actual and not _is_key(name)]
        return gone + [each for name in example if name in actual
                       for each in _missing(example[name], actual[name], f"{where}.{name}")]  # fmt: skip
    if isinstance(example, list) and isinstance(actual, list) and example and actual:
        return _missing(example[0], actual[0], f"{where}[]")
    return [] if shape(example) == shape(actual) or None in (example, actual) else [where]


def _is_key(name: str) -> bool:
    return name[:2] in ("x-", "s-", "d-", "i-")


def _write(operation: str, answer: httpx2.Response) -> None:
    path = examples.folder() / f"{operation}.json"
    given = json.loads(path.read_text())
    given["status"] = answer.status_code
    media = answer.headers.get("content-type", "").partition(";")[0]
    if media == "application/json":
        given["answer"] = short(answer.json())
    elif media.startswith("text/"):
        given["text"] = "\n".join(answer.text.splitlines()[:3]) + "\n"
    elif media == "application/jsonl":
        given["text"] = answer.text
    path.write_text(json.dumps(given, indent=2, ensure_ascii=False) + "\n")
    examples.of.cache_clear()
