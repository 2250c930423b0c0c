"""A store as it fills over the years, by its own operations: experiments that wait, and cells that have ended."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from initshape.run import run
from initshape.spec.identity import resolved, resolved_id
from initshape.spec.parse import parse_submission
from initshape.store import Store, jobs, leases
from initshape.store.jobs import Answer, JobRequest
from initshape.store.leases import Finish
from initshape.store.publish import publish
from initshape.store.records import Submitter

RARE = 1000
"""One experiment in so many has the tag and the value that filters look for."""
RARE_TAG, RARE_SHAPE = "rare", 0.25
COMPUTED = 500
"""One cell in so many is computed; its result stands for those up to the next one."""
_CHUNK = 5000


def experiment(seed: int, shape: float = 0.5) -> dict[str, Any]:
    """A small one that needs no flow; experiments differ by their seed."""
    return {
        "dataset": {"kind": "sparse_regression", "dimension": 20, "samples": 5, "sparsity": 2, "test_samples": 10,
                    "seed": seed},
        "model": {"kind": "diagonal"}, "init": {"kind": "scale_shape", "scale": 0.01, "shape": shape},
        "flow": {"kind": "none"}, "regularizers": ["implicit"],
    }  # fmt: skip


def fill(store: Store, first: int, count: int) -> None:
    """Submits experiments with the seeds `first`, `first + 1`, ...; every one is new."""
    for start in range(first, first + count, _CHUNK):
        wanted = list(_wanted(start, min(_CHUNK, first + count - start)))
        answers = store.run(jobs.submit_each(wanted))
        if any(answer.answer is not Answer.queued for answer in answers):
            raise RuntimeError("the experiments are not new")


def finish(store: Store, cells: int) -> None:
    """Ends the `cells` jobs that come first, as a worker does: claim, upload, fenced finish."""
    done, document, arrays, outcome = 0, b"", {}, ""
    while done < cells:
        for claim in store.run(leases.claim("benchmark", "cpu", limit=100, lease_seconds=600.0)):
            if done % COMPUTED == 0:
                output = run(parse_submission({"experiment": claim.document}).experiment, id="ID")
                document, arrays = output.result.model_dump_json().encode(), output.arrays
                outcome = output.result.outcome.value
            own = document.replace(b'"ID"', f'"{claim.id}"'.encode())
            published = store.run(publish(claim.id, claim.fence, own, arrays, outcome))
            if published.end is not Finish.accepted:
                raise RuntimeError(f"{claim.id}: {published.end}")
            done += 1


def _wanted(first: int, count: int) -> Iterator[tuple[JobRequest, Submitter]]:
    """What the API makes of the documents; only the seed and the shape are put in anew for each of them."""
    template = resolved(parse_submission({"experiment": experiment(0)}).experiment)
    plain, rare = Submitter("mia", "filling", ("bulk",)), Submitter("mia", "filling", ("bulk", RARE_TAG))
    for seed in range(first, first + count):
        document = copy.deepcopy(template)
        document["dataset"]["seed"] = seed
        if seed % RARE == 0:
            document["init"]["shape"] = RARE_SHAPE
        yield JobRequest(resolved_id(document), document), rare if seed % RARE == 0 else plain
