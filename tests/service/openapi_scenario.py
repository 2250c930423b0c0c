"""Sends the examples of openapi/examples in an order in which each of them works."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import numpy as np

from initshape.uploads import to_npz
from service import examples

Json = dict[str, Any]
ORDER = (
    "health_live", "health_ready", "read_metrics",
    "explain_problem", "get_catalog", "get_presets", "evaluate_regularizer",
    "draw_regularizer", "upload_dataset", "get_uploaded_dataset", "download_uploaded_dataset", "upload_init",
    "get_uploaded_init", "download_uploaded_init", "validate_experiment", "submit_experiment", "compute",
    "get_experiment", "list_experiments", "get_result", "get_arrays", "get_array_csv", "get_dataset", "get_figure",
    "follow_experiment", "edit_experiment", "rerun_experiment", "cancel_experiment", "preview_sweep",
    "submit_sweep", "cancel_sweep", "retry_sweep", "compute", "get_sweep", "list_sweeps", "get_table",
    "get_table_csv", "get_sweep_figure", "follow_sweep", "edit_sweep", "submit_batch", "get_webhook_secret", "get_me",
    "create_token", "list_tokens", "revoke_token", "list_audit",
    "delete_sweep", "delete_experiment", "delete_uploaded_dataset", "delete_uploaded_init",
)  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """An example and what the server answered."""

    operation: str
    body: str
    answer: httpx2.Response


def places(document: Json) -> dict[str, tuple[str, str, Json]]:
    """Method, path and documentation by operation id."""
    return {found["operationId"]: (method, path, found) for path, methods in document["paths"].items()
            for method, found in methods.items()}  # fmt: skip


def send(api: httpx2.Client, document: Json, operation: str, made: Json) -> Iterator[Sent]:
    """Every body of an operation, or the one request of an operation without.

    `made` are path parameters that no example can know beforehand, such as ids that are drawn.
    """
    method, path, found = places(document)[operation]
    given = examples.of(operation)
    values = examples.ids() | given.get("parameters", {}) | made
    query, headers = {}, {}
    for parameter in found.get("parameters", ()):
        name = parameter["name"]
        if parameter["in"] == "path":
            path = path.replace("{" + name + "}", str(values[name]))
        elif name in values:
            text = str(values[name]).lower() if isinstance(values[name], bool) else str(values[name])
            (query if parameter["in"] == "query" else headers)[name] = text
    for name, content, media in _bodies(given):
        sent = {**headers, **({"Content-Type": media} if media else {})}
        yield Sent(operation, name, api.request(method, path, params=query, content=content, headers=sent))


def _bodies(given: Json) -> Iterator[tuple[str, bytes | None, str]]:
    if "npz" in given:
        yield "", to_npz({name: np.array(value) for name, value in given["npz"].items()}), "application/zip"
    elif "bodies" not in given:
        yield "", None, ""
    for name, body in given.get("bodies", {}).items():
        value = body["value"]
        if isinstance(value, str):
            yield name, value.encode(), body.get("media", "application/jsonl")
        else:
            yield name, httpx2.Request("POST", "http://a", json=value).content, "application/json"
