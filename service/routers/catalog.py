"""What the server knows: the catalog, the published figures as documents, and regularizers to look at."""

from __future__ import annotations

import json

from fastapi import APIRouter, Request, Response

from initshape.spec.parse import parse_evaluation
from initshape.spec.version import NUMERICS_VERSION
from service import looking
from service.auth import CurrentCaller
from service.bodies import read_document
from service.catalog_schemas import Catalog, EvaluationView, Presets
from service.conditional import matches, not_modified, tag_of, tagged
from service.errors import BAD_REQUEST, INVALID, INVALID_PARAMETER, TIMED_OUT, TOO_LARGE, UNSUPPORTED
from service.examples import EVALUATIONS, REGULARIZER_FIGURES
from service.openapi import NOT_MODIFIED, body, media, problems
from service.parameters import FigureFormat
from service.pictures import renderer_version
from service.routers.results import MEDIA_TYPES
from service.services import AppServices

router = APIRouter(prefix="/v1", tags=["catalog"])

_EVALUATION = ("InitEvaluation", "FormulaEvaluation")
_BODY_PROBLEMS = (BAD_REQUEST, TIMED_OUT, TOO_LARGE, UNSUPPORTED, INVALID)


@router.get(
    "/catalog", operation_id="get_catalog", response_model=Catalog, responses=NOT_MODIFIED | problems(open_to_all=False)
)
async def get_catalog(request: Request, services: AppServices, caller: CurrentCaller) -> Response:
    """Models, data sets, initializations, flows and losses with their fields; regularizers with formula and papers."""
    return _static(request, await services.in_thread(looking.catalog))


@router.get(
    "/presets", operation_id="get_presets", response_model=Presets, responses=NOT_MODIFIED | problems(open_to_all=False)
)
async def get_presets(request: Request, services: AppServices, caller: CurrentCaller) -> Response:
    """The published figures as documents that can be sent as they are."""
    return _static(request, await services.in_thread(looking.presets))


@router.post(
    "/regularizers/evaluate",
    operation_id="evaluate_regularizer",
    response_model=EvaluationView,
    responses=problems(*_BODY_PROBLEMS, open_to_all=False),
    openapi_extra=body(_EVALUATION, EVALUATIONS),
)
async def evaluate_regularizer(request: Request, services: AppServices, caller: CurrentCaller) -> Response:
    """Q, its gradient, the inverse of that, or a profile, at points or on a grid. Nothing is stored."""
    asked = await read_document(request, services, lambda document, size, uploads: parse_evaluation(document))
    content = await services.in_thread(lambda: looking.evaluated(asked))
    return Response(content, media_type="application/json")


@router.post(
    "/regularizers/figure.{form}",
    operation_id="draw_regularizer",
    response_class=Response,
    responses=media(*MEDIA_TYPES.values(), description="The figure.", conditional=False)
    | problems(*_BODY_PROBLEMS, INVALID_PARAMETER, open_to_all=False),
    openapi_extra=body((*_EVALUATION, "RegularizerFigure"), REGULARIZER_FIGURES),
)
async def draw_regularizer(
    request: Request, services: AppServices, caller: CurrentCaller, form: FigureFormat
) -> Response:
    """Lines over a grid of one axis, contours over one of two; a sweep of them gives a line, or a panel, each."""
    document = await read_document(request, services, lambda document, size, uploads: document)
    figure = await services.in_thread(lambda: looking.figure(document))
    tag = tag_of(json.dumps(document, sort_keys=True), form, NUMERICS_VERSION, renderer_version())
    picture = await services.pictures.draw(tag, form, lambda: figure)
    return Response(picture, media_type=MEDIA_TYPES[form])


def _static(request: Request, content: bytes) -> Response:
    tag = tag_of(content)
    return not_modified(tag) if matches(request, tag) else tagged(content, tag, "application/json")
