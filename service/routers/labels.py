"""What can be changed after a submission: labels, and whether results are kept for ever; and forgetting a sweep."""

from __future__ import annotations

from fastapi import APIRouter, Request

from initshape.spec.parse import parse_edit, parse_sweep_edit
from initshape.store import Operation, audit, jobs, labels
from initshape.store.labels import Edited
from service import views
from service.auth import Caller, Member, actor, may_force
from service.bodies import read_document
from service.errors import INVALID_PARAMETER, NOT_FOUND, ForbiddenError
from service.examples import EDITS, SWEEP_EDITS
from service.openapi import body, problems
from service.parameters import ExperimentPath, SweepPath
from service.routers.experiments import Force, unknown
from service.routers.submission import BODY_PROBLEMS
from service.routers.sweeps import unknown_sweep, view_of
from service.schemas import Job, SweepDeletion, SweepView
from service.services import AppServices, Services

router = APIRouter(prefix="/v1")

_EXPERIMENT_OF_OTHERS = "Only who has submitted an experiment can change its labels: submit it, too."
_SWEEP_OF_OTHERS = "Only the owner of a sweep, or an admin by force, can change it."


@router.patch(
    "/experiments/{experiment_id:experiment}",
    operation_id="edit_experiment",
    tags=["experiments"],
    responses=problems(NOT_FOUND, *BODY_PROBLEMS, open_to_all=False),
    openapi_extra=body("ExperimentEdit", EDITS),
)
async def edit_experiment(
    request: Request, services: AppServices, caller: Member, experiment_id: ExperimentPath, force: Force = False
) -> Job:
    """Changes name, tags and notes of the caller's own submission, and pins its result or lets go of it.

    A pinned result is kept for ever, an unpinned one for 90 days from the last read. Each submitter pins for himself;
    with `force` an admin pins what others submitted, and takes back the pins of all.
    """
    forced = may_force(caller, force)
    edit = await read_document(request, services, lambda document, size, uploads: parse_edit(document))
    change = labels.edit(experiment_id, caller.user, edit.changes(), forced)
    await _changed(services, caller, "edit", experiment_id, forced, change)
    record = await services.store.run(jobs.read(experiment_id))
    if record is None:
        raise unknown(experiment_id)
    return views.job(record)


@router.patch(
    "/sweeps/{sweep_id:sweep}",
    operation_id="edit_sweep",
    tags=["sweeps"],
    responses=problems(NOT_FOUND, *BODY_PROBLEMS, open_to_all=False),
    openapi_extra=body("SweepEdit", SWEEP_EDITS),
)
async def edit_sweep(
    request: Request, services: AppServices, caller: Member, sweep_id: SweepPath, force: Force = False
) -> SweepView:
    """Changes name, tags and notes of a sweep, and keeps it with all of its results, or no longer."""
    forced = may_force(caller, force)
    edit = await read_document(request, services, lambda document, size, uploads: parse_sweep_edit(document))
    change = labels.edit_sweep(sweep_id, caller.user, edit.changes(), forced)
    await _changed(services, caller, "edit_sweep", sweep_id, forced, change)
    return await view_of(services, sweep_id)


@router.delete(
    "/sweeps/{sweep_id:sweep}",
    operation_id="delete_sweep",
    tags=["sweeps"],
    responses=problems(NOT_FOUND, INVALID_PARAMETER, open_to_all=False),
)
async def delete_sweep(
    services: AppServices, caller: Member, sweep_id: SweepPath, force: Force = False
) -> SweepDeletion:
    """Forgets the sweep and withdraws the caller from its cells; results that are pinned or that others want stay."""
    forced = may_force(caller, force)
    change = labels.delete_sweep(sweep_id, caller.user, forced)
    await _changed(services, caller, "delete_sweep", sweep_id, forced, change)
    return SweepDeletion(id=sweep_id)


async def _changed(
    services: Services, caller: Caller, action: str, subject: str, forced: bool, change: Operation[Edited]
) -> None:
    """Makes a change and tells the audit. Errors: 404 for a subject that nobody knows, 403 for that of others."""
    edited = await services.run_in_thread(change)
    if edited is Edited.missing:
        raise unknown_sweep(subject) if subject.startswith("s-") else unknown(subject)
    if edited is Edited.foreign:
        raise ForbiddenError(_SWEEP_OF_OTHERS if subject.startswith("s-") else _EXPERIMENT_OF_OTHERS)
    told = audit.record(actor(services, caller), f"force_{action}" if forced else action, subject, "accepted")
    await services.store.run(told)
