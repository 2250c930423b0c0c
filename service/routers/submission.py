"""Submitting one experiment, and asking first what would be computed."""

from __future__ import annotations

import json
from functools import partial

from fastapi import APIRouter, FastAPI, Request, Response

from initshape.logs import note
from initshape.spec.estimate import warnings
from initshape.spec.experiment import Submission
from initshape.spec.status import Status
from initshape.store import Queue, StoreUnavailableError, jobs
from initshape.store.jobs import Answer
from service import views
from service.auth import CurrentCaller, Submitting, entry
from service.bodies import SMALL, read_document
from service.direct import DirectRoute
from service.errors import (
    BAD_REQUEST,
    FULL,
    INVALID,
    INVALID_PARAMETER,
    QUOTA,
    TIMED_OUT,
    TOO_LARGE,
    UNSUPPORTED,
)
from service.examples import EXPERIMENTS
from service.idempotency import IdempotencyKey, hold_to
from service.openapi import body, problems
from service.preparation import prepare_experiment, submitter
from service.quotas import refuse
from service.schemas import Accepted, Validated
from service.services import AppServices, Services, services_of
from service.waiting import Wait, settled
from service.webhooks.address import check

router = APIRouter(prefix="/v1/experiments", tags=["experiments"])

BODY = body("Submission", EXPERIMENTS)
BODY_PROBLEMS = (BAD_REQUEST, TIMED_OUT, TOO_LARGE, UNSUPPORTED, INVALID, INVALID_PARAMETER)
_LINKS = views.experiment_links("{id}")
_LOCATION = _LINKS["self"]
_ACCEPTED = json.dumps({"id": "{id}", "status": "{status}", "links": _LINKS}, separators=(",", ":"))
_KNOWN = "The result is stored."
_QUEUED = {"description": "Queued, or joined to an equal job; `Location` leads to its state.", "model": Accepted}


async def submit_experiment(
    request: Request, caller: Submitting, wait: Wait = 0.0, idempotency_key: IdempotencyKey = None
) -> Response:
    """Computes an experiment, unless its result is stored: equal computations have equal ids, whoever asks."""
    services = services_of(request)
    read = partial(prepare_experiment, limits=services.settings.limits)
    prepared = await read_document(request, services, read)
    check(services.settings, prepared.submission.webhook)
    if idempotency_key is not None:
        sent = prepared.submission.model_dump_json().encode()
        await hold_to(services, caller.user, "experiments", idempotency_key, sent, prepared.request.id)
    admitted = entry(services, caller, admitted=False)
    submission = jobs.submit(prepared.request, submitter(caller.user, prepared.submission), admitted)
    done = await (services.store.run if prepared.size <= SMALL else services.run_in_thread)(submission)
    refuse(done, services.settings)
    note(job=done.id, answer=done.answer.value)
    if done.ring:
        services.doorbell.ring(Queue(prepared.request.queue))
    status = done.status or Status.queued
    if wait and done.answer is not Answer.known:
        status = await _status_after(services, done.id, status, wait)
    return _answer(done.id, status)


def install(app: FastAPI) -> None:
    """Submission is a route of the app itself: a router between would have to be asked for it, each time."""
    app.router.add_api_route(
        router.prefix,
        submit_experiment,
        methods=["POST"],
        tags=["experiments"],
        operation_id="submit_experiment",
        response_model=Accepted,
        response_description=_KNOWN,
        responses={202: _QUEUED, **problems(*BODY_PROBLEMS, QUOTA, FULL, open_to_all=False)},
        openapi_extra=BODY,
        route_class_override=DirectRoute,
    )


@router.post(
    "/validate",
    operation_id="validate_experiment",
    responses=problems(*BODY_PROBLEMS, open_to_all=False),
    openapi_extra=BODY,
)
async def validate_experiment(request: Request, services: AppServices, caller: CurrentCaller) -> Validated:
    """What would be computed: every default filled in, the id, an estimate, warnings. Computes and stores nothing."""
    read = partial(prepare_experiment, limits=services.settings.limits)
    prepared = await read_document(request, services, read)
    submission: Submission = prepared.submission
    check(services.settings, submission.webhook)
    return Validated(
        id=prepared.request.id,
        spec=submission.model_dump(mode="json", exclude_none=True),
        estimate=views.estimate(prepared.estimate),
        warnings=warnings(submission.experiment),
    )


def _answer(job_id: str, status: Status) -> Response:
    """The body of `Accepted`, ready: the busiest route neither validates nor encodes what it has just made itself."""
    content = _ACCEPTED.replace("{id}", job_id).replace("{status}", status.value)
    if status is Status.succeeded:
        return Response(content, 200, media_type="application/json")
    return Response(content, 202, {"Location": _LOCATION.replace("{id}", job_id)}, "application/json")


async def _status_after(services: Services, job_id: str, status: Status, wait: float) -> Status:
    """The job is accepted whatever happens now: a store that goes away while we wait changes nothing about that."""
    try:
        found = await settled(services, [job_id], partial(jobs.status, job_id), _over, wait)
    except StoreUnavailableError:
        return status
    return found or status


def _over(status: Status | None) -> bool:
    return status is None or status.terminal
