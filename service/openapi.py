"""The OpenAPI document: `python -m service.openapi > openapi/openapi.json`. Sorted, hence the same on every machine."""

from __future__ import annotations

import json
import sys
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from initshape.spec.edit import ExperimentEdit, SweepEdit
from initshape.spec.evaluation import FormulaEvaluation, InitEvaluation
from initshape.spec.evaluation_figure import RegularizerFigure
from initshape.spec.experiment import Submission
from initshape.spec.problem import Problem
from initshape.spec.sweep import SweepSubmission
from service import examples
from service.access_schemas import NewToken
from service.errors import FORBIDDEN, INTERNAL, MEDIA_TYPE, RATE, UNAUTHORIZED, UNAVAILABLE, Kind
from service.schemas import LineAnswer

TAGS = [
    {"name": "experiments", "description": "Submit one experiment, follow it, stop it."},
    {"name": "results", "description": "What a finished experiment answers: the document, arrays, figures."},
    {"name": "sweeps", "description": "Many experiments from one document."},
    {"name": "tables", "description": "What a sweep answers: its table and its figure."},
    {"name": "uploads", "description": "Data sets and initializations that are too large for a document."},
    {"name": "webhooks", "description": "How the server tells that a submission has ended."},
    {"name": "catalog", "description": "What the server knows, and regularizers to look at."},
    {"name": "access", "description": "Who you are, tokens, and the audit."},
    {"name": "health", "description": "For load balancers and operators."},
    {"name": "problems", "description": "The kinds of problem details."},
]
_REQUESTS = (
    NewToken,
    Submission,
    SweepSubmission,
    ExperimentEdit,
    SweepEdit,
    InitEvaluation,
    FormulaEvaluation,
    RegularizerFigure,
)
_TEMPLATE = "#/components/schemas/{model}"

Responses = dict[int | str, dict[str, Any]]


def problems(*kinds: Kind, open_to_all: bool = True) -> Responses:
    """Documentation of the problems that a route may answer. Routes that need a caller say `open_to_all=False`."""
    every = (*kinds, INTERNAL) if open_to_all else (*kinds, UNAUTHORIZED, FORBIDDEN, RATE, UNAVAILABLE, INTERNAL)
    content = {MEDIA_TYPE: {"schema": {"$ref": _TEMPLATE.format(model="Problem")}}}
    found: Responses = {}
    for kind in every:
        known = found.get(kind.status)
        title = f"{known['description']}, or {kind.title.lower()}" if known else kind.title
        found[kind.status] = {"description": title, "content": content}
    for status in (429, 503):
        if status in found:
            found[status]["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return found


def media(*types: str, description: str, conditional: bool = True) -> Responses:
    """Documentation of a 200 that is not JSON, and of 304."""
    content = {name: {"schema": {"type": "string", "format": "binary"}} for name in types}
    found: Responses = {200: {"description": description, "content": content}}
    return found | NOT_MODIFIED if conditional else found


def ranges(*types: str) -> Responses:
    """Documentation of 206."""
    content = {name: {"schema": {"type": "string", "format": "binary"}} for name in types}
    return {206: {"description": "The range that was asked for; Content-Range says which.", "content": content}}


RANGE_HEADERS: dict[str, Any] = {
    "parameters": [
        {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": text}
        for name, text in (
            ("Range", "One range of bytes (`bytes=0-99`, `bytes=100-`, `bytes=-100`); others get the whole."),
            ("If-Range", "The ETag of the first part: the whole comes where the content is another."),
        )
    ]
}
"""Documentation of the headers that `conditional.ranged` reads."""
NOT_MODIFIED: Responses = {304: {"description": "Not modified: If-None-Match names the current ETag."}}


def body(model: str | tuple[str, ...], examples: dict[str, Any]) -> dict[str, Any]:
    """Documentation of a request body that the route reads by itself: JSON or YAML of one schema, or of one of some."""
    references = [{"$ref": _TEMPLATE.format(model=name)} for name in ((model,) if isinstance(model, str) else model)]
    entry = {"schema": references[0] if len(references) == 1 else {"anyOf": references}, "examples": examples}
    return {"requestBody": {"required": True, "content": {"application/json": entry, "application/yaml": entry}}}


def file_body(types: dict[str, str]) -> dict[str, Any]:
    """Documentation of a request body that is a file: media type -> what it has to hold."""
    content = {
        name: {"schema": {"type": "string", "format": "binary", "description": holds}} for name, holds in types.items()
    }
    return {"requestBody": {"required": True, "content": content}}


def document(app: FastAPI) -> dict[str, Any]:
    """The document of an app, made once."""
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title, version=app.version, summary=app.summary, routes=app.routes, tags=TAGS,
            openapi_version=app.openapi_version,
        )  # fmt: skip
        schemas = found.setdefault("components", {}).setdefault("schemas", {})
        _, extra = models_json_schema(
            [
                *((model, "validation") for model in _REQUESTS),
                (Problem, "serialization"),
                (LineAnswer, "serialization"),
            ],
            ref_template=_TEMPLATE,
        )
        for name, schema in extra["$defs"].items():
            if schemas.setdefault(name, schema) != schema:
                raise RuntimeError(f"two different schemas are called {name}")
        _without_framework_errors(found)
        _without_item_schemas(found)
        _link(found, "submit_experiment", "experiment_id")
        _link(found, "submit_sweep", "sweep_id")
        _link(found, "upload_dataset", "dataset_id", ("200", "201"))
        _link(found, "upload_init", "init_id", ("200", "201"))
        for methods in found["paths"].values():
            for operation in methods.values():
                examples.enter(operation)
        app.openapi_schema = found
    return app.openapi_schema


def _without_framework_errors(found: dict[str, Any]) -> None:
    """The framework documents its own form of 422 beside ours; no route ever answers with it."""
    for methods in found["paths"].values():
        for operation in methods.values():
            content = operation["responses"].get("422", {}).get("content", {})
            if content.pop("application/json", None) and not content:
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        found["components"]["schemas"].pop(name, None)


def _without_item_schemas(found: dict[str, Any]) -> None:
    """The framework describes the items of streams as OpenAPI 3.2 does; 3.1 has no words for them."""
    for methods in found["paths"].values():
        for operation in methods.values():
            for response in operation["responses"].values():
                for entry in response.get("content", {}).values():
                    entry.pop("itemSchema", None)


def _link(found: dict[str, Any], source: str, parameter: str, answers: tuple[str, str] = ("200", "202")) -> None:
    """The id that `source` answers is the path parameter of these operations: for readers, clients and testers."""
    every = [operation for methods in found["paths"].values() for operation in methods.values()]
    links = {
        operation["operationId"]: {
            "operationId": operation["operationId"],
            "parameters": {parameter: "$response.body#/id"},
        }
        for operation in every
        if any(entry["name"] == parameter for entry in operation.get("parameters", ()))
    }
    (operation,) = (operation for operation in every if operation["operationId"] == source)
    for status in answers:
        operation["responses"][status]["links"] = links


def dumps(found: dict[str, Any]) -> str:
    """The text that is committed."""
    return json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Writes the document to standard output. Reads no setting of this machine and opens no connection."""
    from service.app import create_app
    from service.settings import Settings

    sys.stdout.write(dumps(document(create_app(Settings.model_construct()))))


if __name__ == "__main__":
    main()
