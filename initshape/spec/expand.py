"""Cells of a sweep: the product of axes, zips and replicates (first axis slowest), then the listed cells."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from operator import itemgetter
from typing import Any, Final

from pydantic import JsonValue

from initshape.spec.assembly import Assembler
from initshape.spec.canonical import canonical_text
from initshape.spec.experiment import Experiment
from initshape.spec.identity import text_id
from initshape.spec.overlay import Setting
from initshape.spec.problem import ProblemError, SpecError
from initshape.spec.sweep import LARGEST_SWEEP, Axis, Sweep
from initshape.spec.uploaded import NOTHING, Uploads


@dataclass(frozen=True, slots=True)
class Cell:
    """One experiment of a sweep, its resolved document, and the values that the sweep gave it, by path.

    Cells share the sections of their documents: none may be changed.
    """

    id: str
    experiment: Experiment
    document: Mapping[str, Any]
    values: dict[str, Any]


def expand(sweep: Sweep, uploads: Uploads = NOTHING) -> tuple[Cell, ...]:
    """All cells in order, duplicates merged; they may name `uploads`.

    Raises SpecError with a pointer to the value that is wrong.
    """
    assembler = Assembler(sweep.base, uploads)
    cells: dict[str, Cell] = {}
    for settings in combinations(sweep):
        made = assembler.cell(settings)
        if made.id not in cells:
            cells[made.id] = Cell(made.id, made.experiment, made.document, {s.path: s.value for s in settings})
    return tuple(cells.values())


def sweep_id(cells: tuple[Cell, ...]) -> str:
    """`s-` and 26 characters over the cells in order, the values that label them, and the order of the labels."""
    known: dict[tuple[str, int], bytes] = {}  # cells share the values that the document gave them once
    labelled = b",".join([_labelled(cell, known) for cell in cells])
    names = canonical_text(list[JsonValue](columns(cells).values()))
    return text_id("s-", b'{"cells":[%b],"columns":%b}' % (labelled, names))


def _labelled(cell: Cell, known: dict[tuple[str, int], bytes]) -> bytes:
    """Canonical JSON of an id and the values beside it."""
    texts = []
    for path, value in sorted(cell.values.items(), key=_path):
        text = known.get((path, id(value)))
        if text is None:
            text = known[path, id(value)] = canonical_text(path) + b":" + canonical_text(value)
        texts.append(text)
    return b'{"id":"%b","values":{%b}}' % (cell.id.encode(), b",".join(texts))


_path = itemgetter(0)


def columns(cells: tuple[Cell, ...]) -> dict[str, str]:
    """Table column of each swept path: its last segment, or the whole path where two paths would share it."""
    paths = list(dict.fromkeys(path for cell in cells for path in cell.values))
    last = [path.rsplit(".", 1)[-1] for path in paths]
    return {path: name if last.count(name) == 1 else path for path, name in zip(paths, last, strict=True)}


def shown_values(cell: Cell, paths: Iterable[str]) -> dict[str, Any]:
    """What tables show of a cell at swept paths, also where it leaves one to the base; paths it has not are absent.

    Of the base only single values are taken, never a section or a list: data may be long.
    """
    found = ((path, cell.values[path] if path in cell.values else _single(cell.document, path)) for path in paths)
    return {path: value for path, value in found if value is not _UNSET}


def _single(document: Mapping[str, Any], path: str) -> Any:
    value: Any = document
    for name in path.split("."):
        value = value.get(name, _UNSET) if isinstance(value, Mapping) else _UNSET
    return value if isinstance(value, (str, int, float)) else _UNSET


_UNSET: Final = object()


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
