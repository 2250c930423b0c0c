"""Many experiments in one request: lines are validated in threads, a chunk at a time, and each chunk is one pipeline.

Every line is answered as if it had come alone: what is wrong with one says nothing of the others.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from initshape.spec.parse import parse_json
from initshape.spec.problem import Problem, SpecError
from initshape.spec.status import Status
from initshape.spec.uploaded import Uploads
from initshape.store import Queue, StoreFullError, StoreUnavailableError, jobs
from initshape.store.admission import Entry
from initshape.store.jobs import Submitted
from service import views
from service.bodies import uploads_of_lines
from service.errors import INTERNAL, TOO_LARGE, problem_of, spec_problem, store_problem
from service.preparation import PreparedExperiment, prepare_experiment, submitter
from service.quotas import refusal
from service.schemas import Accepted, LineAnswer
from service.services import Services
from service.settings import Settings
from service.webhooks.address import check

CHUNK = 500
"""Lines that are validated and stored together: large enough that round trips do not count."""
PATH = "/v1/batch"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Line:
    """A line of the request and its number, from 1."""

    number: int
    text: bytes


def lines_of(texts: Sequence[bytes]) -> list[Line]:
    """What is not blank."""
    return [Line(number, text) for number, text in enumerate(texts, 1) if text.strip()]


async def submit(services: Services, user: str, lines: Sequence[Line], entry: Entry) -> list[LineAnswer]:
    """One answer a line, in order.

    Errors: StoreUnavailableError, StoreFullError where nothing has been taken; later each line that was not says so.
    """
    answers: list[LineAnswer] = []
    for start in range(0, len(lines), CHUNK):
        chunk = lines[start : start + CHUNK]
        named = await uploads_of_lines(services, [line.text for line in chunk])
        prepare = partial(_prepare, chunk, named, services.settings)
        prepared = await services.in_thread(prepare)
        good = [found for found in prepared if isinstance(found, PreparedExperiment)]
        try:
            stored = await services.run_in_thread(
                jobs.submit_each([(found.request, submitter(user, found.submission)) for found in good], entry)
            )
        except (StoreUnavailableError, StoreFullError) as error:
            if not any(answer.body for answer in answers):
                raise
            away = store_problem(error, PATH)
            prepared = [found if isinstance(found, Problem) else away for found in prepared]
            stored = []
        _ring(services, good, stored)
        answers += _answers(chunk, prepared, iter(stored), services.settings)
    return answers


def _prepare(lines: Sequence[Line], uploads: Uploads, settings: Settings) -> list[PreparedExperiment | Problem]:
    return [_prepare_one(line, uploads, settings) for line in lines]


def _prepare_one(line: Line, uploads: Uploads, settings: Settings) -> PreparedExperiment | Problem:
    if len(line.text) > settings.max_body:
        return problem_of(TOO_LARGE, f"Line {line.number} exceeds {settings.max_body} bytes.", PATH)
    try:
        prepared = prepare_experiment(parse_json(line.text), len(line.text), uploads, settings.limits)
        check(settings, prepared.submission.webhook)
        return prepared
    except SpecError as error:
        return spec_problem(error, PATH)
    except Exception:  # whatever it is, the other lines have nothing to do with it
        log.exception("line %d of a batch", line.number)
        return problem_of(INTERNAL, "The server failed on this line; its log says why.", PATH)


def _ring(services: Services, good: Sequence[PreparedExperiment], stored: Sequence[Submitted]) -> None:
    queued = {found.id for found in stored if found.ring}
    for queue in {found.request.queue for found in good if found.request.id in queued}:
        services.doorbell.ring(Queue(queue))


def _answers(
    lines: Sequence[Line],
    prepared: Sequence[PreparedExperiment | Problem],
    stored: Iterator[Submitted],
    settings: Settings,
) -> Iterator[LineAnswer]:
    for line, found in zip(lines, prepared, strict=True):
        if isinstance(found, Problem):
            yield LineAnswer(line=line.number, status=found.status, body=None, problem=found)
            continue
        done = next(stored)
        if (refused := refusal(done, settings, PATH)) is not None:
            yield LineAnswer(line=line.number, status=refused.status, body=None, problem=refused)
            continue
        status = done.status or Status.queued
        body = Accepted(id=done.id, status=status, links=views.experiment_links(done.id))
        yield LineAnswer(line=line.number, status=200 if status is Status.succeeded else 202, body=body, problem=None)
