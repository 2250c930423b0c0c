"""Turns pydantic's errors into problem details: a pointer as the user wrote it, what is allowed, and what to do."""

from __future__ import annotations

import difflib
import functools
import re
import types
import typing
from typing import Any

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic.fields import FieldInfo

from initshape.spec.problem import CrossFieldError, ProblemError, shown

MOST_ERRORS = 20


def explain(error: ValidationError, model: type[BaseModel], prefix: str = "") -> tuple[ProblemError, ...]:
    """Problems of `error`, raised by validating a document against `model`; pointers start with `prefix`."""
    found: dict[tuple[str, str], ProblemError] = {}
    details = error.errors(include_url=False)
    for detail in details:
        if len(found) >= MOST_ERRORS:  # a megabyte of wrong numbers has 200,000 of them
            break
        loc = detail["loc"]
        if detail["type"] == "too_short" and any(d["loc"][: len(loc)] == loc != d["loc"] for d in details):
            continue  # the list is short only because the items named elsewhere were wrong
        for problem in _problems(detail, model, prefix):
            found.setdefault((problem.pointer, problem.hint), problem)
    return tuple(found.values())[:MOST_ERRORS]


def pointer(path: typing.Iterable[str | int]) -> str:
    """JSON pointer (RFC 6901) of a path."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def nearest(name: str, allowed: typing.Iterable[str]) -> str | None:
    """The allowed name that `name` most resembles, if any does."""
    by_lower = {candidate.lower(): candidate for candidate in allowed}
    close = difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.5)
    return by_lower[close[0]] if close else None


def unknown_key(where: str, name: str, allowed: typing.Iterable[str], value: object = None) -> ProblemError:
    """The problem for a key that is not in the schema."""
    names: list[JsonValue] = [*sorted(allowed)]
    close = nearest(name, map(str, names))
    short = name if len(name) <= 80 else name[:79] + "…"
    hint = f"did you mean {close!r}?" if close else "remove it"
    return ProblemError(pointer=where, value=shown(value), allowed=names, hint=f"unknown key {short!r}: {hint}")


def _problems(detail: Any, model: type[BaseModel], prefix: str) -> list[ProblemError]:
    path, owner, info = _locate(detail["loc"], model)
    where = prefix + pointer(path)
    kind, given, context = detail["type"], detail.get("input"), detail.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, CrossFieldError):
        return [p.model_copy(update={"pointer": where + p.pointer}) for p in cause.problems]
    if kind == "extra_forbidden" and owner is not None:
        return [unknown_key(where, str(path[-1]), owner.model_fields, given)]
    if kind == "missing":
        allowed = _allowed(owner, path[-1])
        return [ProblemError(pointer=where, allowed=allowed, hint=f"{path[-1]} is required{_meaning(info)}")]
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        kinds: list[JsonValue] = [*sorted(_members(info))]
        tag = given.get("kind") if isinstance(given, dict) else None
        where = where + "/kind" if isinstance(given, dict) else where
        if kind == "union_tag_not_found":
            return [ProblemError(pointer=where, value=shown(tag), allowed=kinds, hint="kind is required: say which")]
        close = nearest(str(tag), map(str, kinds))
        hint = f"did you mean {close!r}?" if close else "choose one of the allowed kinds"
        return [ProblemError(pointer=where, value=shown(tag), allowed=kinds, hint=f"unknown kind {tag!r}: {hint}")]
    if kind in ("literal_error", "enum") and isinstance(given, str):
        options: list[JsonValue] = [*_options(info)]
        close = nearest(given, map(str, options))
        hint = f"did you mean {close!r}?" if close else "choose one of the allowed values"
        return [ProblemError(pointer=where, value=shown(given), allowed=options or context.get("expected"), hint=hint)]
    name = next((part for part in reversed(path) if isinstance(part, str)), "")
    allowed = _allowed(owner, name)
    return [ProblemError(pointer=where, value=shown(given), allowed=allowed, hint=_hint(kind, detail, given))]


_COMPARISONS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def _hint(kind: str, detail: Any, given: object) -> str:
    if kind in ("float_type", "int_type", "int_from_float"):
        if isinstance(given, str):
            return "write a number without quotes: JSON strings are never numbers"
        if isinstance(given, bool):
            return "write a number: true and false are not numbers"
        if given is None:
            return "write a number, or leave the key out"
        return "write a whole number" if kind != "float_type" else "write a number"
    if kind in ("bool_type", "bool_parsing"):
        return "write true or false"
    if kind == "finite_number":
        return "write a finite number: NaN, infinity and numbers beyond binary64 are refused"
    if kind in ("tuple_type", "list_type"):
        return "write a list, in square brackets"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "write an object with named fields"
    if kind in ("too_short", "string_too_short"):
        return "must not be empty"
    if kind in _COMPARISONS:
        key, words = _COMPARISONS[kind]
        return f"must be {words} {detail['ctx'][key]:.16g}"
    if kind == "string_pattern_mismatch":
        return f"must match {detail['ctx']['pattern']}"
    return str(detail["msg"]).replace("Input should be", "must be")


def parameter_hint(detail: Any) -> str:
    """What to do about a parameter of an address or a header: those are texts, and a number is written as one."""
    kind, given = detail["type"], detail.get("input")
    if kind in ("float_parsing", "int_parsing", "int_from_float"):
        return "write a number" if kind == "float_parsing" else "write a whole number"
    if kind == "missing":
        return f"{detail['loc'][-1]} is required"
    if kind in ("literal_error", "enum"):
        close = nearest(str(given), re.findall(r"'([^']+)'", str(detail["ctx"]["expected"])))
        return f"did you mean {close!r}?" if close else "choose one of the allowed values"
    return _hint(kind, detail, given)


def _locate(loc: tuple[str | int, ...], model: type[BaseModel]) -> tuple[list[str | int], Any, FieldInfo | None]:
    """Path without pydantic's union tags, the model that owns its last name, and that field if it exists."""
    path: list[str | int] = []
    owner: type[BaseModel] | None = model
    info: FieldInfo | None = None
    parts = list(loc)
    while parts:
        part = parts.pop(0)
        if isinstance(part, str) and part in ("<number>", "<list>"):
            continue
        path.append(part)
        if owner is None or isinstance(part, int):
            continue
        info = owner.model_fields.get(part)
        if info is None:
            return [*path, *parts], owner, None
        inner = _model_of(info.annotation)
        if members := _members(info):
            inner = members.get(str(parts.pop(0))) if parts else None
        if parts and inner is not None:
            owner = inner
    return path, owner, info


def _members(info: FieldInfo | None) -> dict[str, type[BaseModel]]:
    """Kinds of a discriminated union field, empty for every other field."""
    if info is None or info.discriminator != "kind":
        return {}
    found = {}
    for member in typing.get_args(info.annotation):
        for kind in typing.get_args(member.model_fields["kind"].annotation):
            found[kind] = member
    return found


def _model_of(annotation: Any) -> type[BaseModel] | None:
    candidates = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)


def _options(info: FieldInfo | None) -> list[str]:
    """Values of a Literal field, or of the Literal inside a tuple field."""
    annotation = info.annotation if info is not None else None
    while annotation is not None:
        arguments = typing.get_args(annotation)
        if typing.get_origin(annotation) is typing.Literal:
            return [str(a) for a in arguments]
        annotation = arguments[0] if arguments else None
    return []


def _allowed(owner: type[BaseModel] | None, name: str | int) -> Any:
    """What a field accepts, in words, from the JSON schema of the model that owns it."""
    if owner is None:
        return None
    schema = _schema(owner)
    return _words(schema.get("properties", {}).get(name, {}), schema.get("$defs", {}))


@functools.cache
def _schema(owner: type[BaseModel]) -> dict[str, Any]:
    return owner.model_json_schema()


def _words(schema: dict[str, Any], defs: dict[str, Any]) -> str | None:
    if "discriminator" in schema:
        return "an object of kind " + ", ".join(schema["discriminator"]["mapping"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            parts = [_words(s, defs) for s in schema[key] if s.get("type") != "null"]
            return " or ".join(p for p in parts if p) or None
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    kind = schema.get("type")
    if kind == "array":
        inner = _words(schema.get("items", {}), defs)
        return f"a list ({inner} each)" if inner else "a list"
    if kind in ("number", "integer"):
        low = _tightest(schema, (("minimum", ">="), ("exclusiveMinimum", ">")), max)
        high = _tightest(schema, (("maximum", "<="), ("exclusiveMaximum", "<")), min)
        bounds = " and ".join(filter(None, (low, high)))
        return " ".join(filter(None, ["a number" if kind == "number" else "a whole number", bounds]))
    if kind == "string":
        limit = f" of at most {schema['maxLength']} characters" if "maxLength" in schema else ""
        return f"text{limit}"
    return "an object" if "$ref" in schema or kind == "object" else None


def _tightest(schema: dict[str, Any], keys: tuple[tuple[str, str], ...], pick: Any) -> str | None:
    """The binding one of an inclusive and an exclusive bound."""
    bounds = [(schema[key], sign) for key, sign in keys if key in schema]
    if not bounds:
        return None
    value, sign = pick(bounds, key=lambda bound: bound[0])
    return f"{sign} {value:.16g}"


def _meaning(info: FieldInfo | None) -> str:
    return f": {info.description}" if info is not None and info.description else ""
