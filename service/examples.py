"""Examples of the HTTP reference: one file an operation in openapi/examples. The tests send every one of them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import service


def folder() -> Path:
    """That of the source tree, or the copy that is installed with the package."""
    package = Path(service.__file__).parent
    tree = package.parent
    return tree / "openapi" / "examples" if (tree / "pyproject.toml").is_file() else package / "openapi_examples"


@cache
def of(operation: str) -> dict[str, Any]:
    """The file of an operation: `parameters`, `bodies` by name, and the `answer` (or first line of `text`) to them."""
    path = folder() / f"{operation}.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return found


EXPERIMENTS: Final = of("submit_experiment")["bodies"]
BATCHES: Final = of("submit_batch")["bodies"]
SWEEPS: Final = of("submit_sweep")["bodies"]
EDITS: Final = of("edit_experiment")["bodies"]
NEW_TOKENS: Final = of("create_token")["bodies"]
SWEEP_EDITS: Final = of("edit_sweep")["bodies"]
EVALUATIONS: Final = of("evaluate_regularizer")["bodies"]
REGULARIZER_FIGURES: Final = of("draw_regularizer")["bodies"]


def enter(operation: dict[str, Any]) -> None:
    """Writes the examples of an operation into its documentation: of its parameters and of its answers."""
    given = of(operation["operationId"])
    for parameter in operation.get("parameters", ()):
        value = given.get("parameters", {}).get(parameter["name"], ids().get(parameter["name"]))
        if value is not None:
            parameter["example"] = value
    bodies = operation.get("requestBody", {}).get("content", {})
    for example in given.get("bodies", {}).values():
        if "media" in example and example["media"] in bodies:
            bodies[example["media"]]["example"] = example["value"]
    for media, entry in operation["responses"].get(str(given.get("status")), {}).get("content", {}).items():
        if "answer" in given and media == "application/json":
            entry["example"] = given["answer"]
        elif "text" in given and not media.startswith("application/problem"):
            entry["example"] = given["text"]


@cache
def ids() -> dict[str, str]:
    """Path parameters of all operations: the ids that the documents among the examples have."""
    found: dict[str, str] = json.loads((folder() / "ids.json").read_text())
    return found
