"""Submission files: read, told apart, checked before they travel."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from initshape.spec.parse import parse_json, parse_yaml
from initshape.spec.problem import SpecError

LARGEST = 64 * 2**20


def read_document(path: Path) -> dict[str, Any]:
    """The document in a YAML or JSON file; `-` is standard input. Errors: SpecError (status 400)."""
    body = _read(path)
    as_json = path.suffix == ".json" or (path.suffix not in (".yaml", ".yml") and body.lstrip()[:1] == b"{")
    return _an_object(parse_json(body) if as_json else parse_yaml(body), str(path))


def is_lines(path: Path) -> bool:
    """Whether a file holds one document a line."""
    return path.suffix in (".jsonl", ".ndjson")


def read_lines(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """The documents of a file of JSON lines with their line numbers, from 1. Errors: SpecError (status 400)."""
    found = []
    for number, line in enumerate(_read(path).split(b"\n"), 1):
        if line.strip():
            place = f"{path}:{number}"
            try:
                document = parse_json(line)
            except SpecError as error:
                raise SpecError(f"{place}: {error.detail}", error.errors, error.status) from None
            found.append((number, _an_object(document, place)))
    return found


def _read(path: Path) -> bytes:
    try:
        if str(path) == "-":
            body = sys.stdin.buffer.read(LARGEST + 1)
        elif path.is_dir():
            raise SpecError(f"{path} is a directory: name a YAML or JSON file.", status=400)
        else:
            with path.open("rb") as file:
                body = file.read(LARGEST + 1)
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror or error}.", status=400) from None
    if len(body) > LARGEST:
        raise SpecError(f"{path} is larger than {LARGEST // 2**20} MiB.", status=400)
    return body


def _an_object(document: Any, place: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise SpecError(f"{place} does not hold an object with named fields.", status=400)
    return document


def is_sweep_document(document: dict[str, Any]) -> bool:
    """A sweep has `sweep` where an experiment has `experiment`."""
    return "sweep" in document and "experiment" not in document


def cell_count(document: dict[str, Any]) -> int:
    """How many experiments a document asks for, equal ones not yet merged."""
    from initshape.spec.expand import combinations
    from initshape.spec.parse import parse_sweep

    return sum(1 for _ in combinations(parse_sweep(document).sweep)) if is_sweep_document(document) else 1


def check(document: dict[str, Any]) -> None:
    """The same checks as the server's, so that a mistake is told without one. Errors: SpecError (422).

    What names uploads is left to whoever has them.
    """
    from initshape.spec.uploaded import upload_ids

    if upload_ids(document):
        return
    from initshape.spec.expand import expand
    from initshape.spec.parse import parse_submission, parse_sweep

    if is_sweep_document(document):
        expand(parse_sweep(document).sweep)
    else:
        parse_submission(document)
