"""Filters of lists: every field of an experiment that holds one value, by its dotted path (`init.shape=0.5`).

The names and what they accept come from the schema, so that a new field can be filtered by without a line here.
"""

from __future__ import annotations

import functools
import json
import re
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, TypeAdapter, ValidationError

from initshape.spec.base import integral
from initshape.spec.experiment import Experiment
from initshape.spec.explain import nearest
from initshape.spec.problem import ProblemError, SpecError, shown

Value = str | int | float | bool
Filters = Mapping[str, Value]

_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS: Final[Mapping[str, Value]] = {"true": True, "false": False}
_LONGEST: Final = 200


@functools.cache
def fields() -> dict[str, tuple[TypeAdapter[Any], ...]]:
    """Path -> what its values may be: one entry a kind that has the field. Lists of numbers are not among them."""
    found: dict[str, list[TypeAdapter[Any]]] = {}
    for path, annotation in _walk(Experiment, ()):
        found.setdefault(".".join(path), []).append(TypeAdapter(annotation))
    return {path: tuple(adapters) for path, adapters in sorted(found.items())}


def parse_filter(name: str, text: str, others: typing.Iterable[str] = ()) -> Value:
    """The value of one filter as documents hold it; `others` are names that are no fields, for the hint.

    Errors: SpecError for a field that does not exist, and for a value that no experiment can have there.
    """
    where = f"/query/{name[:100]}"
    if name not in fields():
        names = [*others, *fields()]
        close = nearest(name, names)
        hint = f"did you mean {close!r}?" if close else "filter by a field of the experiment, such as init.shape"
        problem = ProblemError(pointer=where, value=shown(text), allowed=list(names), hint=hint)
        raise SpecError(f"There is no parameter {name[:100]!r}.", (problem,))
    for adapter in fields()[name]:
        for candidate in _readings(text):
            try:
                value = adapter.validate_python(candidate)
            except ValidationError:
                continue
            return _plain(value)
    schema = schema_of(name)
    close = nearest(text, map(str, schema.get("enum", ())))
    hint = f"did you mean {close!r}?" if close else "no experiment can have this value there: see `allowed`"
    raise SpecError(f"{name} cannot be {text[:100]!r}.",
                    (ProblemError(pointer=where, value=shown(text), allowed=schema, hint=hint),))  # fmt: skip


def holds(document: Mapping[str, Any], filters: Filters) -> bool:
    """Whether a resolved experiment has these values. A word is also found in a list of words (`regularizers=l1`)."""
    return all(_has(document, name, value) for name, value in filters.items())


def schema_of(name: str) -> dict[str, Any]:
    """JSON schema of a filter's values."""
    found: list[dict[str, Any]] = []
    for adapter in fields()[name]:
        found += [part for part in _scalars(adapter.json_schema()) if part not in found]
    if len(found) > 1 and all("enum" in part for part in found):
        words = dict.fromkeys(word for part in found for word in part["enum"])
        return {"type": "string", "enum": list(words)}
    return found[0] if len(found) == 1 else {"anyOf": found}


def _has(document: Mapping[str, Any], name: str, value: Value) -> bool:
    node: Any = document
    for part in name.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    if isinstance(node, list):
        return isinstance(value, str) and value in node
    return bool(node == value)


def _readings(text: str) -> Iterator[Value]:
    """What a text in a query may mean: a number or a word of JSON, else itself."""
    if len(text) > _LONGEST:
        return
    if text in _WORDS:
        yield _WORDS[text]
    elif _NUMBER.fullmatch(text):
        number = json.loads(text)
        yield integral(number)
        if type(number) is not int:
            yield number
    yield text


def _plain(value: Any) -> Value:
    return value[0] if isinstance(value, tuple) else typing.cast(Value, value)


def _walk(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every field below a model that can hold one value, and its annotation."""
    for name, info in model.model_fields.items():
        own = (*path, name)
        models = list(_models(info.annotation))
        if models:
            for one in models:
                yield from _walk(one, own)
        elif _single(info.annotation):
            yield own, Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
        elif words := _words(info.annotation):
            yield own, words


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a field may hold: one, or one a kind."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType, Annotated):
        for part in typing.get_args(annotation):
            yield from _models(part)


def _single(annotation: Any) -> bool:
    """Whether a field can hold one number, word or truth value."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return _single(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return any(_single(part) for part in typing.get_args(annotation))
    return origin is typing.Literal or annotation in (str, int, float, bool)


def _words(annotation: Any) -> Any:
    """The words of a list of words; None for any other list."""
    if typing.get_origin(annotation) is not tuple:
        return None
    inner = typing.get_args(annotation)[0]
    return inner if typing.get_origin(inner) is typing.Literal else None


def _scalars(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The alternatives of a schema that are single values."""
    for key in ("anyOf", "oneOf"):
        if key in schema:
            for part in schema[key]:
                yield from _scalars(part)
            return
    if "const" in schema:
        const = schema["const"]
        yield {"type": "boolean", "enum": [const]} if isinstance(const, bool) else {"type": "string", "enum": [const]}
    elif schema.get("type") not in ("array", "null", "object"):
        kept = ("type", "enum", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "maxLength")
        yield {name: schema[name] for name in kept if name in schema}
