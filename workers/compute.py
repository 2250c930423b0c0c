"""One claim to a result, or to the error object where the machinery failed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from initshape.run import run
from initshape.spec.experiment import Experiment
from initshape.spec.outcome import Outcome
from initshape.spec.problem import JobError
from initshape.store.documents import encode
from initshape.store.leases import Claim

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Computed:
    """What is to be stored. `known`: it may answer later submissions of the same experiment."""

    document: bytes
    arrays: Mapping[str, NDArray[Any]]
    outcome: str
    known: bool


def compute(claim: Claim, on_progress: Callable[[Any], None]) -> Computed | JobError:
    """Runs the experiment of a claim. Numerical trouble is part of the result; an Abandoned goes through."""
    if claim.document is None:
        return JobError(code="internal", detail="A part of the document has been lost.", advice="Submit it again.")
    try:
        stop = {**claim.document.get("stop", {}), "max_seconds": claim.max_seconds}
        experiment = Experiment.model_validate_json(encode({**claim.document, "stop": stop}))
        output = run(experiment, on_progress, id=claim.id)
    except Exception as error:  # whatever breaks becomes the job's error object, never the worker's end
        logger.exception("%s attempt %d broke", claim.id, claim.attempt)
        return _explain(error, claim)
    provenance = output.result.provenance.model_copy(update={"attempt": claim.attempt})
    result = output.result.model_copy(update={"provenance": provenance})
    return Computed(
        document=result.model_dump_json().encode(),
        arrays=output.arrays,
        outcome=result.outcome.value,
        known=result.outcome is not Outcome.out_of_time,
    )


def _explain(error: Exception, claim: Claim) -> JobError:
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text:
        dataset = (claim.document or {}).get("dataset", {})
        sizes = {name: dataset[name] for name in ("dimension", "samples") if name in dataset}
        return JobError(
            code="out_of_memory",
            detail=f"The job needs more memory than this worker has: {text[:300]} (sizes: {sizes}).",
            advice="Ask for a smaller dimension or fewer samples.",
        )
    return JobError(
        code="internal",
        detail=f"The computation broke: {text[:500]}.",
        advice="This is a fault of the service, not of the experiment: please report it with the id.",
    )
