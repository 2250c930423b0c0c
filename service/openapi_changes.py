"""What in a newer OpenAPI document breaks the clients of an older one: `python -m service.openapi_changes OLD NEW`.

Requests that were right must stay right, and answers must hold what they held. Additions break nothing: new operations,
optional parameters and properties, more that is accepted, more that is told.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

Schema = dict[str, Any]
METHODS: Final = ("get", "put", "post", "delete", "patch")
_LOWEST: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_HIGHEST: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_INTEGER_IS_NUMBER: Final = {("integer", "number")}


def breaking(old: Schema, new: Schema) -> list[str]:
    """One line for each change that breaks a client; empty where none does."""
    return list(dict.fromkeys(_Comparison(old, new).operations()))


class _Comparison:
    """Two documents, whose references are looked up as they are met."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old, new
        self._seen: set[tuple[str, str, bool]] = set()

    def operations(self) -> Iterator[str]:
        """Every operation of the old document."""
        for path, methods in self._old["paths"].items():
            for method in METHODS:
                if method not in methods:
                    continue
                where = f"{method.upper()} {path}"
                found = self._new["paths"].get(path, {}).get(method)
                if found is None:
                    yield f"{where}: is gone"
                else:
                    yield from self._operation(where, methods[method], found)

    def _operation(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        if old.get("operationId") != new.get("operationId"):
            yield f"{where}: operationId was {old.get('operationId')}"
        if new.get("security") and not old.get("security"):
            yield f"{where}: asks for a token now"
        yield from self._parameters(where, old, new)
        yield from self._body(where, old, new)
        for status, answer in old["responses"].items():
            if not status.startswith("2"):
                continue
            if status not in new["responses"]:
                yield f"{where}: no answer {status} any more"
                continue
            for media, entry in answer.get("content", {}).items():
                there = new["responses"][status].get("content", {}).get(media)
                if there is None:
                    yield f"{where}: answer {status} is no longer {media}"
                else:
                    yield from self._told(f"{where} {status}", entry.get("schema", {}), there.get("schema", {}))

    def _parameters(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        before, after = ({(p["in"], p["name"]): p for p in one.get("parameters", ())} for one in (old, new))
        for place, parameter in before.items():
            name = f"{where} {place[0]} {place[1]}"
            if place not in after:
                yield f"{name}: is gone"
            else:
                yield from self._taken(name, parameter.get("schema", {}), after[place].get("schema", {}))
        for place, parameter in after.items():
            if parameter.get("required") and not before.get(place, {}).get("required"):
                yield f"{where} {place[0]} {place[1]}: is required now"

    def _body(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        before, after = old.get("requestBody", {}), new.get("requestBody", {})
        if after.get("required") and not before.get("required"):
            yield f"{where}: a body is required now"
        for media, entry in before.get("content", {}).items():
            there = after.get("content", {}).get(media)
            if there is None:
                yield f"{where}: no longer takes {media}"
            else:
                yield from self._taken(f"{where} body", entry.get("schema", {}), there.get("schema", {}))

    def _taken(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        """What clients send: all that was accepted must be accepted."""
        olds, news = self._alternatives(old, self._old), self._alternatives(new, self._new)
        for one in olds:
            yield from self._best(where, one, news, taken=True)

    def _told(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        """What clients read: all that is told must be something that was told."""
        olds, news = self._alternatives(old, self._old), self._alternatives(new, self._new)
        for one in news:
            yield from self._best(where, one, olds, taken=False)

    def _best(self, where: str, one: Schema, others: list[Schema], *, taken: bool) -> Iterator[str]:
        """The complaints about the alternative that has the fewest."""
        best: list[str] | None = None
        for other in others:
            before, after = (one, other) if taken else (other, one)
            found = list(self._pair(where, before, after, taken=taken))
            if best is None or len(found) < len(best):
                best = found
            if not best:
                return
        yield from best if best is not None else [f"{where}: is of no kind any more"]

    def _alternatives(self, schema: Schema, document: Schema) -> list[Schema]:
        schema = _looked_up(schema, document)
        for word in ("anyOf", "oneOf"):
            if word in schema:
                return [each for part in schema[word] for each in self._alternatives(part, document)]
        return [schema]

    def _pair(self, where: str, old: Schema, new: Schema, *, taken: bool) -> Iterator[str]:
        mark = (json.dumps(old, sort_keys=True), json.dumps(new, sort_keys=True), taken)
        if mark in self._seen or (old == new and not _has_reference(old)):
            return  # equal references are followed: what they lead to may differ
        self._seen.add(mark)
        try:
            yield from self._values(where, old, new, taken=taken)
            yield from self._properties(where, old, new, taken=taken)
            if "items" in old and "items" in new:
                compare = self._taken if taken else self._told
                yield from compare(f"{where}[]", old["items"], new["items"])
        finally:
            self._seen.discard(mark)

    def _values(self, where: str, old: Schema, new: Schema, *, taken: bool) -> Iterator[str]:
        """Types, words and bounds. What is taken may not narrow; what is told may not widen in type."""
        wide, narrow = (new, old) if taken else (old, new)
        kinds = (narrow.get("type"), wide.get("type"))
        if wide.get("type") is not None and kinds[0] != kinds[1] and kinds not in _INTEGER_IS_NUMBER:
            yield f"{where}: was {old.get('type')}, is {new.get('type')}"
            return
        if not taken:
            return
        words, before = _words(new), _words(old)
        if words is not None and (before is None or not before <= words):
            gone = "some" if before is None else ", ".join(sorted(map(str, before - words)))
            yield f"{where}: no longer takes {gone}"
        for names, worse in ((_LOWEST, 1), (_HIGHEST, -1)):
            for name in names:
                if name in new and (name not in old or worse * (new[name] - old[name]) > 0):
                    yield f"{where}: {name} was {old.get(name)}, is {new[name]}"
        if new.get("pattern") not in (None, old.get("pattern")):
            yield f"{where}: has another pattern"

    def _properties(self, where: str, old: Schema, new: Schema, *, taken: bool) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed, needs = set(old.get("required", ())), set(new.get("required", ()))
        if taken:
            yield from (f"{where}.{name}: is required now" for name in sorted(needs - needed))
            closed = new.get("additionalProperties") is False
            yield from (f"{where}.{name}: is gone" for name in before if closed and name not in after)
        else:
            yield from (f"{where}.{name}: is gone" for name in before if name not in after)
            yield from (f"{where}.{name}: may be missing now" for name in sorted((needed - needs) & set(after)))
        compare = self._taken if taken else self._told
        for name in before:
            if name in after:
                yield from compare(f"{where}.{name}", before[name], after[name])


def _looked_up(schema: Schema, document: Schema) -> Schema:
    while "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def _has_reference(schema: Schema) -> bool:
    return '"$ref"' in json.dumps(schema)


def _words(schema: Schema) -> set[Any] | None:
    words = [schema["const"]] if "const" in schema else schema.get("enum")
    return None if words is None else set(words)


def main(arguments: list[str]) -> int:
    """Prints what breaks. Exit code 1 where something does."""
    old, new = (json.loads(Path(name).read_text()) for name in arguments)
    found = breaking(old, new)
    print("\n".join(found) or "Nothing breaks.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
