"""RFC 8785 canonical JSON, at the speed of accepting an experiment.

What documents mostly consist of (objects with ASCII keys, text, small integers, numbers that Python and ECMAScript
write alike) is written here; everything else is the rfc8785 library's, which takes five times as long.
"""

from __future__ import annotations

from functools import lru_cache
from json.encoder import encode_basestring as _quoted  # it escapes exactly what RFC 8785 wants escaped
from typing import Any, Final

import rfc8785
from pydantic import JsonValue

_SAFE: Final = 2**53
"""Beyond it a number is no integer for ECMAScript: refused."""


def canonical_text(document: JsonValue) -> bytes:
    """Canonical UTF-8. Raises rfc8785.CanonicalizationError for NaN, infinities, integers beyond 2^53, no Unicode."""
    try:
        return _text(document).encode()
    except UnicodeEncodeError as error:
        raise rfc8785.CanonicalizationError("the text is no Unicode") from error


def _text(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return _quoted(value)
    if kind is float:
        if not value:
            return "0"  # without a sign
        digits, e, exponent = repr(value).partition("e")
        if not e and "n" not in digits:  # neither nan nor inf
            return digits.removesuffix(".0")
        if len(exponent) > 2 and exponent[1] != "0" and not 15 < int(exponent) < 21:  # as ECMAScript writes it
            return digits + e + exponent
    elif kind is dict:
        fields = _fields(tuple(value))
        if fields is not None:
            return "{" + ",".join([begin + _text(value[name]) for name, begin in fields]) + "}"
    elif kind is list or kind is tuple:
        return "[" + ",".join(map(_text, value)) + "]"
    elif kind is int and -_SAFE < value < _SAFE:
        return str(value)
    elif kind is bool:
        return "true" if value else "false"
    return rfc8785.dumps(value).decode()


@lru_cache(maxsize=1024)
def _fields(names: tuple[Any, ...]) -> list[tuple[str, str]] | None:
    """The fields of an object in order, each with how its line begins; None where their order is not that of ASCII."""
    if not all(isinstance(name, str) and name.isascii() for name in names):
        return None
    return [(name, f"{_quoted(name)}:") for name in sorted(names)]
