"""The OpenAPI document: valid, complete, and the same as the one that is committed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openapi_spec_validator import validate

from service import examples, openapi
from service.app import create_app
from service.settings import Settings

ROOT = Path(__file__).parents[2]
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document(create_app(Settings()))


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(path, found[method]) for path, found in document["paths"].items() for method in METHODS if method in found]


def test_committed_document_is_current() -> None:
    environment = {"INITSHAPE_AUTH": "false", "INITSHAPE_MAX_BODY": "2048", "PATH": "/usr/bin"}
    written = subprocess.run([sys.executable, "-m", "service.openapi"], cwd=ROOT, env=environment, capture_output=True,
                             text=True, check=True, timeout=60).stdout  # fmt: skip
    committed = (ROOT / "openapi" / "openapi.json").read_text()
    assert written == committed, "run `make openapi` and commit openapi/openapi.json"


def test_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1")


def test_every_operation_is_documented(document: dict[str, Any]) -> None:
    found = operations(document)
    names = [operation["operationId"] for _, operation in found]
    assert len(set(names)) == len(names) >= 24
    known = {tag["name"] for tag in document["tags"]}
    for path, operation in found:
        assert operation["summary"]
        assert operation["description"]
        assert set(operation["tags"]) <= known
        if path.startswith("/v1"):
            assert {"401", "403", "503"} <= set(operation["responses"])
            assert operation["security"] == [{"HTTPBearer": []}]
        for status, response in operation["responses"].items():
            if status[0] in "45":
                assert response["content"] == {
                    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                }


def test_bodies_have_schema_and_examples(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for path, model in (("/v1/experiments", "Submission"), ("/v1/experiments/validate", "Submission"),
                        ("/v1/sweeps", "SweepSubmission"), ("/v1/sweeps/preview", "SweepSubmission")):  # fmt: skip
        content = document["paths"][path]["post"]["requestBody"]["content"]
        assert set(content) == {"application/json", "application/yaml"}
        for entry in content.values():
            assert entry["schema"] == {"$ref": f"#/components/schemas/{model}"}
            assert entry["examples"]
    assert "SparseRegression" in schemas
    assert schemas["Submission"]["additionalProperties"] is False


@pytest.mark.parametrize("name", examples.EXPERIMENTS)
def test_examples_of_experiments_are_accepted(api: httpx2.Client, name: str) -> None:
    assert api.post("/v1/experiments", json=examples.EXPERIMENTS[name]["value"]).status_code == 202


@pytest.mark.parametrize("name", examples.SWEEPS)
def test_examples_of_sweeps_are_accepted(api: httpx2.Client, name: str) -> None:
    preview = api.post("/v1/sweeps/preview", json=examples.SWEEPS[name]["value"]).json()
    answer = api.post("/v1/sweeps", json=examples.SWEEPS[name]["value"])
    assert answer.status_code == 202
    assert answer.json()["counts"]["queued"] == preview["counts"]["cells"]


def test_served_document_is_the_committed_one(api: httpx2.Client) -> None:
    assert api.get("/openapi.json").json() == json.loads((ROOT / "openapi" / "openapi.json").read_text())
    assert "swagger" in api.get("/docs").text.lower()
