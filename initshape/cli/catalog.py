"""The catalog and evaluations for people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from initshape.cli.show import grid
from initshape.figures.cells import cell
from initshape.spec.explain import nearest
from initshape.spec.problem import ProblemError, SpecError

SECTIONS = ("models", "datasets", "initializations", "flows", "losses")
_WIDTH = 100


def overview(catalog: Mapping[str, Any]) -> str:
    """Every name with one line about it."""
    parts = []
    for section in SECTIONS:
        lines = [f"  {kind['kind']:<26}{_short(kind['summary'])}" for kind in catalog[section]]
        parts.append("\n".join([section, *lines]))
    rows = [
        f"  {entry['name']:<26}{_short(entry['title'])} ({entry['exactness']}; {', '.join(entry['losses'])})"
        for entry in catalog["regularizers"]
    ]
    parts.append("\n".join(["regularizers", *rows]))
    return "\n\n".join(parts)


def about(catalog: Mapping[str, Any], name: str) -> str:
    """All that has this name. Errors: SpecError for a name that is not in the catalog."""
    found = list(_found(catalog, name))
    if not found:
        names = sorted({entry["name"] for entry in catalog["regularizers"]} | set(_kinds(catalog)) | set(SECTIONS))
        close = nearest(name, names)
        hint = f"did you mean {close!r}?" if close else "choose one of the allowed names"
        problem = ProblemError(pointer="", value=name, allowed=list(names), hint=hint)
        raise SpecError(f"The catalog has no {name!r}.", (problem,))
    return "\n\n".join(found)


def _found(catalog: Mapping[str, Any], name: str) -> Iterator[str]:
    for section in SECTIONS:
        for kind in catalog[section]:
            if name in (kind["kind"], section):
                yield _kind(section, kind)
    for entry in catalog["regularizers"]:
        if name in (entry["name"], "regularizers"):
            yield _regularizer(entry)


def _kinds(catalog: Mapping[str, Any]) -> Iterator[str]:
    for section in SECTIONS:
        yield from (kind["kind"] for kind in catalog[section])


def _kind(section: str, kind: Mapping[str, Any]) -> str:
    lines = [f"{kind['kind']}  ({section})", *_wrapped(kind["summary"]), *_wrapped(kind["description"])]
    for field in kind["fields"]:
        default = "required" if field["required"] else f"default {cell(field['default'])}"
        lines += _wrapped(f"{field['name']}: {default}. {field['description'] or ''}", "    ")
    if kind["source"]:
        lines += _wrapped(f"Source: {kind['source']}")
    return "\n".join(lines)


def _regularizer(entry: Mapping[str, Any]) -> str:
    lines = [
        f"{entry['name']}  {entry['title']}",
        *_wrapped(
            f"models: {entry['models']}; loss: {', '.join(entry['losses'])}; claims at most: {entry['exactness']}"
        ),
        f"  {entry['latex']}",
    ]
    for condition in entry["conditions"]:
        lines += _wrapped(f"* {condition}", "    ")
    for citation in entry["citations"]:
        lines += textwrap.indent(citation, "    ").splitlines()
    return "\n".join(lines)


def evaluation(found: Mapping[str, Any]) -> str:
    """The answer to an evaluation: a table of at most 40 points."""
    lines = [f"{found['title'] or found['regularizer']}  ({found['exactness']}, d = {found['dimension']})"]
    if found["reason"]:
        return "\n".join([*lines, f"  none known: {found['reason']}"])
    lines += [f"  {found['latex']}", *(f"  assumed: {text}" for text in found["assumes"])]
    lines += [f"  no {what}: {why}" for what, why in found["missing"].items()]
    flat = {name: values for name, values in found["arrays"].items() if len(found["axes"]) < 2}
    if len(flat) < len(found["arrays"]):
        lines.append("  a grid of two axes: use --json, or -o FILE.png for its contours")
    if flat:
        axis = "|w|" if found["profile_of"] == "norm" else "w"
        columns: dict[str, list[Any]] = {axis: found["axes"][0]} if found["axes"] else {}
        columns |= flat
        rows = [[_entry(value) for value in row] for row in zip(*columns.values(), strict=True)]
        lines.append(grid(list(columns), rows[:40]))
        lines += [f"({len(rows) - 40} more: --json has them)"] if len(rows) > 40 else []
    return "\n".join(lines)


def _entry(value: Any) -> Any:
    """A number, or the first few of a vector."""
    if not isinstance(value, list):
        return value
    return f"[{', '.join([cell(v) for v in value[:6]] + ['...'] * (len(value) > 6))}]"


def _short(text: str) -> str:
    return textwrap.shorten(text, 90, placeholder=" ...")


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")
