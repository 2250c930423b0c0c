"""House rules of the OpenAPI document, and that it breaks no client of the release before (openapi/released.json)."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.openapi_changes import breaking, main

Json = dict[str, Any]
FOLDER = Path(__file__).parents[2] / "openapi"


@pytest.fixture
def document() -> Json:
    found: Json = json.loads((FOLDER / "openapi.json").read_text())
    return found


def problems(document: Json) -> list[str]:
    """What breaks a rule."""
    found: list[str] = []
    names: list[str] = []
    tags = {tag["name"] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        if path.endswith("/") or re.search("[A-Z]", re.sub("{.*?}", "", path)):
            found.append(f"{path}: lower case, no slash at the end")
        for method, operation in methods.items():
            where = f"{method} {path}"
            names.append(operation.get("operationId", ""))
            if not re.fullmatch("[a-z]+(_[a-z]+)*", names[-1]):
                found.append(f"{where}: operationId")
            if len(operation.get("tags", ())) != 1 or not set(operation["tags"]) <= tags:
                found.append(f"{where}: one tag of the list")
            if len(operation.get("description", "")) < 10 or not operation["description"].rstrip().endswith("."):
                found.append(f"{where}: a description in sentences")
            if not any(status.startswith("2") for status in operation["responses"]):
                found.append(f"{where}: an answer that is a success")
            if method in ("get", "delete") and "requestBody" in operation:
                found.append(f"{where}: no body")
            if '"example' not in json.dumps(operation):
                found.append(f"{where}: an example")
            inside = set(re.findall("{(.*?)}", path))
            parameters = operation.get("parameters", ())
            if inside != {p["name"] for p in parameters if p["in"] == "path"}:
                found.append(f"{where}: path parameters")
            found += [f"{where}: schema of {p['name']}" for p in parameters if not p.get("schema")]
    found += [f"{name}: twice" for name in set(names) if names.count(name) > 1]
    text = json.dumps(document)
    found += [f"{name}: not used" for name in document["components"]["schemas"]
              if f'"#/components/schemas/{name}"' not in text and f"A {name} in" not in text]  # fmt: skip
    found += [f"{name}: a description" for name, schema in document["components"]["schemas"].items()
              if schema and not schema.get("description") and "enum" not in schema]  # fmt: skip
    return found


def test_the_document_keeps_the_rules(document: Json) -> None:
    assert problems(document) == []


def test_the_rules_find_what_breaks_them(document: Json) -> None:
    operation = document["paths"]["/v1/experiments"]["get"]
    operation |= {"operationId": "getCatalog", "tags": ["unknown"], "description": "x"}
    document["components"]["schemas"]["Unused"] = {"type": "object"}
    assert len(problems(document)) == 5


def test_nothing_breaks_the_clients_of_the_release_before(document: Json) -> None:
    found = breaking(json.loads((FOLDER / "released.json").read_text()), document)
    assert not found, "\n".join([*found, "see CONTRIBUTING.md, `An endpoint`"])


def experiments(document: Json, method: str) -> Json:
    operation: Json = document["paths"]["/v1/experiments"][method]
    return operation


def schema(document: Json, name: str) -> Json:
    found: Json = document["components"]["schemas"][name]
    return found


BREAKS: dict[str, tuple[Callable[[Json], object], str]] = {
    "an operation goes": (lambda d: d["paths"]["/v1/catalog"].pop("get"), "GET /v1/catalog: is gone"),
    "another name": (lambda d: experiments(d, "get").update(operationId="find"), "operationId was list_experiments"),
    "a parameter goes": (lambda d: experiments(d, "get")["parameters"].pop(), "is gone"),
    "a parameter is needed": (
        lambda d: experiments(d, "get")["parameters"][0].update(required=True), "is required now",
    ),
    "a field goes": (lambda d: schema(d, "Job")["properties"].pop("eta"), "200.eta: is gone"),
    "a field may be missing": (lambda d: schema(d, "Job")["required"].remove("status"), "200.status: may be missing"),
    "another type": (lambda d: schema(d, "Job")["properties"]["attempt"].update(type="string"), "was integer"),
    "a field is needed": (lambda d: schema(d, "Submission")["required"].append("name"), "body.name: is required now"),
    "a field is not taken": (lambda d: schema(d, "Submission")["properties"].pop("notes"), "body.notes: is gone"),
    "a bound is tightened": (
        lambda d: schema(d, "Submission")["properties"]["priority"].update(maximum=5), "maximum was 10, is 5",
    ),
    "a kind is not taken": (
        lambda d: schema(d, "Experiment")["properties"]["dataset"]["oneOf"].pop(0), "body.experiment.dataset",
    ),
    "a word is not taken": (
        lambda d: schema(d, "GradientFlow")["properties"]["integrator"]["enum"].remove("radau"),
        "no longer takes radau",
    ),
    "an answer goes": (lambda d: experiments(d, "post")["responses"].pop("202"), "no answer 202 any more"),
    "a media type goes": (
        lambda d: experiments(d, "post")["requestBody"]["content"].pop("application/yaml"), "takes application/yaml",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKS)
def test_breaking_changes_are_found(document: Json, name: str) -> None:
    newer = copy.deepcopy(document)
    change, words = BREAKS[name]
    change(newer)
    found = breaking(document, newer)
    assert found
    assert any(words in line for line in found), found


def test_additions_break_nothing(document: Json, tmp_path: Path) -> None:
    newer = copy.deepcopy(document)
    newer["paths"]["/v1/new"] = {"get": {"operationId": "new", "responses": {"200": {"description": "d"}}}}
    experiments(newer, "get")["parameters"].append({"name": "new", "in": "query", "schema": {"type": "string"}})
    schema(newer, "Submission")["properties"]["new"] = {"type": "string"}
    schema(newer, "Submission")["properties"]["priority"]["maximum"] = 20
    schema(newer, "Job")["properties"]["new"] = {"type": "string"}
    schema(newer, "Job")["required"].append("new")
    schema(newer, "GradientFlow")["properties"]["integrator"]["enum"].append("euler")
    experiments(newer, "post")["responses"]["429"] = {"description": "d"}
    assert breaking(document, newer) == []
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(json.dumps(document))
    new.write_text(json.dumps(newer))
    assert main([str(old), str(new)]) == 0
    assert main([str(new), str(old)]) == 1
