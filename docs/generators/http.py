"""The HTTP reference, from openapi/openapi.json."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from generators.markdown import Schema, kind, table

_SPEC = Path(__file__).parents[2] / "openapi" / "openapi.json"
_HEAD = """# HTTP

Every operation, generated from the OpenAPI document. A running server has it at `/openapi.json`, and as a page to try
things out at `/docs`.

Send `Authorization: Bearer <token>` with everything below `/v1`. Every answer that is not 2xx is problem details
(RFC 9457) whose `type` is explained under [Troubleshooting](../troubleshooting.md). 503 and 429 come with
`Retry-After`. Any operation may answer 401, 403, 500 and 503, which are left out below. `HEAD` (`curl -I`) answers as
`GET` without the body, but for event streams.

**Sending twice.** Equal documents have equal ids, so a submission may always be sent again: it joins the job or finds
its result. An `Idempotency-Key` with it guards against the opposite mistake, another document under the same key. The
first body that comes with a key owns it for 24 hours; keys are your own, and those of experiments, sweeps and batches
are kept apart. Any other body under it is answered by 422 with the pointer `/header/idempotency-key`, and nothing of it
is stored. The owner's body may come again at any time, also while the first request is still on its way: all are
answered by the same id, with 200 or 202. So there is no 409 for a request in progress, which the IETF draft
[idempotency-key-header](https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/) has for what must
not be done twice. Of different bodies sent at once exactly one gets the key. A body that was refused by a quota (429)
keeps its key.

"""
_ANY = ("401", "403", "500", "503")
_METHODS = ("get", "post", "put", "patch", "delete")


def operations() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Method, path and description of every operation."""
    for path, item in json.loads(_SPEC.read_text())["paths"].items():
        for method in _METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def page() -> str:
    """The whole page."""
    document = json.loads(_SPEC.read_text())
    parts = [_HEAD]
    for tag in document["tags"]:
        parts += [f"## {tag['name'].capitalize()}\n", f"{tag.get('description', '')}\n"]
        parts += [_operation(*found, document) for found in operations() if tag["name"] in found[2]["tags"]]
    parts.append("## Bodies\n\nModels that answers are made of. Requests are described in [The experiment "
                 "document](document.md).\n")  # fmt: skip
    parts += [_model(name, document["components"]["schemas"][name]) for name in _answers(document)]
    return "\n".join(parts)


def _operation(method: str, path: str, found: Mapping[str, Any], document: Schema) -> str:
    name = found["operationId"]
    anchor = f"{{#{name} data-toc-label='{name.replace('_', ' ')}'}}"
    parts = [f"### `{method} {path}` {anchor}\n", f"{_escaped(found.get('description', ''))}\n"]
    if parameters := found.get("parameters"):
        rows = [(f"`{p['name']}`", p["in"], kind(p["schema"]), _escaped(p.get("description", ""))) for p in parameters]
        parts.append(table(("parameter", "in", "type", "what it is"), rows))
    if body := found.get("requestBody"):
        parts.append(f"Body: {', '.join(f'`{media}`' for media in body['content'])}\n")
        parts += _example(body)
    rows = [(status, _bodies(answer), _escaped(answer["description"]))
            for status, answer in found["responses"].items() if status not in _ANY]  # fmt: skip
    parts.append(table(("status", "body", "meaning"), rows))
    return "\n".join(parts)


def _example(body: Mapping[str, Any]) -> Iterator[str]:
    content = next(iter(body["content"].values()))
    for example in list(content.get("examples", {}).values())[:1]:
        value = example.get("value")
        text = value if isinstance(value, str) else json.dumps(value, indent=2)
        if len(text) < 2000:
            indented = "\n".join(f"    {line}" for line in text.splitlines())
            yield f'??? example "{example.get("summary", "Example")}"\n\n    ```json\n{indented}\n    ```\n'


def _bodies(answer: Mapping[str, Any]) -> str:
    found = []
    for media, content in answer.get("content", {}).items():
        name = kind(content.get("schema", {}))
        found.append(f"`{media}`" if name in ("any", "string") else name)
    return ", ".join(dict.fromkeys(found))


def _answers(document: Mapping[str, Any]) -> list[str]:
    """Models that answers lead to, directly or through others."""
    models = document["components"]["schemas"]
    text = json.dumps([found["responses"] for _, _, found in operations()])
    known = {name for name in models if f'schemas/{name}"' in text}
    while more := {n for n in models if any(f'schemas/{n}"' in json.dumps(models[k]) for k in known)} - known:
        known |= more
    return sorted(name for name in known if models[name].get("properties"))


def _model(name: str, model: Schema) -> str:
    rows = [(f"`{field}`", kind(of), _escaped(of.get("description", ""))) for field, of in model["properties"].items()]
    return f"### `{name}`\n\n{_escaped(model.get('description', ''))}\n\n" + table(
        ("field", "type", "what it is"), rows
    )


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace("*", "\\*")
