"""Pieces of Markdown that the generated pages share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]


def table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells may hold Markdown, their bars and line breaks are escaped."""
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    lines += [f"| {' | '.join(' '.join(cell.replace('|', '&#124;').split()) for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def code(value: Any) -> str:
    """A JSON value as it is written in a document."""
    import json

    return f"`{json.dumps(value, ensure_ascii=False)}`"


def kind(schema: Schema) -> str:
    """What a JSON schema allows, in words."""
    if "const" in schema:
        return code(schema["const"])
    if "enum" in schema:
        return ", ".join(map(code, schema["enum"]))
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"`{name}`"
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " or ".join(dict.fromkeys(kind(one) for one in schema[union]))
    found = str(schema.get("type", "any"))
    if found == "array":
        return f"list of {kind(schema.get('items', {}))}" if schema.get("items") else "list"
    if found == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {kind(schema['additionalProperties'])}"
    return ", ".join(filter(None, [found, _bounds(schema)]))


def _bounds(schema: Schema) -> str:
    wide = min(1e99, 2**53 - 1)  # bounds that every number has
    words = [
        f"{sign} {schema[key]:g}"
        for key, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
        if key in schema and abs(schema[key]) < wide
    ]
    words += [f"at most {schema['maxLength']} characters"] if "maxLength" in schema else []
    return ", ".join(words)
