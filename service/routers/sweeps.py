"""Many experiments from one document: preview, submit, list, follow, cancel, retry."""

from __future__ import annotations

import contextlib
from functools import partial

from fastapi import APIRouter, Request, Response

from initshape.spec.status import Status
from initshape.store import Operation, Queue, StoreUnavailableError, admission, audit, jobs, sweep_listing, sweeps
from initshape.store.jobs import Answer
from initshape.store.records import Submitter
from initshape.store.sweeps import SweepCounts, SweepRecord
from service import views
from service.auth import CurrentCaller, Member, actor, entry, may_force
from service.bodies import read_document
from service.errors import FULL, INVALID_PARAMETER, NOT_FOUND, QUOTA, NotFoundError
from service.examples import SWEEPS
from service.idempotency import IdempotencyKey, hold_to
from service.openapi import body, problems
from service.parameters import Cursor, Limit, Name, Owner, SweepPath, Tag, cursor_after, cursor_number, only
from service.preparation import PreparedSweep, prepare_sweep, submitter
from service.quotas import refuse_excess
from service.routers.experiments import Force
from service.routers.submission import BODY_PROBLEMS
from service.schemas import PreviewCell, SweepPage, SweepPreview, SweepView
from service.services import AppServices, Services
from service.waiting import Wait, settled
from service.webhooks.address import check

router = APIRouter(prefix="/v1/sweeps", tags=["sweeps"])

BODY = body("SweepSubmission", SWEEPS)
PREVIEWED = 1000
LARGE = 1000
"""Cells from which the counts are dear: a long poll then reads them less often."""
_QUEUED = {"description": "Cells were queued; `Location` leads to the state.", "model": SweepView}

Pair = tuple[SweepRecord | None, SweepCounts | None]


@router.post(
    "",
    operation_id="submit_sweep",
    response_description="Every cell has a stored result.",
    responses={202: _QUEUED, **problems(*BODY_PROBLEMS, QUOTA, FULL, open_to_all=False)},
    openapi_extra=BODY,
)
async def submit_sweep(
    request: Request,
    response: Response,
    services: AppServices,
    caller: Member,
    wait: Wait = 0.0,
    idempotency_key: IdempotencyKey = None,
) -> SweepView:
    """Submits every cell that has no stored result. Sent again, it goes on where it was; nothing is computed twice."""
    prepared = await _prepared(request, services)
    who = submitter(caller.user, prepared.submission)
    if idempotency_key is not None:
        sent = await services.in_thread(lambda: prepared.submission.model_dump_json().encode())
        await hold_to(services, caller.user, "sweeps", idempotency_key, sent, prepared.id)
    ids = [cell.id for cell in prepared.requests]
    room = admission.reserve(caller.user, ids, entry(services, caller), "submit", "submit_sweep", prepared.id)
    refuse_excess(await services.run_in_thread(room), services.settings)
    answers = await services.run_in_thread(sweeps.submit(prepared.id, prepared.stored, prepared.requests, who))
    queued = {answer.id for answer in answers if answer.answer is Answer.queued}
    for queue in {request.queue for request in prepared.requests if request.id in queued}:
        services.doorbell.ring(Queue(queue))
    view = await view_of(services, prepared.id)
    if wait and not view.status.terminal:
        with contextlib.suppress(StoreUnavailableError):  # the sweep is accepted, whatever happens to the store now
            view = await _settled_view(services, prepared.id, wait)
    if view.status is not Status.succeeded:
        response.status_code = 202
        response.headers["Location"] = view.links["self"]
    return view


@router.post(
    "/preview",
    operation_id="preview_sweep",
    responses=problems(*BODY_PROBLEMS, open_to_all=False),
    openapi_extra=BODY,
)
async def preview_sweep(request: Request, services: AppServices, caller: CurrentCaller) -> SweepPreview:
    """The cells, how many of them are cached, and an estimate. Computes and stores nothing."""
    prepared = await _prepared(request, services)
    ids = [cell.id for cell in prepared.requests]
    found = await services.run_in_thread(jobs.stored(ids))
    return SweepPreview(
        id=prepared.id,
        counts={"cells": len(ids), "cached": sum(known for _, known in found)},
        estimate=views.estimate(prepared.estimate),
        warnings=prepared.warnings[:20],
        axes=prepared.labels.columns,
        cells=tuple(
            PreviewCell(id=ids[k], values=prepared.labels.values(k), status=status)
            for k, (status, _) in enumerate(found[:PREVIEWED])
        ),
    )


@router.get("", operation_id="list_sweeps", responses=problems(INVALID_PARAMETER, open_to_all=False))
async def list_sweeps(
    request: Request,
    services: AppServices,
    caller: CurrentCaller,
    status: Status | None = None,
    owner: Owner = None,
    tag: Tag = None,
    name: Name = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> SweepPage:
    """Newest first; new ones do not shift the pages.

    A page looks at the newest thousand sweeps below its cursor at most, and counts some ten thousand cells to find a
    state: with filters it may hold fewer entries than `limit`, even none, and go on all the same. The list ends where
    `next` is null.
    """
    only(request, "status", "owner", "tag", "name", "limit", "cursor")
    before = cursor_number(cursor)
    read = sweep_listing.page(limit, before, status=status, owner=owner, tag=tag, name=name)
    page = await (services.run_in_thread if status or owner or tag or name else services.store.run)(read)
    return SweepPage(items=tuple(views.sweep(*pair) for pair in page.sweeps), next=cursor_after(page.before))


@router.get(
    "/{sweep_id:sweep}", operation_id="get_sweep", responses=problems(NOT_FOUND, INVALID_PARAMETER, open_to_all=False)
)
async def get_sweep(services: AppServices, caller: CurrentCaller, sweep_id: SweepPath, wait: Wait = 0.0) -> SweepView:
    """State of a sweep; with `wait`, as soon as nothing is queued or running."""
    view = await view_of(services, sweep_id)
    return view if not wait or view.status.terminal else await _settled_view(services, sweep_id, wait)


@router.post(
    "/{sweep_id:sweep}/cancel",
    operation_id="cancel_sweep",
    responses=problems(NOT_FOUND, INVALID_PARAMETER, open_to_all=False),
)
async def cancel_sweep(services: AppServices, caller: Member, sweep_id: SweepPath, force: Force = False) -> SweepView:
    """Withdraws the caller from every cell; cells stop when nobody is left who wants them."""
    forced = may_force(caller, force)
    record = await read_sweep(services, sweep_id)
    await services.run_in_thread(jobs.cancel_many(record.cells, caller.user, forced))
    action = "force_cancel_sweep" if forced else "cancel_sweep"
    await services.store.run(audit.record(actor(services, caller), action, sweep_id, "accepted"))
    return await view_of(services, sweep_id)


@router.post(
    "/{sweep_id:sweep}/retry",
    operation_id="retry_sweep",
    status_code=202,
    responses=problems(NOT_FOUND, INVALID_PARAMETER, QUOTA, FULL, open_to_all=False),
)
async def retry_sweep(services: AppServices, caller: Member, sweep_id: SweepPath) -> SweepView:
    """Queues again the cells that failed or were cancelled, and no others."""
    record = await read_sweep(services, sweep_id)
    found = await services.run_in_thread(jobs.read_many(record.cells))
    again = [job for job in found if job is not None and job.status in (Status.failed, Status.cancelled)]
    ids = [job.id for job in again]
    room = admission.reserve(caller.user, ids, entry(services, caller), "rerun", "retry_sweep", sweep_id)
    refuse_excess(await services.run_in_thread(room), services.settings)
    who = Submitter(caller.user, record.name, record.tags)
    await services.run_in_thread(jobs.rerun_many(ids, who))
    for queue in {job.queue for job in again}:
        services.doorbell.ring(Queue(queue))
    return await view_of(services, sweep_id)


async def read_sweep(services: Services, sweep_id: str) -> SweepRecord:
    """The record. Errors: 404."""
    record = await services.store.run(sweeps.read(sweep_id))
    if record is None:
        raise unknown_sweep(sweep_id)
    return record


def unknown_sweep(sweep_id: str) -> NotFoundError:
    """Never known, or expired."""
    return NotFoundError(f"No sweep has the id {sweep_id}.")


async def _prepared(request: Request, services: Services) -> PreparedSweep:
    read = partial(prepare_sweep, limits=services.settings.limits)
    prepared = await read_document(request, services, read, light=False)
    check(services.settings, prepared.submission.webhook)
    return prepared


def _read(sweep_id: str) -> Operation[Pair]:
    record = yield from sweeps.read(sweep_id)
    counts = yield from sweeps.counts(sweep_id)
    return record, counts


async def view_of(services: Services, sweep_id: str) -> SweepView:
    """The sweep with its counts. Errors: 404."""
    record, counts = await services.store.run(_read(sweep_id))
    if record is None or counts is None:
        raise unknown_sweep(sweep_id)
    return views.sweep(record, counts)


async def _settled_view(services: Services, sweep_id: str, seconds: float) -> SweepView:
    record = await read_sweep(services, sweep_id)
    counts = await settled(
        services, record.cells, partial(sweeps.counts, sweep_id), _ended, seconds,
        pause=1.0 if len(record.cells) > LARGE else 0.05,
    )  # fmt: skip
    if counts is None:
        raise unknown_sweep(sweep_id)
    return views.sweep(record, counts)


def _ended(counts: SweepCounts | None) -> bool:
    return counts is None or counts.status.terminal
