"""The experiment document field by field, from the JSON schema of its models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from generators.markdown import Schema, code, kind, table
from initshape.spec.experiment import Submission
from initshape.spec.sweep import SweepSubmission

_HEAD = """# The experiment document

What `POST /v1/experiments`, `initshape submit` and `client.submit` take: YAML or JSON. Generated from the JSON schema
that the server validates with. Unknown keys are refused with the nearest name; numbers in JSON are never strings;
`1e-3` is a number in YAML, too.

```yaml
experiment:
  dataset: {kind: sparse_regression, dimension: 1000, samples: 100}
  model: {kind: diagonal, depth: 2}
  init: {kind: scale_shape, scale: 1e-3, shape: 0.5}
```

Everything else has a default. `initshape validate FILE --json` prints the document with all of them filled in.
The identity of an experiment is the hash of that: `name`, `tags`, `notes`, `priority`, `resources` and
`stop.max_seconds` are no part of it.

"""


def page() -> str:
    """The whole page."""
    submission, sweep = Submission.model_json_schema(), SweepSubmission.model_json_schema()
    parts = [_HEAD, "## The whole\n", _fields(submission)]
    experiment = submission["$defs"]["Experiment"]
    for name, field in experiment["properties"].items():
        required = " (required)" if name in experiment["required"] else ""
        parts.append(f"## `experiment.{name}`{required}\n")
        parts += _part(field, submission["$defs"])
    parts += ["## Sweeps\n", "What `POST /v1/sweeps` takes.\n", _fields(sweep)]
    parts += [part for name in ("Sweep", "Axis", "Zip", "Replicate") for part in _model(name, sweep["$defs"])]
    return "\n".join(parts)


def _part(field: Schema, models: Mapping[str, Schema]) -> Iterator[str]:
    if "oneOf" in field:
        names = {reference: name for name, reference in field["discriminator"]["mapping"].items()}
        for member in field["oneOf"]:
            yield from _model(member["$ref"].rpartition("/")[2], models, f"`kind: {names[member['$ref']]}`")
    elif "$ref" in field:
        yield from _model(field["$ref"].rpartition("/")[2], models, "")
    else:
        yield f"{field.get('description', '')} {kind(field)}; default {code(field.get('default'))}.\n"


def _model(name: str, models: Mapping[str, Schema], title: str | None = None) -> Iterator[str]:
    model = models[name]
    title = f"`{name}`" if title is None else title
    if title:
        yield f"### {title}\n"
    yield _text(model) + "\n"
    yield _fields(model)


def _text(model: Schema) -> str:
    """A docstring as paragraphs, with what looks like Markdown by chance escaped."""
    return str(model.get("description", "")).replace("*", "\\*").replace("_", "\\_").replace("<", "&lt;")


def _fields(model: Schema) -> str:
    rows = []
    for name, field in model["properties"].items():
        if name == "kind":
            continue
        required = name in model.get("required", ())
        rows.append((f"`{name}`", kind(field), _default(field, required), str(field.get("description", ""))))
    return table(("field", "type", "default", "what it is"), rows) if rows else "No fields.\n"


def _default(field: Schema, required: bool) -> str:
    if required:
        return "**required**"
    value: Any = field.get("default")
    return "see below" if isinstance(value, dict) else code(value) if value not in (None, [], ()) else "none"
