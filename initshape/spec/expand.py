"""Cells of a sweep: the product of axes, zips and replicates (first axis slowest), then the listed cells."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any

from pydantic import JsonValue, ValidationError

from initshape.spec.experiment import Experiment
from initshape.spec.explain import explain
from initshape.spec.identity import content_id, experiment_id
from initshape.spec.problem import ProblemError, SpecError, shown
from initshape.spec.sweep import LARGEST_SWEEP, Axis, Sweep
from initshape.spec.uploaded import NOTHING, Uploads


@dataclass(frozen=True)
class Cell:
    """One experiment of a sweep with the values that the sweep gave it, by path."""

    id: str
    experiment: Experiment
    values: dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """One path set to one value, and the pointer to that value in the document."""

    path: str
    value: Any
    pointer: str


def expand(sweep: Sweep, uploads: Uploads = NOTHING) -> tuple[Cell, ...]:
    """All cells in order, duplicates merged; they may name `uploads`.

    Raises SpecError with a pointer to the value that is wrong.
    """
    cells: dict[str, Cell] = {}
    for settings in combinations(sweep):
        experiment = _experiment(sweep.base, settings, uploads)
        identity = experiment_id(experiment)
        cells.setdefault(identity, Cell(identity, experiment, {s.path: s.value for s in settings}))
    return tuple(cells.values())


def sweep_id(cells: tuple[Cell, ...]) -> str:
    """`s-` and 26 characters over the cells in order, the values that label them, and the order of the labels."""
    labelled: list[JsonValue] = [{"id": cell.id, "values": cell.values} for cell in cells]
    return content_id("s-", {"cells": labelled, "columns": list[JsonValue](columns(cells).values())})


def columns(cells: tuple[Cell, ...]) -> dict[str, str]:
    """Table column of each swept path: its last segment, or the whole path where two paths would share it."""
    paths = list(dict.fromkeys(path for cell in cells for path in cell.values))
    last = [path.rsplit(".", 1)[-1] for path in paths]
    return {path: name if last.count(name) == 1 else path for path, name in zip(paths, last, strict=True)}


def axis_values(axis: Axis) -> tuple[Any, ...]:
    """The values of an axis. logspace is correctly rounded, so that it is the same on every machine."""
    if axis.values is not None:
        return axis.values
    low, high, count = axis.linspace or axis.logspace or (0.0, 0.0, 1)
    step = (high - low) / (count - 1) if count > 1 else 0.0
    grid = [low + i * step for i in range(int(count) - 1)] + [high if count > 1 else low]
    return tuple(grid) if axis.linspace is not None else tuple(_power_of_ten(x) for x in grid)


def _power_of_ten(exponent: float) -> float:
    with localcontext() as context:
        context.prec = 40
        return float(Decimal(10) ** Decimal(exponent))


def combinations(sweep: Sweep) -> Iterator[tuple[Setting, ...]]:
    """The settings of every cell, in order. Raises SpecError when there are too many."""
    dimensions: list[list[tuple[Setting, ...]]] = []
    for i, axis in enumerate(sweep.axes):
        source = "values" if axis.values is not None else "linspace" if axis.linspace is not None else "logspace"
        where = f"/sweep/axes/{i}/{source}"
        dimensions.append(
            [
                (Setting(axis.path, v, f"{where}/{k}" if axis.values is not None else where),)
                for k, v in enumerate(axis_values(axis))
            ]
        )
    for i, zipped in enumerate(sweep.zip):
        dimensions.append(
            [
                tuple(
                    Setting(path, value, f"/sweep/zip/{i}/values/{k}/{j}")
                    for j, (path, value) in enumerate(zip(zipped.paths, row, strict=True))
                )
                for k, row in enumerate(zipped.values)
            ]
        )
    if sweep.replicate is not None:
        path = sweep.replicate.path
        dimensions.append(
            [(Setting(path, v, f"/sweep/replicate/values/{k}"),) for k, v in enumerate(sweep.replicate.values)]
        )
    total = len(sweep.list)
    product = 1
    for dimension in dimensions:
        product *= len(dimension)
    total += product if dimensions else 0
    if total > LARGEST_SWEEP:
        raise SpecError(
            f"The sweep has {total} cells; at most {LARGEST_SWEEP} are allowed.",
            (ProblemError(pointer="/sweep", value=total, allowed=f"at most {LARGEST_SWEEP} cells",
                          hint="split the sweep or shorten an axis"),),
        )  # fmt: skip
    if dimensions:
        for combination in itertools.product(*dimensions):
            yield tuple(itertools.chain.from_iterable(combination))
    for k, entry in enumerate(sweep.list):
        yield tuple(Setting(path, value, f"/sweep/list/{k}/{path}") for path, value in entry.items())


def _experiment(base: dict[str, Any], settings: tuple[Setting, ...], uploads: Uploads) -> Experiment:
    document = overlay(base, settings)
    try:
        return Experiment.model_validate(document, context=uploads)
    except ValidationError as error:
        problems = tuple(relocate(p, settings) for p in explain(error, Experiment))
        raise SpecError("A cell of the sweep is not a valid experiment.", problems) from None


def overlay(base: dict[str, Any], settings: tuple[Setting, ...]) -> dict[str, Any]:
    """The base with every setting written into it; only the objects on the way are copied, never large arrays."""
    document = copy.copy(base)
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
