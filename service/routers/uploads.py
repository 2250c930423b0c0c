"""Data sets and initializations as files: send, look at, download, delete. The id is that of the content."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from initshape.spec.uploaded import Upload
from initshape.store import uploads
from initshape.store.admission import Excess, usage
from initshape.store.uploads import Kept, TakenBack
from initshape.uploads import read_dataset, read_init, to_npz
from initshape.uploads.files import Form
from service import views
from service.auth import Caller, CurrentCaller, Member, actor, entry, may_force
from service.bodies import read_body, refuse_encoding, unsupported
from service.conditional import matches, not_modified, ranged, tag_of
from service.errors import (
    BAD_REQUEST,
    FULL,
    IN_USE,
    INVALID,
    INVALID_PARAMETER,
    NO_RANGE,
    NOT_FOUND,
    QUOTA,
    TIMED_OUT,
    TOO_LARGE,
    UNSUPPORTED,
    ForbiddenError,
    InUseError,
    NotFoundError,
)
from service.openapi import RANGE_HEADERS, file_body, media, problems, ranges
from service.parameters import DatasetPath, InitPath
from service.quotas import full
from service.routers.experiments import Force
from service.schemas import UploadDeletion, UploadView
from service.services import AppServices, Services

router = APIRouter(prefix="/v1", tags=["uploads"])

_NPZ = ("application/zip", "application/x-npz", "application/octet-stream")
_CREATED = {"description": "It was not known before.", "model": UploadView}
_KNOWN = "It was stored already."
_SENDING = problems(
    BAD_REQUEST, TIMED_OUT, TOO_LARGE, UNSUPPORTED, INVALID, INVALID_PARAMETER, QUOTA, FULL, open_to_all=False
)
_READING = problems(NOT_FOUND, open_to_all=False)
_CONTENT = (
    media(_NPZ[0], description="NumPy archive; load it with allow_pickle=False.")
    | ranges(_NPZ[0])
    | problems(NOT_FOUND, NO_RANGE, open_to_all=False)
)
_DELETING = problems(NOT_FOUND, IN_USE, INVALID_PARAMETER, open_to_all=False)
_DATASET_BODY = file_body(
    {
        **dict.fromkeys(_NPZ, "numpy.savez of X (samples x features), y, and X_test, y_test, w_true where there are."),
        "text/csv": "A header, then a row a sample; the column `label` (default the last) is y, the others make X.",
    }
)
_INIT_BODY = file_body(
    dict.fromkeys(_NPZ, "numpy.savez of the arrays of `init: {kind: explicit}`; matrices as layers_0, layers_1, ...")
)
_CSV_TEXT = 3
"""Bytes of text that a binary64 number may take for each of its own, digits and comma."""
_CONTAINER = 1 << 16
"""Bytes that a file may have beside its numbers."""


@router.post(
    "/datasets", operation_id="upload_dataset", response_description=_KNOWN, responses={201: _CREATED, **_SENDING},
    openapi_extra=_DATASET_BODY,
)  # fmt: skip
async def upload_dataset(
    request: Request,
    response: Response,
    services: AppServices,
    caller: Member,
    label: Annotated[str | None, Query(min_length=1, max_length=200, description="CSV: the column that is y.")] = None,
) -> UploadView:
    """Stores a data set for `dataset: {kind: uploaded, dataset_id}`. Sent again, it is the same: 200 instead of 201."""
    form, limit = _form(request, csv=True), services.settings.max_upload
    body = await read_body(request, limit * (_CSV_TEXT if form == "csv" else 1) + _CONTAINER)
    read = partial(read_dataset, body, form, label, limit)
    return await _keep(services, response, await services.in_thread(read), caller)


@router.post(
    "/inits", operation_id="upload_init", response_description=_KNOWN, responses={201: _CREATED, **_SENDING},
    openapi_extra=_INIT_BODY,
)  # fmt: skip
async def upload_init(request: Request, response: Response, services: AppServices, caller: Member) -> UploadView:
    """Stores an initialization for `init: {kind: uploaded, init_id}`. Sent again, it is the same: 200, not 201."""
    _form(request, csv=False)
    limit = services.settings.max_upload
    body = await read_body(request, limit + _CONTAINER)
    return await _keep(services, response, await services.in_thread(partial(read_init, body, limit)), caller)


@router.get("/datasets/{dataset_id:dataset}", operation_id="get_uploaded_dataset", responses=_READING)
async def get_uploaded_dataset(services: AppServices, caller: CurrentCaller, dataset_id: DatasetPath) -> UploadView:
    """Shapes, size and owner of a data set."""
    return await _known(services, dataset_id)


@router.get("/inits/{init_id:init}", operation_id="get_uploaded_init", responses=_READING)
async def get_uploaded_init(services: AppServices, caller: CurrentCaller, init_id: InitPath) -> UploadView:
    """Shapes, size and owner of an initialization."""
    return await _known(services, init_id)


@router.get(
    "/datasets/{dataset_id:dataset}/content.npz", operation_id="download_uploaded_dataset", response_class=Response,
    responses=_CONTENT, openapi_extra=RANGE_HEADERS,
)  # fmt: skip
async def download_uploaded_dataset(
    request: Request, services: AppServices, caller: CurrentCaller, dataset_id: DatasetPath
) -> Response:
    """The arrays of a data set as they are used: float64, X samples x features."""
    return await _content(request, services, dataset_id)


@router.get(
    "/inits/{init_id:init}/content.npz", operation_id="download_uploaded_init", response_class=Response,
    responses=_CONTENT, openapi_extra=RANGE_HEADERS,
)  # fmt: skip
async def download_uploaded_init(
    request: Request, services: AppServices, caller: CurrentCaller, init_id: InitPath
) -> Response:
    """The arrays of an initialization as they are used: float64."""
    return await _content(request, services, init_id)


@router.delete("/datasets/{dataset_id:dataset}", operation_id="delete_uploaded_dataset", responses=_DELETING)
async def delete_uploaded_dataset(
    services: AppServices, caller: Member, dataset_id: DatasetPath, force: Force = False
) -> UploadDeletion:
    """Withdraws the caller; it goes when nobody is left who has sent it. 409 while a job that waits or runs needs it.

    Results that were computed from it stay; running such an experiment again needs the data again.
    """
    return await _delete(services, dataset_id, caller, may_force(caller, force))


@router.delete("/inits/{init_id:init}", operation_id="delete_uploaded_init", responses=_DELETING)
async def delete_uploaded_init(
    services: AppServices, caller: Member, init_id: InitPath, force: Force = False
) -> UploadDeletion:
    """The same for an initialization."""
    return await _delete(services, init_id, caller, may_force(caller, force))


def _form(request: Request, *, csv: bool) -> Form:
    """By the content type, which has to be said: nothing is guessed from the bytes. Errors: 415."""
    refuse_encoding(request)
    given = request.headers.get("content-type", "")
    media_type = given.partition(";")[0].strip().lower()
    if media_type in _NPZ:
        return "npz"
    if csv and media_type == "text/csv":
        return "csv"
    hint = f"with curl, add: -H 'Content-Type: {_NPZ[0]}' and --data-binary @FILE.npz"
    raise unsupported("/header/content-type", given, ", ".join((*_NPZ, *(("text/csv",) if csv else ()))), hint)


async def _keep(services: Services, response: Response, upload: Upload, caller: Caller) -> UploadView:
    kept = await services.run_in_thread(uploads.keep(upload, caller.user, entry(services, caller)))
    if kept is Kept.stuffed:
        held = await services.store.run(usage(caller.user))
        raise full(Excess.stuffed, held.stored, services.settings)
    view = await _known(services, upload.id)
    if kept is Kept.created:
        response.status_code = 201
        response.headers["Location"] = view.links["self"]
    return view


async def _known(services: Services, id: str) -> UploadView:
    found = await services.store.run(uploads.read_many([id]))
    if id not in found:
        raise _unknown(id)
    return views.upload(found[id])


async def _content(request: Request, services: Services, id: str) -> Response:
    await _known(services, id)
    tag = tag_of(id, "npz")
    if matches(request, tag):
        return not_modified(tag)
    whole = await services.run_in_thread(uploads.read_arrays(id))
    if whole is None or whole.arrays is None:
        raise _unknown(id)
    arrays = whole.arrays
    return ranged(request, await services.in_thread(lambda: to_npz(arrays)), tag, _NPZ[0], filename=f"{id}.npz")


async def _delete(services: Services, id: str, caller: Caller, force: bool) -> UploadDeletion:
    answer, job = await services.store.run(uploads.take_back(id, caller.user, force, actor(services, caller)))
    if answer is TakenBack.missing:
        raise _unknown(id)
    if answer is TakenBack.foreign:
        raise ForbiddenError("Others have uploaded this; an admin can force it.")
    if answer is TakenBack.busy:
        raise InUseError(f"{job} waits or runs and needs {id}: cancel it, or delete this when it has ended.")
    return UploadDeletion(id=id, answer="withdrawn" if answer is TakenBack.withdrawn else "deleted")


def _unknown(id: str) -> NotFoundError:
    return NotFoundError(f"No upload has the id {id}: it was never sent, was deleted, or has expired.")
