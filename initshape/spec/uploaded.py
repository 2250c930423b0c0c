"""What a spec can know of uploaded arrays: content id and sizes always, the numbers where they are to be computed with.

A document names an upload by its id alone. Whoever validates it gives the uploads that it may name as pydantic's
context: `Experiment.model_validate(document, context={upload.id: upload})`. The API gives facts, a worker numbers too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

DATASET_ID = r"^d-[a-z2-7]{26}$"
INIT_ID = r"^i-[a-z2-7]{26}$"
_ID = re.compile(r"[di]-[a-z2-7]{26}")


@dataclass(frozen=True)
class ArrayFacts:
    """Shape of one array, and its largest magnitude."""

    shape: tuple[int, ...]
    largest: float


@dataclass(frozen=True)
class LabelFacts:
    """What decides whether y can be fitted.

    `other` is the place and value of the first label that is neither -1 nor 1; `residual` is min_w ||Xw - y||/||y||, or
    an upper bound of it where that is below `feasibility.INCONSISTENT`.
    """

    zero: bool
    other: tuple[int, float] | None
    residual: float


@dataclass(frozen=True, eq=False)
class Upload:
    """A data set (`d-`, with `labels`) or an initialization (`i-`). Equal ids mean equal content.

    `arrays` are float64, C order and read-only, or None where only the facts are at hand.
    """

    id: str
    facts: Mapping[str, ArrayFacts]
    labels: LabelFacts | None = None
    arrays: Mapping[str, NDArray[np.float64]] | None = field(default=None, repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Upload) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def size(self) -> int:
        """Bytes of the numbers."""
        return sum(8 * int(np.prod(fact.shape, dtype=np.int64)) for fact in self.facts.values())


Uploads: TypeAlias = Mapping[str, Upload]
NOTHING: Uploads = {}


def found_in(context: Any, name: str) -> Upload | None:
    """The upload of this id in pydantic's context, if there is one."""
    return context.get(name) if isinstance(context, Mapping) else None


def upload_ids(document: Any) -> frozenset[str]:
    """Every id of an upload that a document may name, wherever it stands (a sweep has them among its values)."""
    return frozenset(_walk(document))


def named_by(experiment: Mapping[str, Any]) -> tuple[str, ...]:
    """The uploads that a resolved experiment names: at most its data set and its initialization."""
    places = (("dataset", "dataset_id"), ("init", "init_id"))
    found = (section.get(name) for part, name in places if isinstance(section := experiment.get(part), Mapping))
    return tuple(name for name in found if name is not None)


def _walk(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if _ID.fullmatch(one):
                yield one
        elif isinstance(one, Mapping):
            waiting.extend(one.values())
        elif isinstance(one, (list, tuple)):
            waiting.extend(one)
