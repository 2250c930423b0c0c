"""Every kind that a spec may name, as the schema and the docstrings of the spec have it."""

from __future__ import annotations

import inspect
import typing
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from initshape.spec.experiment import Experiment

SECTIONS = {
    "models": "model",
    "datasets": "dataset",
    "initializations": "init",
    "flows": "flow",
    "losses": "loss",
}
"""Section of the catalog -> field of an experiment that takes one of its kinds."""
_SETTINGS = ("stop", "trajectory", "resources")


def kinds() -> dict[str, list[dict[str, Any]]]:
    """The kinds of every section with their fields, ready for JSON. Nothing is listed by hand."""
    return {section: [_kind(member) for member in _members(name)] for section, name in SECTIONS.items()}


def settings() -> dict[str, list[dict[str, Any]]]:
    """Fields of the parts of an experiment that have no kinds."""
    return {name: _fields(_model(Experiment.model_fields[name])) for name in _SETTINGS}


def _members(name: str) -> list[type[BaseModel]]:
    """The models of a union, or the one that is the whole of it."""
    found = typing.get_args(Experiment.model_fields[name].annotation)
    return list(found) or [_model(Experiment.model_fields[name])]


def _model(info: FieldInfo) -> type[BaseModel]:
    model = info.annotation
    assert isinstance(model, type)  # noqa: S101
    assert issubclass(model, BaseModel)  # noqa: S101
    return model


def _kind(model: type[BaseModel]) -> dict[str, Any]:
    (kind,) = typing.get_args(model.model_fields["kind"].annotation)
    text, source = _documented(model)
    summary, _, rest = text.partition("\n\n")
    return {
        "kind": kind,
        "summary": " ".join(summary.split()),
        "description": "\n\n".join(" ".join(part.split()) for part in rest.split("\n\n") if part.strip()),
        "source": source,
        "fields": [field for field in _fields(model) if field["name"] != "kind"],
    }


def _documented(model: type[BaseModel]) -> tuple[str, str | None]:
    """The docstring without its `Source:`, and that."""
    text, _, source = inspect.cleandoc(model.__doc__ or "").partition("Source: ")
    return text.strip(), " ".join(source.split()) or None


def _fields(model: type[BaseModel]) -> list[dict[str, Any]]:
    schema = model.model_json_schema()
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "required": name in required,
            "default": found.get("default"),
            "description": found.get("description"),
            "schema": {key: value for key, value in found.items() if key not in ("default", "description", "title")},
        }
        for name, found in schema["properties"].items()
    ]
