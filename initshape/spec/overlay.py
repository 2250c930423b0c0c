"""One cell of a sweep as a document: the base with some paths set, and where its problems came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from initshape.spec.problem import ProblemError, SpecError, shown


@dataclass(frozen=True, eq=False, slots=True)
class Setting:
    """One path set to one value, and the pointer to that value in the document. Shared by the cells that have it."""

    path: str
    value: Any
    pointer: str


def overlay(base: Mapping[str, Any], settings: tuple[Setting, ...]) -> dict[str, Any]:
    """The base with every setting written into it; only the objects on the way are copied, never large arrays."""
    document = dict(base)
    copied: dict[tuple[str, ...], dict[str, Any]] = {(): document}
    for setting in settings:
        *parents, last = setting.path.split(".")
        node = document
        for depth, name in enumerate(parents, start=1):
            key = tuple(parents[:depth])
            if key not in copied:
                child = node.get(name, {})
                if not isinstance(child, dict):
                    raise SpecError(
                        f"The path {setting.path!r} does not lead into an object.",
                        (ProblemError(pointer=setting.pointer, value=shown(child), allowed="a path of object keys",
                                      hint=f"{'.'.join(key)} is not an object in base"),),
                    )  # fmt: skip
                node[name] = copied[key] = dict(child)
            node = copied[key]
        node[last] = setting.value
    return document


def relocate(problem: ProblemError, settings: tuple[Setting, ...]) -> ProblemError:
    """Points at the swept value where a setting wrote the offending field, else into base."""
    for setting in settings:
        own = "/" + setting.path.replace(".", "/")
        if problem.pointer == own or problem.pointer.startswith(own + "/"):
            rest = problem.pointer[len(own) :]
            return problem.model_copy(update={"pointer": setting.pointer + rest})
    return problem.model_copy(update={"pointer": "/sweep/base" + problem.pointer})
