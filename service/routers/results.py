"""What a finished experiment answers: the document, arrays and figures, all with strong entity tags."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from initshape.figures import EXPERIMENT_KINDS, FigureError, experiment_figure
from initshape.spec.explain import nearest
from initshape.spec.result import Result
from initshape.store import jobs, results
from initshape.store.arrays import from_npy
from initshape.store.results import StoredResult
from service import downloads
from service.auth import CurrentCaller
from service.conditional import matches, not_modified, ranged, tag_of, tagged
from service.errors import (
    EXPIRED,
    INVALID_PARAMETER,
    NO_RANGE,
    NOT_FOUND,
    NOT_READY,
    TOO_LARGE,
    ExpiredError,
    InvalidParameterError,
    NotFoundError,
    NotReadyError,
    ServiceError,
    TooLargeError,
)
from service.openapi import NOT_MODIFIED, RANGE_HEADERS, media, problems, ranges
from service.parameters import ExperimentPath, FigureFormat, query_problem
from service.pictures import renderer_version
from service.routers.experiments import unknown
from service.services import AppServices, Services

router = APIRouter(prefix="/v1/experiments/{experiment_id:experiment}", tags=["results"])

RESULT_PROBLEMS = problems(NOT_FOUND, NOT_READY, EXPIRED, open_to_all=False)
MEDIA_TYPES = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}
FILE_PROBLEMS = problems(NOT_FOUND, NOT_READY, EXPIRED, NO_RANGE, open_to_all=False)
_NPZ = "application/zip"
_RANGES = ranges(_NPZ)


@router.get(
    "/result", operation_id="get_result", response_model=Result, responses=NOT_MODIFIED | RESULT_PROBLEMS
)  # fmt: skip
async def get_result(
    request: Request, services: AppServices, caller: CurrentCaller, experiment_id: ExperimentPath
) -> Response:
    """The result document. Numbers that are not finite are null; the outcome says why."""
    found = await stored(services, experiment_id)
    tag = tag_of(found.etag)
    return not_modified(tag) if matches(request, tag) else tagged(found.document, tag, "application/json")


@router.get(
    "/arrays.npz",
    operation_id="get_arrays",
    response_class=Response,
    responses=media(_NPZ, description="NumPy archive; load it with allow_pickle=False.") | _RANGES | FILE_PROBLEMS,
    openapi_extra=RANGE_HEADERS,
)
async def get_arrays(
    request: Request, services: AppServices, caller: CurrentCaller, experiment_id: ExperimentPath
) -> Response:
    """Every array of the result."""
    found = await stored(services, experiment_id)
    if matches(request, tag := tag_of(found.etag, "npz")):
        return not_modified(tag)
    whole = await services.run_in_thread(downloads.consistent(experiment_id))
    if whole is None:
        raise await missing(services, experiment_id)
    content = await services.in_thread(partial(downloads.to_npz, whole[1]))
    return ranged(request, content, tag_of(whole[0].etag, "npz"), _NPZ, filename=f"{experiment_id}.npz")


@router.get(
    "/arrays/{name}.csv",
    operation_id="get_array_csv",
    response_class=Response,
    responses=media("text/csv", description="A header, then one row an entry of the first axis.")
    | ranges("text/csv")
    | FILE_PROBLEMS,
    openapi_extra=RANGE_HEADERS,
)
async def get_array_csv(
    request: Request, services: AppServices, caller: CurrentCaller, experiment_id: ExperimentPath, name: str
) -> Response:
    """One array as text."""
    found = await stored(services, experiment_id)
    if name not in found.manifest:
        raise NotFoundError(f"The result has no array {name[:100]!r}: {', '.join(found.manifest)}.")
    if matches(request, tag := tag_of(found.etag, "csv", name)):
        return not_modified(tag)
    whole = await services.run_in_thread(downloads.consistent(experiment_id, frozenset({name})))
    if whole is None or name not in whole[1]:
        raise await missing(services, experiment_id)
    content = await services.in_thread(lambda: downloads.to_csv(name, from_npy(whole[1][name])))
    tag = tag_of(whole[0].etag, "csv", name)
    return ranged(request, content, tag, "text/csv; charset=utf-8", filename=f"{experiment_id}-{name}.csv")


@router.get(
    "/dataset.npz",
    operation_id="get_dataset",
    response_class=Response,
    responses=media(_NPZ, description="X, y, and w_true, X_test, y_test where there are.")
    | _RANGES
    | problems(NOT_FOUND, NOT_READY, EXPIRED, TOO_LARGE, NO_RANGE, open_to_all=False),
    openapi_extra=RANGE_HEADERS,
)
async def get_dataset(
    request: Request, services: AppServices, caller: CurrentCaller, experiment_id: ExperimentPath
) -> Response:
    """The resolved data of the experiment: the training data that the job used, and the test set."""
    found = await stored(services, experiment_id)
    if matches(request, tag := tag_of(found.etag, "dataset")):
        return not_modified(tag)
    experiment = await services.run_in_thread(downloads.stored_experiment(experiment_id))
    whole = await services.run_in_thread(downloads.consistent(experiment_id, frozenset({"X", "y", "w_true"})))
    if experiment is None or whole is None:
        raise await missing(services, experiment_id)
    if downloads.dataset_size(experiment) > downloads.LARGEST_DATASET:
        raise TooLargeError(downloads.LARGEST_DATASET, "data set")
    arrays = await services.in_thread(partial(downloads.dataset_arrays, experiment, whole[1]))
    content = await services.in_thread(partial(downloads.to_npz, arrays))
    tag = tag_of(whole[0].etag, "dataset")
    return ranged(request, content, tag, _NPZ, filename=f"{experiment_id}-dataset.npz")


@router.get(
    "/figure.{form}",
    operation_id="get_figure",
    response_class=Response,
    responses=media(*MEDIA_TYPES.values(), description="The figure.")
    | problems(NOT_FOUND, NOT_READY, EXPIRED, INVALID_PARAMETER, open_to_all=False),
)
async def get_figure(
    request: Request,
    services: AppServices,
    caller: CurrentCaller,
    experiment_id: ExperimentPath,
    form: FigureFormat,
    kind: Annotated[
        str | None,
        Query(
            json_schema_extra={"enum": [*EXPERIMENT_KINDS, None]}, description="By default the first that can be drawn."
        ),
    ] = None,
) -> Response:
    """A figure of one experiment: distance from theory, loss, coordinates or margins along training."""
    refuse_unknown(kind, EXPERIMENT_KINDS)
    found = await stored(services, experiment_id)
    if matches(request, tag := tag_of(found.etag, "figure", form, str(kind), renderer_version())):
        return not_modified(tag)
    whole = await services.run_in_thread(downloads.consistent(experiment_id, downloads.figure_arrays(found.manifest)))
    if whole is None:
        raise await missing(services, experiment_id)
    document, arrays = json.loads(whole[0].document), {name: from_npy(data) for name, data in whole[1].items()}
    tag = tag_of(whole[0].etag, "figure", form, str(kind), renderer_version())
    try:
        picture = await services.pictures.draw(tag, form, lambda: experiment_figure(document, arrays, kind=kind))
    except FigureError as error:
        raise undrawable(error, kind) from None
    return tagged(picture, tag, MEDIA_TYPES[form])


async def stored(services: Services, job_id: str) -> StoredResult:
    """The result without its arrays. Errors: 404 never known or deleted, 409 not succeeded, 410 expired."""
    found = await services.store.run(results.read(job_id))
    if found is None:
        raise await missing(services, job_id)
    return found


async def missing(services: Services, job_id: str) -> ServiceError:
    """Why there is no result."""
    record = await services.store.run(jobs.read(job_id))
    if record is None:
        return unknown(job_id)
    if record.expired:
        return ExpiredError(f"The result of {job_id} is no longer kept; submit the experiment again to recompute it.")
    return NotReadyError(job_id, record.status, record.error)


def refuse_unknown(kind: str | None, kinds: Iterable[str]) -> None:
    """Before anything else: an unknown kind is wrong also where a picture would not have changed. Errors: 422."""
    if kind is not None and kind not in kinds:
        raise undrawable(FigureError(f"There is no figure of kind {kind[:100]!r}.", tuple(kinds)), kind)


def undrawable(error: FigureError, kind: str | None) -> InvalidParameterError:
    """422 with the kinds that can be drawn."""
    close = nearest(str(kind), error.allowed)
    hint = f"did you mean {close!r}?" if close else "choose one of the allowed kinds"
    problem = query_problem("kind", str(kind), error.allowed, hint if error.allowed else "ask for another kind")
    return InvalidParameterError(error.detail, errors=(problem,))
