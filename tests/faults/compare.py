"""`python -m tests.faults.compare FOLDER`: the stored results of a chaos run beside those of a quiet run.

A process of its own: it computes with the settings of a worker, which must be there before JAX is loaded. Ids come on
stdin, one a line; where Redis is says the environment.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from initshape.numerics_environment import one_core
from tests.faults.client import numbers_of
from tests.faults.journal import Journal
from tests.sameness import EFFORT


def main() -> None:
    """One `compared` line a job with a result."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    one_core(compilation_cache=Path(os.environ["INITSHAPE_COMPILATION_CACHE"]))
    from initshape.run import run
    from initshape.spec.experiment import Experiment
    from initshape.store import Store, StoreSettings, jobs, results
    from initshape.store.documents import encode

    journal = Journal(Path(sys.argv[1]) / "journal.jsonl")
    store = Store(StoreSettings.from_environment())
    for id in sys.stdin.read().split():
        stored, arrays = store.run(results.read(id)), store.run(results.read_arrays(id))
        document = store.run(jobs.document(id))
        if stored is None or arrays is None or document is None:
            journal.write("compared", id=id, difference=None, bits=False)
            continue
        quiet = run(Experiment.model_validate_json(encode(document)), id=id)
        ours, theirs = json.loads(stored.document), json.loads(quiet.result.model_dump_json())
        difference = max(document_difference(ours, theirs), arrays_difference(arrays, quiet.arrays))
        bits = numbers_of(ours) == numbers_of(theirs) and same_bits(arrays, quiet.arrays)
        kind = document["flow"]["kind"]
        journal.write("compared", id=id, difference=_finite(difference), bits=bits, flow=kind)
    store.close()
    journal.close()


def document_difference(one: Any, other: Any, place: str = "") -> float:
    """The largest difference of two numbers in the same place, relative above 1; inf where anything else differs."""
    if isinstance(one, dict) and isinstance(other, dict):
        left_out = EFFORT | {"provenance"} | ({"iterations"} if place.startswith("/fits") else set())
        if one.keys() != other.keys():
            return math.inf
        return max((document_difference(one[n], other[n], f"{place}/{n}") for n in one.keys() - left_out), default=0.0)
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return math.inf
        pairs = enumerate(zip(one, other, strict=True))
        return max((document_difference(a, b, f"{place}/{k}") for k, (a, b) in pairs), default=0.0)
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) / max(1.0, abs(one), abs(other))
    return 0.0 if one == other else math.inf


def arrays_difference(one: dict[str, Any], other: dict[str, Any]) -> float:
    """The same for arrays, relative to the largest entry of each."""
    if one.keys() != other.keys():
        return math.inf
    worst = 0.0
    for name, array in one.items():
        if array.shape != other[name].shape:
            return math.inf
        size = float(np.nanmax(np.abs(array), initial=0.0)) or 1.0
        if not np.array_equal(np.isnan(array), np.isnan(other[name])):
            return math.inf
        worst = max(worst, float(np.nanmax(np.abs(array - other[name]), initial=0.0)) / size)
    return worst


def same_bits(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether the same arrays have the same bytes."""
    return one.keys() == other.keys() and all(one[n].tobytes() == other[n].tobytes() for n in one)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


if __name__ == "__main__":
    main()
