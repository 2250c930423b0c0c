"""One experiment: submit, validate, list, follow, cancel, run again, delete."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from initshape.spec.status import Status
from initshape.store import Queue, jobs, listing
from initshape.store.jobs import Answer, Stop, Stopped
from initshape.store.records import JobRecord, Submitter
from service import filters, views
from service.auth import CurrentCaller, Member, actor, entry, may_force
from service.errors import (
    FULL,
    INVALID_PARAMETER,
    NOT_FOUND,
    QUOTA,
    ForbiddenError,
    NotFoundError,
)
from service.openapi import problems
from service.parameters import Cursor, ExperimentPath, Limit, Name, Owner, Tag, cursor_after, cursor_number
from service.quotas import refuse
from service.schemas import Accepted, Job, JobPage, Withdrawal, WithdrawalAnswer
from service.services import AppServices
from service.waiting import Wait, settled

router = APIRouter(prefix="/v1/experiments", tags=["experiments"])

Force = Annotated[bool, Query(description="Also stop what others still want; for admins.")]


@router.get(
    "",
    operation_id="list_experiments",
    responses=problems(INVALID_PARAMETER, open_to_all=False),
    openapi_extra={"parameters": filters.documented()},
)
async def list_experiments(
    request: Request,
    services: AppServices,
    caller: CurrentCaller,
    status: Status | None = None,
    owner: Owner = None,
    tag: Tag = None,
    name: Name = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> JobPage:
    """Newest first; new ones do not shift the pages. Every field of the experiment that holds one value is a filter.

    A page looks at the newest thousand experiments below its cursor at most: with filters it may hold fewer entries
    than `limit`, even none, and go on all the same. The list ends where `next` is null.
    """
    fields = filters.given(request, "status", "owner", "tag", "name", "limit", "cursor")
    before = cursor_number(cursor)
    read = listing.page(limit, before, status=status, owner=owner, tag=tag, name=name, fields=fields)
    page = await (services.run_in_thread if fields or name else services.store.run)(read)
    return JobPage(items=tuple(map(views.summary, page.records)), next=cursor_after(page.before))


@router.get(
    "/{experiment_id:experiment}",
    operation_id="get_experiment",
    responses=problems(NOT_FOUND, INVALID_PARAMETER, open_to_all=False),
)
async def get_experiment(
    services: AppServices, caller: CurrentCaller, experiment_id: ExperimentPath, wait: Wait = 0.0
) -> Job:
    """State of an experiment; with `wait`, as soon as it has ended."""
    record = await settled(services, [experiment_id], partial(jobs.read, experiment_id), ended, wait)
    if record is None:
        raise unknown(experiment_id)
    return views.job(record)


@router.post(
    "/{experiment_id:experiment}/cancel",
    operation_id="cancel_experiment",
    responses=problems(NOT_FOUND, INVALID_PARAMETER, open_to_all=False),
)
async def cancel_experiment(
    services: AppServices, caller: Member, experiment_id: ExperimentPath, force: Force = False
) -> Withdrawal:
    """Withdraws the caller; the job stops when nobody is left who wants it. What has ended stays as it is."""
    forced, who = may_force(caller, force), actor(services, caller)
    return withdrawal(experiment_id, await services.store.run(jobs.cancel(experiment_id, caller.user, forced, who)))


@router.post(
    "/{experiment_id:experiment}/rerun",
    operation_id="rerun_experiment",
    status_code=202,
    response_description="Queued; `Location` leads to its state.",
    responses=problems(NOT_FOUND, INVALID_PARAMETER, QUOTA, FULL, open_to_all=False),
)
async def rerun_experiment(
    response: Response, services: AppServices, caller: Member, experiment_id: ExperimentPath
) -> Accepted:
    """Computes again under the same id. The old result is served until the new attempt has finished."""
    record = await services.store.run(jobs.read(experiment_id))
    if record is None:
        raise unknown(experiment_id)
    done = await services.store.run(jobs.rerun(experiment_id, own_label(record, caller.user), entry(services, caller)))
    if done.answer is Answer.missing:
        raise unknown(experiment_id)
    refuse(done, services.settings)
    services.doorbell.ring(Queue(record.queue))
    answer = _accepted(response, experiment_id, done.status or Status.queued)
    response.status_code = 202
    return answer


@router.delete(
    "/{experiment_id:experiment}",
    operation_id="delete_experiment",
    responses=problems(NOT_FOUND, INVALID_PARAMETER, open_to_all=False),
)
async def delete_experiment(
    services: AppServices, caller: Member, experiment_id: ExperimentPath, force: Force = False
) -> Withdrawal:
    """Withdraws the caller; record and result go when nobody is left, once a running attempt has stopped.

    Sent again it changes nothing, and answers 404 where the record has gone: whether there was one is not remembered.
    """
    forced, who = may_force(caller, force), actor(services, caller)
    return withdrawal(experiment_id, await services.store.run(jobs.delete(experiment_id, caller.user, forced, who)))


def ended(record: JobRecord | None) -> bool:
    """Whether there is nothing to wait for."""
    return record is None or record.status.terminal


def unknown(job_id: str) -> NotFoundError:
    """Never known, or deleted."""
    return NotFoundError(f"No experiment has the id {job_id}: it was never submitted, or it was deleted.")


def own_label(record: JobRecord, user: str) -> Submitter:
    """What the user called the job before, so that asking again does not rename it."""
    return next((s for s in record.submitters if s.user == user), Submitter(user))


def withdrawal(job_id: str, stopped: Stopped) -> Withdrawal:
    """Answer to cancel and delete."""
    problems_of: dict[Stop, Callable[[], Exception]] = {
        Stop.missing: lambda: unknown(job_id),
        Stop.foreign: lambda: ForbiddenError("Others submitted this experiment; an admin can force it."),
    }
    if stopped.answer in problems_of:
        raise problems_of[stopped.answer]()
    return Withdrawal(id=job_id, answer=WithdrawalAnswer(stopped.answer.value), status=stopped.status)


def _accepted(response: Response, job_id: str, status: Status) -> Accepted:
    links = views.experiment_links(job_id)
    if status is not Status.succeeded:
        response.status_code = 202
        response.headers["Location"] = links["self"]
    return Accepted(id=job_id, status=status, links=links)
