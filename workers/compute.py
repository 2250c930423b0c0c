"""One claim to a result, or to the error object where the machinery failed."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from initshape.batch import Cell, run_many
from initshape.regularizers import Neighbours
from initshape.run import RunOutput, run
from initshape.simulate import Progress, whole
from initshape.spec.experiment import Experiment
from initshape.spec.outcome import Outcome
from initshape.spec.problem import JobError
from initshape.spec.result import Result
from initshape.spec.uploaded import named_by
from initshape.store import Store
from initshape.store.documents import encode
from initshape.store.leases import Claim
from initshape.store.tallies import NOTHING, Facts
from workers.checkpoints import Keeper
from workers.memory import ran_out
from workers.uploads import Shelf, UploadGoneError
from workers.watch import Abandoned

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Computed:
    """What is to be stored. `known`: it may answer later submissions of the same experiment."""

    document: bytes
    arrays: Mapping[str, NDArray[Any]]
    outcome: str
    known: bool
    facts: Facts = NOTHING


def compute(store: Store, claim: Claim, on_progress: Callable[[Any], None], shelf: Shelf) -> Computed | JobError:
    """Runs the experiment of a claim, with what it has uploaded from the shelf, from the checkpoint that there may be.

    Numerical trouble is part of the result; an Abandoned goes through.
    """
    try:
        experiment = _experiment(claim, shelf)
        if isinstance(experiment, JobError):
            return experiment
        keeper = Keeper(store, claim)
        checkpoints = keeper.checkpoints()
        report = _from_where_it_stood(on_progress, keeper)
        return _computed(claim, run(experiment, report, id=claim.id, checkpoints=checkpoints), keeper)
    except Exception as error:  # noqa: BLE001 - whatever breaks becomes the job's error object, never the worker's end
        return _explain(error, claim)


def compute_many(
    store: Store, claims: Sequence[Claim], reports: Sequence[Callable[[Any], None]], shelf: Shelf
) -> Iterator[tuple[int, Computed | JobError | Abandoned]]:
    """The same for claims of one shape, which share what they can; each comes with its number as soon as it ends.

    A claim's report is called first when its turn comes. An Abandoned that it raises is the answer for that claim.
    What fits of one claim have learnt serves those of the next one in this process.
    """
    order: list[int] = []
    keepers = [Keeper(store, claim) for claim in claims]
    unread: list[tuple[int, JobError]] = []

    def cells() -> Iterator[Cell]:
        for number, (claim, report) in enumerate(zip(claims, reports, strict=True)):
            try:
                experiment = _experiment(claim, shelf)
            except Exception as error:  # noqa: BLE001 - as in `compute`
                experiment = _explain(error, claim)
            if isinstance(experiment, JobError):
                unread.append((number, experiment))
                continue
            order.append(number)
            keeper = keepers[number]
            checkpoints = keeper.checkpoints()
            yield Cell(experiment, claim.id, _from_where_it_stood(report, keeper), checkpoints)

    for place, end in run_many(cells(), _neighbours()):
        number = order[place]
        yield from _taken(unread)
        if isinstance(end, RunOutput):
            yield number, _computed(claims[number], end, keepers[number])
        elif isinstance(end, Abandoned):
            yield number, end
        elif isinstance(end, Exception):
            yield number, _explain(end, claims[number])
        else:
            raise end
    yield from _taken(unread)


@functools.cache
def _neighbours() -> Neighbours:
    return Neighbours()


def _taken(ready: list[tuple[int, JobError]]) -> Iterator[tuple[int, JobError]]:
    while ready:
        yield ready.pop(0)


def _experiment(claim: Claim, shelf: Shelf) -> Experiment | JobError:
    if claim.document is None:
        return JobError(code="internal", detail="A part of the document has been lost.", advice="Submit it again.")
    stop = {**claim.document.get("stop", {}), "max_seconds": claim.max_seconds}
    uploads = shelf.fetch(named_by(claim.document))
    return Experiment.model_validate_json(encode({**claim.document, "stop": stop}), context=uploads)


def _from_where_it_stood(report: Callable[[Any], None], keeper: Keeper) -> Callable[[Progress], None]:
    """What an attempt that goes on does again before the flow (data, fits) is no step back."""
    if keeper.fraction == 0.0:
        return report
    stood = whole(keeper.fraction)
    return lambda progress: report(replace(progress, fraction=max(progress.fraction, stood)))


def _computed(claim: Claim, output: RunOutput, keeper: Keeper) -> Computed:
    made = output.result.provenance
    provenance = made.model_copy(update={"attempt": claim.attempt, "resumed": keeper.mark(made.resumed)})
    result = output.result.model_copy(update={"provenance": provenance})
    return Computed(
        document=result.model_dump_json().encode(),
        arrays=output.arrays,
        outcome=result.outcome.value,
        known=result.outcome is not Outcome.out_of_time,
        facts=_facts(claim, result),
    )


def _facts(claim: Claim, result: Result) -> Facts:
    model = (claim.document or {}).get("model", {}).get("kind", "")
    flow = None if result.flow is None else result.flow.outcome.value
    return Facts(model, result.provenance.device, flow, [(fit.regularizer, fit.outcome.value) for fit in result.fits])


def _explain(error: Exception, claim: Claim) -> JobError:
    if isinstance(error, UploadGoneError):
        return JobError(
            code="upload_gone",
            detail=f"The uploaded data are not there: {error}",
            advice="Upload the same content again (its id is the same), then rerun.",
        )
    logger.error("%s broke", claim.id, exc_info=error, extra=claim.trace)
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text:
        return ran_out(text[:300], claim.document)
    return JobError(
        code="internal",
        detail=f"The computation broke: {text[:500]}.",
        advice="This is a fault of the service, not of the experiment: please report it with the id.",
    )
